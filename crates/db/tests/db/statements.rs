//! Each statement of the models, executed on both databases: the same calls must leave and give the same rows.

use cr_db::{Database, Tx};
use cr_testkit::{START, TestDatabase};
use cr_types::ids::{AuthIdentityId, CustomerId};
use cr_types::timestamp::Timestamp;

mod accounts;
mod codes;
mod counters;
mod credentials;
mod deletion;
mod holders;
mod identities;
mod outbox;
mod referrals;
mod second_factors;
mod shop;
mod verifications;

/// The moment of every statement, unless a test says otherwise.
fn now() -> Timestamp {
    START.parse().unwrap()
}

/// [`now`] moved by seconds.
fn after(seconds: i64) -> Timestamp {
    now().plus_seconds(seconds)
}

/// Runs fixtures and opens the database.
async fn open(test: &TestDatabase, fixtures: &str) -> Database {
    let database = test.connect().await;
    if !fixtures.is_empty() {
        test.sql(fixtures).await;
    }
    database
}

/// A transaction that may write.
async fn begin(database: &Database) -> Tx {
    database.begin().await.unwrap()
}

/// A customer's id.
fn customer_id(text: &str) -> CustomerId {
    CustomerId::from_stored(text)
}

/// An identity's id.
fn identity_id(text: &str) -> AuthIdentityId {
    AuthIdentityId::from_stored(text)
}
