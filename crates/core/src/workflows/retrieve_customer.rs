//! `GET /store/customers/me`: the customer with flags and addresses.

use cr_db::models::customer::{self, Customer};
use cr_db::models::customer_address;
use serde_json::{Map, Value};

use crate::app::App;
use crate::error::Error;
use crate::modules::customer::view;
use crate::workflows::adopt_verification;

/// The whole body of a customer that the guard has loaded already. A flag whose contact Medusa's admin changed past us reads
/// false, and is written so; one whose contact Medusa's own verification has confirmed past us becomes true.
///
/// # Errors
/// When a statement fails.
pub async fn run(app: &App, customer: &Customer, with_addresses: bool) -> Result<Map<String, Value>, Error> {
    if customer.has_stale_flag() {
        correct_flags(app, customer).await?;
    }
    let adopted = adopt_verification::run(app, customer).await?;
    let customer = adopted.as_ref().unwrap_or(customer);
    if !with_addresses {
        return Ok(view::body(customer, &[]));
    }
    let mut tx = app.db.read().await?;
    let addresses = customer_address::list(&mut tx, &customer.id).await?;
    tx.commit().await?;
    Ok(view::body(customer, &addresses))
}

/// Writes flags as false whose contact somebody changed past us, if they still are when the row is locked.
///
/// # Errors
/// When a statement fails.
async fn correct_flags(app: &App, customer: &Customer) -> Result<(), Error> {
    let mut cx = app.begin().await?;
    customer::lock(&mut cx.tx, &customer.id).await?;
    if let Some(present) = customer::find(&mut cx.tx, &customer.id).await?
        && present.has_stale_flag()
    {
        let (email, phone) = (present.is_email_verified(), present.is_phone_verified());
        customer::update_flags(&mut cx.tx, &present.id, email, phone, cx.now).await?;
    }
    cx.commit().await
}
