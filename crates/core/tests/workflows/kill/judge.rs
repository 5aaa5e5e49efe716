//! What must be true of a database and of the sink whatever was killed.

use std::collections::BTreeMap;

use cr_testkit::TestDatabase;
use cr_testkit::webhook_sink::SinkRequest;
use serde_json::json;

/// Rows that nothing leaves, whole or killed: each statement must find none.
const HALVES: [(&str, &str); 7] = [
    (
        "an identity without a way to log in",
        "select id from auth_identity where id not in (select auth_identity_id from provider_identity)",
    ),
    (
        "a way to log in without its identity",
        "select id from provider_identity where auth_identity_id not in (select id from auth_identity)",
    ),
    (
        "a customer whom nobody can log in as",
        "select id from customer where has_account and deleted_at is null and email is not null and not exists \
         (select 1 from auth_identity a where cast(a.app_metadata as text) like '%' || customer.id || '%')",
    ),
    (
        "a code without its message",
        "select id from otp_verification where id not in (select idempotency_key from cr_outbox)",
    ),
    (
        "a message that was not delivered and did not expire",
        "select id, status, last_error from cr_outbox where status <> 'delivered' \
         and not (status = 'dead' and expires_at <= updated_at)",
    ),
    ("a settled message with content", "select id from cr_outbox where payload is not null"),
    (
        "a deletion that is confirmed twice",
        "select customer_id from account_deletion_request where status = 'confirmed' group by customer_id \
         having count(*) > 1",
    ),
];

/// Lists what is wrong once the worker has nothing left to do. `posts` are all that the sink got of this database.
pub(super) async fn problems(database: &TestDatabase, posts: &[SinkRequest]) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, sql) in HALVES {
        let rows = database.rows(sql).await;
        if !rows.is_empty() {
            problems.push(format!("{name}: {rows:?}"));
        }
    }
    if matches!(database, TestDatabase::Sqlite { .. }) {
        if database.rows("pragma integrity_check").await != [json!({"integrity_check": "ok"})] {
            problems.push("SQLite's own check of the file fails".to_owned());
        }
        if !database.rows("pragma foreign_key_check").await.is_empty() {
            problems.push("a row refers to none".to_owned());
        }
    }
    let received = by_id(posts);
    for row in database.rows("select id from cr_outbox where status = 'delivered'").await {
        let id = row["id"].as_str().unwrap();
        if !received.contains_key(id) {
            problems.push(format!("message {id} was lost: it is marked as delivered, and nobody got it"));
        }
    }
    for (id, bodies) in &received {
        if bodies.iter().any(|body| body != &bodies[0]) {
            problems.push(format!("message {id} came twice and differed"));
        }
    }
    problems
}

/// The bodies by the id of their message: what a receiver that drops repeats takes is the first of each.
pub(super) fn by_id(posts: &[SinkRequest]) -> BTreeMap<&str, Vec<&str>> {
    let mut received: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for post in posts {
        received.entry(post.header("webhook-id").unwrap()).or_default().push(&post.body);
    }
    received
}
