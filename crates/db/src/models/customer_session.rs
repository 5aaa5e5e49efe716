//! What must be known of who acts as a customer, in one row: the customer, the identity behind it, the wish to leave, and where the
//! shop asks for one, the publishable key. Addresses, where they are asked for, are rows below it.

use cr_types::ids::{AuthIdentityId, CustomerId};
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use crate::error::DbError;
use crate::models::api_key::is_publishable;
use crate::models::customer::{Customer, customer_columns, customer_proofs};
use crate::models::customer_address::{self, CustomerAddress, address_columns, no_address};
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
    /// The live addresses in the order of their ids, 1000 at most; none where they were not asked for.
    pub addresses: Vec<CustomerAddress>,
}

/// The columns that [`Session`] reads.
macro_rules! session_columns {
    () => {
        concat!(
            customer_columns!(),
            ", a.id as identity_id, a.app_metadata, d.id as deletion_id, d.deletion_scheduled_at"
        )
    };
}
/// `customer c`, and what hangs on it and on the identity `$2`.
macro_rules! session_tables {
    () => {
        concat!(
            " from customer c ",
            customer_proofs!(),
            " left join auth_identity a on a.id = $2 and a.deleted_at is null \
             left join account_deletion_request d on d.customer_id = c.id and d.status in ('pending', 'confirmed') \
             and d.deleted_at is null"
        )
    };
}
/// The key `$3` at the moment `$4`.
macro_rules! session_key {
    () => {
        concat!(" left join api_key k on ", is_publishable!("$3", "$4"))
    };
}
/// Which customer.
macro_rules! is_customer {
    () => {
        " where c.id = $1 and c.deleted_at is null"
    };
}

/// Nothing in the place of [`session_columns`], above an address.
macro_rules! no_session {
    () => {
        "null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null"
    };
}
/// The live addresses of the customer, a row each. Joined to the customer, each would bring the customer's metadata along.
macro_rules! session_addresses {
    () => {
        " from customer_address l where l.customer_id = $1 and l.deleted_at is null limit 1001"
    };
}

const FIND: &str = concat!("select ", session_columns!(), session_tables!(), is_customer!());

const FIND_WITH_ADDRESSES: &str = concat!(
    "select ",
    session_columns!(),
    ", ",
    no_address!(),
    session_tables!(),
    is_customer!(),
    " union all select ",
    no_session!(),
    ", ",
    address_columns!(),
    session_addresses!()
);

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
    let sql = if with_addresses { FIND_WITH_ADDRESSES } else { FIND };
    on!(tx, connection => {
        let rows = sqlx::query(sql).bind(id.as_str()).bind(identity.as_str()).fetch_all(connection).await?;
        Ok(from_rows(&rows, with_addresses)?.map(|(session, _)| session))
    })
}

const FIND_WITH_KEY: &str =
    concat!("select ", session_columns!(), ", k.id as key_id", session_tables!(), session_key!(), is_customer!());

const FIND_WITH_KEY_AND_ADDRESSES: &str = concat!(
    "select ",
    session_columns!(),
    ", k.id as key_id, ",
    no_address!(),
    session_tables!(),
    session_key!(),
    is_customer!(),
    " union all select ",
    no_session!(),
    ", null, ",
    address_columns!(),
    session_addresses!()
);

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
    let sql = if with_addresses { FIND_WITH_KEY_AND_ADDRESSES } else { FIND_WITH_KEY };
    on!(tx, connection => {
        let query = sqlx::query(sql).bind(id.as_str()).bind(identity.as_str()).bind(key).bind(Stamp(now));
        let rows = query.fetch_all(connection).await?;
        let Some((session, row)) = from_rows(&rows, with_addresses)? else { return Ok(None) };
        Ok(Some((session, row.optional_text("key_id")?.is_some())))
    })
}

/// The customer and the row that has it; `None` without one, whatever addresses are left.
///
/// # Errors
/// When a column has another type.
fn from_rows<R: Columns>(rows: &[R], with_addresses: bool) -> Result<Option<(Session, &R)>, DbError> {
    for row in rows {
        if row.optional_text("id")?.is_none() {
            continue;
        }
        let mut session = from_row(row)?;
        if with_addresses {
            session.addresses = customer_address::from_rows(rows)?;
        }
        return Ok(Some((session, row)));
    }
    Ok(None)
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
        addresses: Vec::new(),
    })
}
