//! Step `retrieve-customer`: the account that a workflow is about.

use cr_db::models::customer::{self, Customer};
use cr_types::ids::CustomerId;

use crate::ctx::Ctx;
use crate::error::Error;

/// The customer of an id, if it lives and has an account: a guest counts as unknown.
///
/// # Errors
/// When the statement fails.
pub async fn run(cx: &mut Ctx, id: &CustomerId) -> Result<Option<Customer>, Error> {
    cx.step("retrieve-customer")?;
    Ok(customer::find(&mut cx.tx, id).await?.filter(|customer| customer.has_account))
}

/// Medusa's 404 for an id that nobody has.
pub fn not_found(id: &CustomerId) -> Error {
    Error::not_found(format!("Customer with id: {id} was not found"))
}
