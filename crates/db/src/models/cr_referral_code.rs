//! `cr_referral_code`: what a customer gives to friends instead of an id.

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

const FIND: &str = "select code from cr_referral_code where customer_id = $1";

/// A customer's code.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, customer: &CustomerId) -> Result<Option<String>, DbError> {
    Ok(on!(tx, connection => sqlx::query_scalar::<_, String>(FIND)
        .bind(customer.as_str())
        .fetch_optional(connection)
        .await?))
}

const FIND_CUSTOMER: &str = "select customer_id from cr_referral_code where code = $1";

/// Whose code it is.
///
/// # Errors
/// When the statement fails.
pub async fn find_customer(tx: &mut Tx, code: &str) -> Result<Option<CustomerId>, DbError> {
    let id = on!(tx, connection => sqlx::query_scalar::<_, String>(FIND_CUSTOMER)
        .bind(code)
        .fetch_optional(connection)
        .await?);
    Ok(id.map(CustomerId::from_stored))
}

const INSERT: &str =
    "insert into cr_referral_code (customer_id, code, created_at) values ($1, $2, $3) on conflict do nothing";

/// Gives a customer a code; false when they have one already, or somebody else has this one.
///
/// # Errors
/// When the statement fails.
pub async fn insert(tx: &mut Tx, customer: &CustomerId, code: &str, now: Timestamp) -> Result<bool, DbError> {
    let written = on!(tx, connection => sqlx::query(INSERT)
        .bind(customer.as_str())
        .bind(code)
        .bind(Stamp(now))
        .execute(connection)
        .await?
        .rows_affected());
    Ok(written > 0)
}
