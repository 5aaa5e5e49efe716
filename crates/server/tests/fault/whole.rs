//! What must be so after any fault: nothing is half there.

use cr_testkit::TestDatabase;
use serde_json::json;

/// Rows that no finished request leaves: each statement must find none.
const HALVES: &[(&str, &str)] = &[
    (
        "an identity without a way to log in",
        "select id from auth_identity where id not in (select auth_identity_id from provider_identity)",
    ),
    (
        "a way to log in without its identity",
        "select id from provider_identity where auth_identity_id not in (select id from auth_identity)",
    ),
    (
        // A decoy belongs to nobody, and nothing is sent of it.
        "a code without its message",
        "select id from otp_verification where id not in (select idempotency_key from cr_outbox) \
         and customer_id in (select id from customer)",
    ),
    ("an unsent message without content", "select id from cr_outbox where status <> 'delivered' and payload is null"),
    ("a sent message with content", "select id from cr_outbox where status = 'delivered' and payload is not null"),
];

/// Asserts that nothing is half there, by our own rules and by SQLite's.
pub(crate) async fn check_whole(database: &TestDatabase) {
    for (name, sql) in HALVES {
        assert!(database.rows(sql).await.is_empty(), "{name}: {}", database.dump(&[]).await);
    }
    if matches!(database, TestDatabase::Sqlite { .. }) {
        assert_eq!(database.rows("pragma integrity_check").await, [json!({"integrity_check": "ok"})]);
        assert!(database.rows("pragma foreign_key_check").await.is_empty());
    }
}

/// Lets the minute pass in which a message still belongs to the worker that was killed.
pub(crate) async fn let_leases_end(database: &TestDatabase) {
    let past = "2026-01-02T03:04:05.678Z";
    let sql =
        format!("update cr_outbox set next_attempt_at = '{past}', lease_until = '{past}' where status = 'sending'");
    database.sql(&sql).await;
}
