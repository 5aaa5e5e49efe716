//! Medusa's `customer_address`: what `GET /store/customers/me` shows, until the customer is erased.

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// One address, fields in the order that Medusa prints them.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerAddress {
    /// `cuaddr_…`.
    pub id: String,
    /// The name that the customer gave it.
    pub address_name: Option<String>,
    /// Whether it is the default for shipping.
    pub is_default_shipping: bool,
    /// Whether it is the default for billing.
    pub is_default_billing: bool,
    /// `company`, `first_name`, `last_name`, `address_1`, `address_2`, `city`, `country_code`, `province`, `postal_code`, `phone`,
    /// in this order.
    pub lines: [Option<String>; 10],
    /// A JSON object.
    pub metadata: Option<Value>,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row was last changed.
    pub updated_at: Timestamp,
}

/// The names of [`CustomerAddress::lines`].
pub const LINES: [&str; 10] = [
    "company",
    "first_name",
    "last_name",
    "address_1",
    "address_2",
    "city",
    "country_code",
    "province",
    "postal_code",
    "phone",
];

/// One address of `customer_address l` as [`Row`], by the database's function for an array.
macro_rules! address {
    ($array:literal) => {
        concat!(
            $array,
            "(l.id, l.address_name, cast(l.is_default_shipping as integer), cast(l.is_default_billing as integer), ",
            $array,
            "(l.company, l.first_name, l.last_name, l.address_1, l.address_2, l.city, l.country_code, l.province, l.postal_code, \
             l.phone), cast(l.metadata as text), l.created_at, l.updated_at)"
        )
    };
}
/// The live addresses of the customer `$1` as the column `addresses`: a JSON array, 1000 of them at most. A row of its own for each
/// would cost those who have none a third of their statement on PostgreSQL; this costs a tenth.
macro_rules! addresses_sqlite {
    () => {
        concat!(
            "(select json_group_array(",
            address!("json_array"),
            ") from (select * from customer_address where customer_id = $1 and deleted_at is null limit 1000) l) as addresses"
        )
    };
}
/// The same on PostgreSQL.
macro_rules! addresses_postgres {
    () => {
        concat!(
            "array_to_json(array(select ",
            address!("json_build_array"),
            " from customer_address l where l.customer_id = $1 and l.deleted_at is null limit 1000)) as addresses"
        )
    };
}

pub(crate) use {address, addresses_postgres, addresses_sqlite};

/// What stands for one address: id, name, whether it is the default for shipping and for billing (0 or 1), [`LINES`], the text of the
/// metadata (which may go as deep by itself as a customer's), when it was made and last changed.
type Row = (String, Option<String>, u8, u8, [Option<String>; 10], Option<String>, Timestamp, Timestamp);

const LIST_SQLITE: &str = concat!("select ", addresses_sqlite!());
const LIST_POSTGRES: &str = concat!("select ", addresses_postgres!());

/// The live addresses of a customer in the order of their ids, 1000 at most.
///
/// # Errors
/// When the statement fails.
pub async fn list(tx: &mut Tx, customer: &CustomerId) -> Result<Vec<CustomerAddress>, DbError> {
    let sql = match tx.handle() {
        Handle::Sqlite(_) => LIST_SQLITE,
        Handle::Postgres(_) => LIST_POSTGRES,
    };
    on!(tx, connection => from_row(&sqlx::query(sql).bind(customer.as_str()).fetch_one(connection).await?, customer))
}

/// The customer's addresses in a row's column `addresses`, in the order of their ids.
///
/// # Errors
/// When the column has another type, or metadata is no JSON.
pub(crate) fn from_row(row: &impl Columns, customer: &CustomerId) -> Result<Vec<CustomerAddress>, DbError> {
    // Neither database brings null: who has none has an empty array.
    let rows: Vec<Row> = row.json("addresses")?.unwrap_or_default();
    let mut addresses = rows.into_iter().map(|row| from_array(row, customer)).collect::<Result<Vec<_>, _>>()?;
    addresses.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    Ok(addresses)
}

/// One of them.
///
/// # Errors
/// When its metadata is no JSON.
fn from_array(row: Row, customer: &CustomerId) -> Result<CustomerAddress, DbError> {
    let (id, address_name, is_default_shipping, is_default_billing, lines, metadata, created_at, updated_at) = row;
    let metadata = metadata.as_deref().map(serde_json::from_str::<Value>).transpose();
    let metadata = metadata.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(CustomerAddress {
        id,
        address_name,
        is_default_shipping: is_default_shipping != 0,
        is_default_billing: is_default_billing != 0,
        lines,
        metadata: metadata.filter(|metadata| !metadata.is_null()),
        customer_id: customer.clone(),
        created_at,
        updated_at,
    })
}

const DELETE_OF_CUSTOMER: &str = "delete from customer_address where customer_id = $1";

/// Deletes every address of a customer for good.
///
/// # Errors
/// When the statement fails.
pub async fn delete_of_customer(tx: &mut Tx, customer: &CustomerId) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(DELETE_OF_CUSTOMER).bind(customer.as_str()).execute(connection).await.map(|_| ()))?;
    Ok(())
}

const SOFT_DELETE_OF_CUSTOMER: &str =
    "update customer_address set deleted_at = $2, updated_at = $2 where customer_id = $1 and deleted_at is null";

/// Soft-deletes every address of a customer, as Medusa's model cascades.
///
/// # Errors
/// When the statement fails.
pub async fn soft_delete_of_customer(tx: &mut Tx, customer: &CustomerId, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(SOFT_DELETE_OF_CUSTOMER)
        .bind(customer.as_str())
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}
