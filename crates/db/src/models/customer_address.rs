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

const LIST: &str = "select id, address_name, is_default_shipping, is_default_billing, company, first_name, last_name, \
     address_1, address_2, city, country_code, province, postal_code, phone, metadata, customer_id, created_at, updated_at \
     from customer_address where customer_id = $1 and deleted_at is null order by id limit 1000";

/// The live addresses of a customer by id, 1000 at most.
///
/// # Errors
/// When the statement fails.
pub async fn list(tx: &mut Tx, customer: &CustomerId) -> Result<Vec<CustomerAddress>, DbError> {
    on!(tx, connection => sqlx::query(LIST)
        .bind(customer.as_str())
        .fetch_all(connection)
        .await?
        .iter()
        .map(from_row)
        .collect())
}

fn from_row(row: &impl Columns) -> Result<CustomerAddress, DbError> {
    let mut lines: [Option<String>; 10] = Default::default();
    for (line, name) in lines.iter_mut().zip(LINES) {
        *line = row.optional_text(name)?;
    }
    Ok(CustomerAddress {
        id: row.text("id")?,
        address_name: row.optional_text("address_name")?,
        is_default_shipping: row.boolean("is_default_shipping")?,
        is_default_billing: row.boolean("is_default_billing")?,
        lines,
        metadata: row.optional_json("metadata")?,
        customer_id: CustomerId::from_stored(row.text("customer_id")?),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
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
