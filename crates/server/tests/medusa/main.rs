//! Beside a real Medusa 2.11.2 from npm: one database, one secret, this server in front of it.
//!
//! Needs Node 20 with npm, and some minutes once for the installation.

#![cfg(test)]

mod accounts;
mod orders;
mod schema;
mod shop;
#[path = "../support/mod.rs"]
mod support;
