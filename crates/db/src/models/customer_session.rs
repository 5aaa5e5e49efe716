//! What must be known of who acts as a customer, in one row: the customer, the identity behind it, the wish to leave, the addresses
//! where they are asked for, and where the shop asks for one, the publishable key.

use cr_types::ids::{AuthIdentityId, CustomerId};
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use crate::error::DbError;
use crate::models::api_key::is_publishable;
use crate::models::customer::{Customer, customer_columns};
use crate::models::customer_address::{self, CustomerAddress, address, addresses_postgres, addresses_sqlite};
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

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
    /// The live addresses in the order of their ids, 1000 at most; none where they were not asked for.
    pub addresses: Vec<CustomerAddress>,
}

/// The columns that [`Session`] reads, from `customer c`: each look-up by itself, as in [`customer_columns`]. An identity without
/// metadata has JSON's null, so that SQL's says that there is none; and so a deletion that is not scheduled has 1970.
macro_rules! session_columns {
    () => {
        concat!(
            customer_columns!(),
            ", (select coalesce(a.app_metadata, 'null') from auth_identity a where a.id = $2 and a.deleted_at is null) \
             as app_metadata, \
             (select coalesce(d.deletion_scheduled_at, '1970-01-01T00:00:00.000Z') from account_deletion_request d \
             where d.customer_id = c.id and d.status in ('pending', 'confirmed') and d.deleted_at is null) as deletion"
        )
    };
}
/// Whether the publishable key `$3` is in force at the moment `$4`.
macro_rules! has_key {
    () => {
        concat!(", exists (select 1 from api_key k where ", is_publishable!("$3", "$4"), ") as has_key")
    };
}
/// Which customer.
macro_rules! of_customer {
    () => {
        " from customer c where c.id = $1 and c.deleted_at is null"
    };
}

const FIND: &str = concat!("select ", session_columns!(), of_customer!());
const FIND_WITH_ADDRESSES_SQLITE: &str =
    concat!("select ", session_columns!(), ", ", addresses_sqlite!(), of_customer!());
const FIND_WITH_ADDRESSES_POSTGRES: &str =
    concat!("select ", session_columns!(), ", ", addresses_postgres!(), of_customer!());

/// A live customer by id, with an identity by its id, whosever it is, the active deletion request, and the addresses where they are
/// asked for.
///
/// # Errors
/// When the statement fails.
pub async fn find(
    tx: &mut Tx,
    id: &CustomerId,
    identity: &AuthIdentityId,
    with_addresses: bool,
) -> Result<Option<Session>, DbError> {
    let sql = match (tx.handle(), with_addresses) {
        (_, false) => FIND,
        (Handle::Sqlite(_), true) => FIND_WITH_ADDRESSES_SQLITE,
        (Handle::Postgres(_), true) => FIND_WITH_ADDRESSES_POSTGRES,
    };
    on!(tx, connection => sqlx::query(sql)
        .bind(id.as_str())
        .bind(identity.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row, with_addresses))
        .transpose())
}

const FIND_WITH_KEY: &str = concat!("select ", session_columns!(), has_key!(), of_customer!());
const FIND_WITH_KEY_AND_ADDRESSES_SQLITE: &str =
    concat!("select ", session_columns!(), has_key!(), ", ", addresses_sqlite!(), of_customer!());
const FIND_WITH_KEY_AND_ADDRESSES_POSTGRES: &str =
    concat!("select ", session_columns!(), has_key!(), ", ", addresses_postgres!(), of_customer!());

/// The same, and whether a publishable key is in force. Without such a customer nothing is said of the key.
///
/// # Errors
/// When the statement fails.
pub async fn find_with_key(
    tx: &mut Tx,
    id: &CustomerId,
    identity: &AuthIdentityId,
    with_addresses: bool,
    key: &str,
    now: Timestamp,
) -> Result<Option<(Session, bool)>, DbError> {
    let sql = match (tx.handle(), with_addresses) {
        (_, false) => FIND_WITH_KEY,
        (Handle::Sqlite(_), true) => FIND_WITH_KEY_AND_ADDRESSES_SQLITE,
        (Handle::Postgres(_), true) => FIND_WITH_KEY_AND_ADDRESSES_POSTGRES,
    };
    on!(tx, connection => sqlx::query(sql)
        .bind(id.as_str())
        .bind(identity.as_str())
        .bind(key)
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| Ok((from_row(&row, with_addresses)?, row.boolean("has_key")?)))
        .transpose())
}

/// A customer with what was looked up for it.
///
/// # Errors
/// When a column has another type.
fn from_row(row: &impl Columns, with_addresses: bool) -> Result<Session, DbError> {
    let deletion = row.optional_time("deletion")?;
    let app_metadata = row.json::<Value>("app_metadata")?;
    Ok(Session {
        customer: Customer::from_row(row)?,
        app_metadata: app_metadata.map(|metadata| Some(metadata).filter(|metadata| !metadata.is_null())),
        is_deletion_active: deletion.is_some(),
        deletion_scheduled_at: deletion.filter(|moment| moment.millis() != 0),
        addresses: if with_addresses {
            customer_address::from_row(row, &CustomerId::from_stored(row.text("id")?))?
        } else {
            Vec::new()
        },
    })
}
