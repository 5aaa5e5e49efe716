//! Many accounts whose deletion is due, made without the program: for the job's tests and its benchmark.

use std::ops::RangeInclusive;

use crate::connection::TestConnection;

/// Accounts with a login, a proof, an address and a confirmed request that is due. Ids end in a number of these: `cus_1` is
/// `adr_1`, `authid_1`, `p_1` and `cuaddr_1`, with the e-mail `c1@shop.test`.
///
/// # Panics
/// When the database refuses a row.
pub async fn fill(connection: &mut TestConnection, numbers: RangeInclusive<u32>) {
    let json = if matches!(connection, TestConnection::Postgres(_)) { "::jsonb" } else { "" };
    let then = "'2026-01-02T03:04:05.678Z'";
    for (table, values) in [
        (
            "customer (id, email, first_name, has_account, email_verified, created_at, updated_at)",
            format!("'cus_' || i, 'c' || i || '@shop.test', 'Ann', true, true, {then}, {then}"),
        ),
        (
            "customer_address (id, customer_id, is_default_shipping, is_default_billing, city, created_at, updated_at)",
            format!("'cuaddr_' || i, 'cus_' || i, false, false, 'Ulm', {then}, {then}"),
        ),
        (
            "auth_identity (id, app_metadata, created_at, updated_at)",
            format!("'authid_' || i, ('{{\"customer_id\":\"cus_' || i || '\"}}'){json}, {then}, {then}"),
        ),
        (
            "provider_identity (id, entity_id, provider, auth_identity_id, created_at, updated_at)",
            format!("'p_' || i, 'c' || i || '@shop.test', 'emailpass', 'authid_' || i, {then}, {then}"),
        ),
        (
            "cr_proof (customer_id, channel, value, proven_at)",
            format!("'cus_' || i, 'email', 'c' || i || '@shop.test', {then}"),
        ),
        (
            "account_deletion_request (id, customer_id, reason, status, deletion_scheduled_at, created_at, updated_at)",
            format!("'adr_' || i, 'cus_' || i, 'Bye', 'confirmed', {then}, {then}, {then}"),
        ),
    ] {
        connection.insert_numbered(table, &values, &numbers).await;
    }
}
