//! What tests share: a database of either kind, a frozen clock, seeded chance, Node. Never part of the product.
//!
//! ```
//! use cr_testkit::TestDatabase;
//!
//! cr_testkit::run(async {
//!     let database = TestDatabase::sqlite().await;
//!     database.connect().await;
//!     assert_eq!(database.rows("select count(*) as n from customer").await, [serde_json::json!({"n": 0})]);
//! });
//! ```
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set its stage must fail loudly")]

use std::sync::Arc;

use cr_core::env::Env;

pub mod application;
pub mod chaos_proxy;
pub mod connection;
pub mod crowd;
pub mod database;
pub mod faults;
pub mod frozen;
pub mod leaving;
pub mod medusa;
pub mod mime;
pub mod newer_medusa;
pub mod node;
pub mod postgres;
pub mod real_medusa;
pub mod schemathesis;
pub mod sms_sink;
pub mod smtp_sink;
mod tools;
pub mod unverified;
pub mod webhook_sink;

pub use chaos_proxy::{ChaosProxy, Way};
pub use database::{Held, TestDatabase};
pub use faults::{KillAt, StepFaults};
pub use frozen::{Frozen, START, seeded};
pub use medusa::{Stage, add_plugin, medusa_database, plugin_database};
pub use postgres::pair::PostgresPair;
pub use sms_sink::SmsSink;
pub use smtp_sink::SmtpSink;
pub use webhook_sink::WebhookSink;

/// Frozen time at [`START`] and chance from a seed; the clock is returned besides, to be moved.
pub fn env(seed: u64) -> (Env, Arc<Frozen>) {
    let clock = Frozen::at(START);
    let env = Env { clock: Arc::clone(&clock) as Arc<dyn cr_core::env::Clock>, rng: seeded(seed) };
    (env, clock)
}

/// Runs a test's future on a runtime with two threads, as the product has.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test)
}

/// Writes each test once and runs it as `name::sqlite` and `name::postgres`, on migrated databases of its own.
///
/// ```
/// # use cr_testkit::TestDatabase;
/// cr_testkit::both! {
///     /// What would break for a user.
///     async fn an_empty_shop_has_no_customers(database: TestDatabase) {
///         assert!(database.rows("select id from customer").await.is_empty());
///     }
/// }
/// ```
#[macro_export]
macro_rules! both {
    ($($(#[$attribute:meta])* async fn $name:ident($database:ident: TestDatabase) $body:block)+) => {$(
        $(#[$attribute])*
        #[cfg(test)]
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn body($database: $crate::TestDatabase) $body

            #[test]
            fn sqlite() {
                $crate::run(async { body($crate::TestDatabase::sqlite().await).await });
            }

            #[test]
            fn postgres() {
                $crate::run(async { body($crate::TestDatabase::postgres().await).await });
            }
        }
    )+};
}
