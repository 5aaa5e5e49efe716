//! Step `generate-contact-change-otp`: a code for a contact that the customer does not have yet, sealed into the code's row, which the
//! step `send-notification` writes.

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::otp_verification::service::{NewOtp, PreparedOtp};

/// Makes the code.
///
/// # Errors
/// As [`PreparedOtp::for_contact_change`]; and when a test injected a failure at this step.
pub fn run(cx: &Ctx, new: &NewOtp<'_>) -> Result<PreparedOtp, Error> {
    cx.step("generate-contact-change-otp")?;
    PreparedOtp::for_contact_change(cx, new)
}
