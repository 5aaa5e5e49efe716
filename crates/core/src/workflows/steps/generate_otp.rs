//! Step `generate-otp`: a code and its row.

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::otp_verification::service::{GeneratedOtp, NewOtp, OtpVerificationService};

/// Makes the code.
///
/// # Errors
/// When the statement fails.
pub async fn run(cx: &mut Ctx, new: &NewOtp<'_>) -> Result<GeneratedOtp, Error> {
    cx.step("generate-otp")?;
    OtpVerificationService::generate_otp_with_code(cx, new).await
}
