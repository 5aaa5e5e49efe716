//! `customer_group_customer`: Medusa's memberships of customers in groups, which only a database that Medusa made has.

use cr_types::ids::CustomerId;

use crate::error::DbError;
use crate::tx::{Handle, Tx, on};

const HAS_TABLE_SQLITE: &str =
    "select exists (select 1 from sqlite_master where type = 'table' and name = 'customer_group_customer')";
const HAS_TABLE_POSTGRES: &str = "select to_regclass('customer_group_customer') is not null";

/// Whether there is such a table.
///
/// # Errors
/// When the statement fails.
pub async fn has_table(tx: &mut Tx) -> Result<bool, DbError> {
    Ok(match tx.handle() {
        Handle::Sqlite(connection) => sqlx::query_scalar(HAS_TABLE_SQLITE).fetch_one(connection).await?,
        Handle::Postgres(connection) => sqlx::query_scalar(HAS_TABLE_POSTGRES).fetch_one(connection).await?,
    })
}

const DELETE_OF_CUSTOMER: &str = "delete from customer_group_customer where customer_id = $1";

/// Takes a customer out of all groups.
///
/// # Errors
/// When the statement fails, as where there is no such table.
pub async fn delete_of_customer(tx: &mut Tx, customer: &CustomerId) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(DELETE_OF_CUSTOMER).bind(customer.as_str()).execute(connection).await.map(|_| ()))?;
    Ok(())
}
