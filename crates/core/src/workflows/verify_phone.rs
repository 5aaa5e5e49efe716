//! Workflow `verify-phone`: records that a customer's present phone is proven. For programs that made sure of it themselves; a
//! storefront's code goes through [`super::verify_otp`].

use cr_db::models::customer_address;
use cr_types::ids::CustomerId;
use serde_json::{Map, Value};

use crate::app::App;
use crate::error::Error;
use crate::events::{self, Event};
use crate::modules::customer::view;
use crate::modules::otp_verification::service::OtpVerificationService;

/// What is true now.
pub struct Output {
    /// Whose.
    pub customer_id: CustomerId,
    /// Always true.
    pub phone_verified: bool,
    /// The customer.
    pub customer: Map<String, Value>,
}

/// Proves the phone.
///
/// # Errors
/// As [`OtpVerificationService::update_phone_verified`].
pub async fn run(app: &App, customer_id: &CustomerId) -> Result<Output, Error> {
    let mut cx = app.begin().await?;
    cx.step("verify-phone")?;
    let customer = OtpVerificationService::update_phone_verified(&mut cx, customer_id).await?;
    let addresses = customer_address::list(&mut cx.tx, customer_id).await?;
    events::emit(&mut cx, Event::CustomerPhoneVerified { id: customer_id.clone() }).await?;
    cx.commit().await?;
    Ok(Output { customer_id: customer_id.clone(), phone_verified: true, customer: view::body(&customer, &addresses) })
}
