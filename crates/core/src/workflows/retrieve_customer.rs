//! `GET /store/customers/me`: the customer with flags and addresses.

use std::borrow::Cow;

use cr_db::models::customer::{self, Customer};
use cr_db::models::customer_address::CustomerAddress;
use serde_json::{Map, Value};

use crate::app::App;
use crate::error::Error;
use crate::modules::customer::view;
use crate::workflows::adopt_verification;

/// What the body of a customer is made of.
pub struct Retrieved<'a> {
    /// The customer as the guard has loaded it, or as it is by now.
    pub customer: Cow<'a, Customer>,
    /// Its addresses.
    pub addresses: &'a [CustomerAddress],
}

impl Retrieved<'_> {
    /// The whole body.
    pub fn body(&self) -> Map<String, Value> {
        view::body(&self.customer, self.addresses)
    }
}

/// A customer whom the guard has loaded already, with the addresses. A flag whose contact Medusa's admin changed past us reads
/// false, and is written so; one whose contact Medusa's own verification has confirmed past us becomes true. What is not on
/// the shortest path is boxed: every reader's future would have to make room for it.
///
/// # Errors
/// When a statement fails.
pub async fn run<'a>(
    app: &App,
    customer: &'a Customer,
    addresses: &'a [CustomerAddress],
) -> Result<Retrieved<'a>, Error> {
    if customer.has_stale_flag() {
        Box::pin(correct_flags(app, customer)).await?;
    }
    let adopted = adopt_verification::run(app, customer).await?;
    let customer = adopted.map_or(Cow::Borrowed(customer), Cow::Owned);
    Ok(Retrieved { customer, addresses })
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
