//! Many accounts that have proven nothing yet, made without the program: for the benchmark of codes.

use std::ops::RangeInclusive;

use crate::connection::TestConnection;

/// Accounts with a login and an e-mail that is not verified. Ids end in a number of these: `cus_new_1` has the e-mail
/// `n1@shop.test`. Nobody can log in with a password: there is none.
///
/// # Panics
/// When the database refuses a row.
pub async fn fill(connection: &mut TestConnection, numbers: RangeInclusive<u32>) {
    let json = if matches!(connection, TestConnection::Postgres(_)) { "::jsonb" } else { "" };
    let then = "'2026-01-02T03:04:05.678Z'";
    for (table, values) in [
        (
            "customer (id, email, first_name, has_account, email_verified, created_at, updated_at)",
            format!("'cus_new_' || i, 'n' || i || '@shop.test', 'Ann', true, false, {then}, {then}"),
        ),
        (
            "auth_identity (id, app_metadata, created_at, updated_at)",
            format!("'authid_new_' || i, ('{{\"customer_id\":\"cus_new_' || i || '\"}}'){json}, {then}, {then}"),
        ),
        (
            "provider_identity (id, entity_id, provider, auth_identity_id, created_at, updated_at)",
            format!("'p_new_' || i, 'n' || i || '@shop.test', 'emailpass', 'authid_new_' || i, {then}, {then}"),
        ),
    ] {
        connection.insert_numbered(table, &values, &numbers).await;
    }
    if let TestConnection::Postgres(_) = connection {
        // As autovacuum would have within a minute: without it the planner knows nothing of what is in the columns. It leaves alone
        // what is empty, which PostgreSQL would go through for a while if it were told that there is nothing in it.
        connection.try_sql("analyze customer, auth_identity, provider_identity").await.unwrap();
    }
}
