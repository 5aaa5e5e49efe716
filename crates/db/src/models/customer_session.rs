//! What must be known of who acts as a customer, in one row: the customer, the identity behind it, the wish to leave, and where the
//! shop asks for one, the publishable key.

use cr_types::ids::{AuthIdentityId, CustomerId};
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use crate::error::DbError;
use crate::models::api_key::is_publishable;
use crate::models::customer::{Customer, customer_columns, customer_proofs};
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

/// That row.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The customer.
    pub customer: Customer,
    /// The `app_metadata` of the identity that was named; `None` when that identity is gone.
    pub app_metadata: Option<Option<Value>>,
    /// Whether an account deletion request is pending or confirmed.
    pub is_deletion_active: bool,
    /// When that deletion is due.
    pub deletion_scheduled_at: Option<Timestamp>,
    /// Whether there is anything in `customer_address` to read besides.
    pub has_addresses: bool,
}

/// The columns that [`Session`] reads.
macro_rules! session_columns {
    () => {
        ", a.id as identity_id, a.app_metadata, d.id as deletion_id, d.deletion_scheduled_at, \
         exists (select 1 from customer_address l where l.customer_id = c.id and l.deleted_at is null) as has_addresses"
    };
}
/// What hangs on `customer c` and on the identity `$2`.
macro_rules! session_joins {
    () => {
        " left join auth_identity a on a.id = $2 and a.deleted_at is null \
         left join account_deletion_request d on d.customer_id = c.id and d.status in ('pending', 'confirmed') \
         and d.deleted_at is null"
    };
}

const FIND: &str = concat!(
    "select ",
    customer_columns!(),
    session_columns!(),
    " from customer c ",
    customer_proofs!(),
    session_joins!(),
    " where c.id = $1 and c.deleted_at is null"
);

/// A live customer by id, with an identity by its id, whosever it is, and the active deletion request.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, id: &CustomerId, identity: &AuthIdentityId) -> Result<Option<Session>, DbError> {
    on!(tx, connection => sqlx::query(FIND)
        .bind(id.as_str())
        .bind(identity.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const FIND_WITH_KEY: &str = concat!(
    "select ",
    customer_columns!(),
    session_columns!(),
    ", k.id as key_id from customer c ",
    customer_proofs!(),
    session_joins!(),
    " left join api_key k on ",
    is_publishable!("$3", "$4"),
    " where c.id = $1 and c.deleted_at is null"
);

/// The same, and whether a publishable key is in force. Without such a customer nothing is said of the key.
///
/// # Errors
/// When the statement fails.
pub async fn find_with_key(
    tx: &mut Tx,
    id: &CustomerId,
    identity: &AuthIdentityId,
    key: &str,
    now: Timestamp,
) -> Result<Option<(Session, bool)>, DbError> {
    on!(tx, connection => sqlx::query(FIND_WITH_KEY)
        .bind(id.as_str())
        .bind(identity.as_str())
        .bind(key)
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| Ok((from_row(&row)?, row.optional_text("key_id")?.is_some())))
        .transpose())
}

/// A customer with the columns joined to it; a null id means that there is no such row.
///
/// # Errors
/// When a column has another type.
fn from_row(row: &impl Columns) -> Result<Session, DbError> {
    let app_metadata = match row.optional_text("identity_id")? {
        Some(_) => Some(row.optional_json("app_metadata")?),
        None => None,
    };
    Ok(Session {
        customer: Customer::from_row(row)?,
        app_metadata,
        is_deletion_active: row.optional_text("deletion_id")?.is_some(),
        deletion_scheduled_at: row.optional_time("deletion_scheduled_at")?,
        has_addresses: row.boolean("has_addresses")?,
    })
}
