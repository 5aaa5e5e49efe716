//! Step `generate-contact-change-otp`: a code for a contact that the customer does not have yet, sealed into the code's row.

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::otp_verification::service::{GeneratedOtp, NewOtp, OtpVerificationService};

/// Makes the code.
///
/// # Errors
/// When the statement fails.
pub async fn run(cx: &mut Ctx, new: &NewOtp<'_>) -> Result<GeneratedOtp, Error> {
    cx.step("generate-contact-change-otp")?;
    OtpVerificationService::generate_otp_for_contact_change(cx, new).await
}
