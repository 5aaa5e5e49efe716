//! Customers, made by statements instead of requests: ten thousand take a moment.

use std::ops::RangeInclusive;

use cr_testkit::TestDatabase;
use serde_json::json;

use crate::shop::{HOME, LOGIN, REGISTER, Shop};
use crate::support::PASSWORD;

/// The moment at which everybody was made, which is not before verification was asked for.
const THEN: &str = "'2026-01-02T03:04:05.678Z'";

/// In which state customers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is proven.
    Unproven,
    /// Both contacts are.
    Proven,
    /// Both contacts are, and the account will be deleted.
    Leaving,
    /// The account was deleted.
    Deleted,
}

/// The e-mail of a customer by number.
pub(crate) fn email(number: u32) -> String {
    format!("c{number}@shop.test")
}

/// The phone of a customer by number.
pub(crate) fn phone(number: u32) -> String {
    format!("+1555{}", 1_000_000 + number)
}

/// The id of a customer by number.
pub(crate) fn id(number: u32) -> String {
    format!("cus_{number}")
}

/// Makes customers who log in with either contact. They have no password before [`give_passwords`].
pub(crate) async fn fill(database: &TestDatabase, numbers: RangeInclusive<u32>, standing: Standing) {
    let json = if matches!(database, TestDatabase::Postgres { .. }) { "::jsonb" } else { "" };
    let is_proven = standing != Standing::Unproven;
    let deleted = if standing == Standing::Deleted { THEN } else { "null" };
    let (address, number) = ("'c' || i || '@shop.test'", "'+1555' || (1000000 + i)");
    let moments = format!("{THEN}, {THEN}");
    let mut statements = vec![
        (
            "customer (id, email, phone, first_name, has_account, email_verified, phone_verified, deleted_at, created_at, updated_at)",
            format!("'cus_' || i, {address}, {number}, 'Ann', true, {is_proven}, {is_proven}, {deleted}, {moments}"),
        ),
        (
            "auth_identity (id, app_metadata, created_at, updated_at)",
            format!("'authid_' || i, ('{{\"customer_id\":\"cus_' || i || '\"}}'){json}, {moments}"),
        ),
        (
            "provider_identity (id, entity_id, provider, auth_identity_id, created_at, updated_at)",
            format!("'e_' || i, {address}, 'emailpass', 'authid_' || i, {moments}"),
        ),
        (
            "provider_identity (id, entity_id, provider, auth_identity_id, created_at, updated_at)",
            format!("'p_' || i, {number}, 'phonepass', 'authid_' || i, {moments}"),
        ),
    ];
    if is_proven {
        for (channel, value) in [("email", address), ("phone", number)] {
            statements.push((
                "cr_proof (customer_id, channel, value, proven_at)",
                format!("'cus_' || i, '{channel}', {value}, {THEN}"),
            ));
        }
    }
    if standing == Standing::Leaving {
        statements.push((
            "account_deletion_request (id, customer_id, status, deletion_scheduled_at, created_at, updated_at)",
            format!("'adr_' || i, 'cus_' || i, 'confirmed', {THEN}, {moments}"),
        ));
    }
    let mut connection = database.open().await;
    for (table, values) in statements {
        connection.insert_numbered(table, &values, &numbers).await;
    }
    connection.close().await;
}

/// Makes identities that are nobody's yet: their e-mail was registered, and no customer followed.
pub(crate) async fn fill_unclaimed(database: &TestDatabase, numbers: RangeInclusive<u32>) {
    let mut connection = database.open().await;
    for (table, values) in [
        ("auth_identity (id, created_at, updated_at)", format!("'authid_' || i, {THEN}, {THEN}")),
        (
            "provider_identity (id, entity_id, provider, auth_identity_id, created_at, updated_at)",
            format!("'e_' || i, 'c' || i || '@shop.test', 'emailpass', 'authid_' || i, {THEN}, {THEN}"),
        ),
    ] {
        connection.insert_numbered(table, &values, &numbers).await;
    }
    connection.close().await;
}

/// Has the planner know the tables, as a server that runs for longer than a minute does.
pub(crate) async fn analyze(database: &TestDatabase) {
    database.sql("analyze").await;
}

/// Gives everybody the password of somebody who registered: [`PASSWORD`].
pub(crate) async fn give_passwords(shop: &Shop, database: &TestDatabase) {
    let body = json!({"email": "donor@shop.test", "password": PASSWORD});
    let answer = shop.ask(HOME, REGISTER, None, &body).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    database
        .sql(
            "update provider_identity set provider_metadata = \
             (select provider_metadata from provider_identity where entity_id = 'donor@shop.test')",
        )
        .await;
}

/// Marks both contacts of a customer as proven.
pub(crate) async fn prove(database: &TestDatabase, id: &str, email: &str, phone: &str) {
    database
        .sql(&format!(
            "update customer set email_verified = true, phone_verified = true where id = '{id}'; \
             insert into cr_proof (customer_id, channel, value, proven_at) values \
             ('{id}', 'email', '{email}', {THEN}), ('{id}', 'phone', '{phone}', {THEN})"
        ))
        .await;
}

/// Plans the deletion of a customer.
pub(crate) async fn leave(database: &TestDatabase, id: &str) {
    database
        .sql(&format!(
            "insert into account_deletion_request (id, customer_id, status, deletion_scheduled_at, created_at, updated_at) \
             values ('adr_{id}', '{id}', 'confirmed', {THEN}, {THEN}, {THEN})"
        ))
        .await;
}

/// A login token of somebody with [`PASSWORD`], from an address that is no bot's.
pub(crate) async fn log_in(shop: &Shop, email: &str) -> String {
    let answer = shop.ask(HOME, LOGIN, None, &json!({"email": email, "password": PASSWORD})).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    answer.field("/token")
}

/// A customer with [`PASSWORD`] who registered and proved nothing: their registration token and id. They log in by phone, too, as
/// somebody from an import does.
pub(crate) async fn register(shop: &Shop, database: &TestDatabase, email: &str, phone: &str) -> (String, String) {
    let body = json!({"email": email, "password": PASSWORD});
    let token = shop.ask(HOME, REGISTER, None, &body).await.field("/token");
    let body = json!({"email": email, "phone": phone});
    let id = shop.ask(HOME, "/store/customers", Some(&token), &body).await.field("/customer/id");
    database
        .sql(&format!(
            "insert into provider_identity (id, entity_id, provider, auth_identity_id, provider_metadata, created_at, updated_at) \
             select 'phone of {id}', '{phone}', 'phonepass', auth_identity_id, provider_metadata, created_at, updated_at \
             from provider_identity where entity_id = '{email}'"
        ))
        .await;
    (token, id)
}
