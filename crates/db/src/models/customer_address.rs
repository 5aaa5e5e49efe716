//! Medusa's `customer_address`: what `GET /store/customers/me` shows, until the customer is erased.

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

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

/// The columns that [`from_row`] reads, from `customer_address l`, under names that a customer's row has room for beside its own.
macro_rules! address_columns {
    () => {
        "l.id as l_id, l.address_name as l_address_name, l.is_default_shipping as l_is_default_shipping, \
         l.is_default_billing as l_is_default_billing, l.company as l_company, l.first_name as l_first_name, \
         l.last_name as l_last_name, l.address_1 as l_address_1, l.address_2 as l_address_2, l.city as l_city, \
         l.country_code as l_country_code, l.province as l_province, l.postal_code as l_postal_code, l.phone as l_phone, \
         l.metadata as l_metadata, l.customer_id as l_customer_id, l.created_at as l_created_at, l.updated_at as l_updated_at"
    };
}
/// Nothing in the place of these, beside a customer.
macro_rules! no_address {
    () => {
        "null as l_id, null as l_address_name, null as l_is_default_shipping, null as l_is_default_billing, null as l_company, \
         null as l_first_name, null as l_last_name, null as l_address_1, null as l_address_2, null as l_city, \
         null as l_country_code, null as l_province, null as l_postal_code, null as l_phone, null as l_metadata, \
         null as l_customer_id, null as l_created_at, null as l_updated_at"
    };
}
/// The columns of [`LINES`] among them.
const LINE_COLUMNS: [&str; 10] = [
    "l_company",
    "l_first_name",
    "l_last_name",
    "l_address_1",
    "l_address_2",
    "l_city",
    "l_country_code",
    "l_province",
    "l_postal_code",
    "l_phone",
];

pub(crate) use {address_columns, no_address};

const LIST: &str = concat!(
    "select ",
    address_columns!(),
    " from customer_address l where l.customer_id = $1 and l.deleted_at is null limit 1000"
);

/// The live addresses of a customer in the order of their ids, 1000 at most.
///
/// # Errors
/// When the statement fails.
pub async fn list(tx: &mut Tx, customer: &CustomerId) -> Result<Vec<CustomerAddress>, DbError> {
    on!(tx, connection => from_rows(&sqlx::query(LIST).bind(customer.as_str()).fetch_all(connection).await?))
}

/// What [`address_columns`] brought, in the order of the ids; a row whose address is null has none.
///
/// # Errors
/// When a column has another type.
pub(crate) fn from_rows(rows: &[impl Columns]) -> Result<Vec<CustomerAddress>, DbError> {
    let mut addresses = Vec::new();
    for row in rows {
        if let Some(id) = row.optional_text("l_id")? {
            addresses.push(from_row(id, row)?);
        }
    }
    addresses.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    Ok(addresses)
}

fn from_row(id: String, row: &impl Columns) -> Result<CustomerAddress, DbError> {
    let mut lines: [Option<String>; 10] = Default::default();
    for (line, name) in lines.iter_mut().zip(LINE_COLUMNS) {
        *line = row.optional_text(name)?;
    }
    Ok(CustomerAddress {
        id,
        address_name: row.optional_text("l_address_name")?,
        is_default_shipping: row.boolean("l_is_default_shipping")?,
        is_default_billing: row.boolean("l_is_default_billing")?,
        lines,
        metadata: row.optional_json("l_metadata")?,
        customer_id: CustomerId::from_stored(row.text("l_customer_id")?),
        created_at: row.time("l_created_at")?,
        updated_at: row.time("l_updated_at")?,
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
