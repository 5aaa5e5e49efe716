//! `customer_group_customer`: Medusa's memberships of customers in groups, which only a database that Medusa made has.

use cr_types::ids::CustomerId;

use crate::error::DbError;
use crate::tx::{Tx, on};

const DELETE_OF_CUSTOMER: &str = "delete from customer_group_customer where customer_id = $1";

/// Takes a customer out of all groups.
///
/// # Errors
/// When the statement fails, as where there is no such table.
pub async fn delete_of_customer(tx: &mut Tx, customer: &CustomerId) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(DELETE_OF_CUSTOMER).bind(customer.as_str()).execute(connection).await.map(|_| ()))?;
    Ok(())
}
