//! Beside a real Medusa from npm, 2.11.2 and 2.21.2: one database, one secret, this server in front of it.
//!
//! Needs Node 20 with npm, and some minutes once for the installation.

#![cfg(test)]

/// Makes a test for each version out of one body.
#[macro_export]
macro_rules! each_version {
    ($($(#[$attribute:meta])* async fn $name:ident($version:ident: Version) $body:block)+) => {$(
        $(#[$attribute])*
        mod $name {
            use super::*;

            async fn body($version: cr_testkit::real_medusa::Version) $body

            #[test]
            fn pinned() {
                cr_testkit::run(body(cr_testkit::real_medusa::Version::Pinned));
            }

            #[test]
            fn newest() {
                cr_testkit::run(body(cr_testkit::real_medusa::Version::Newest));
            }
        }
    )+};
}

mod accounts;
mod companion;
mod dashboard;
mod orders;
mod schema;
mod shop;
#[path = "../support/mod.rs"]
mod support;
