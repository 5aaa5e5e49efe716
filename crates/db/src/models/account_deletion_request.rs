//! The plugin's `account_deletion_request`: who asked to be forgotten, and how far that is.

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::row::Columns;
use crate::tx::{Tx, on};

/// The part of an active request that a refused login tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveRequest {
    /// `adr_…`.
    pub id: String,
    /// When the deletion is due.
    pub deletion_scheduled_at: Option<Timestamp>,
}

const FIND_ACTIVE: &str = "select id, deletion_scheduled_at from account_deletion_request \
     where customer_id = $1 and status in ('pending', 'confirmed') and deleted_at is null";

/// A customer's pending or confirmed request.
///
/// # Errors
/// When the statement fails.
pub async fn find_active(tx: &mut Tx, customer: &CustomerId) -> Result<Option<ActiveRequest>, DbError> {
    on!(tx, connection => sqlx::query(FIND_ACTIVE)
        .bind(customer.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

fn from_row(row: &impl Columns) -> Result<ActiveRequest, DbError> {
    Ok(ActiveRequest { id: row.text("id")?, deletion_scheduled_at: row.optional_time("deletion_scheduled_at")? })
}
