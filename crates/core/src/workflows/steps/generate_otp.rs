//! Step `generate-otp`: a code and its row, which the step `send-notification` writes.

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::otp_verification::service::{NewOtp, PreparedOtp};

/// Makes the code.
///
/// # Errors
/// Only when a test injected a failure at this step.
pub fn run(cx: &Ctx, new: &NewOtp<'_>) -> Result<PreparedOtp, Error> {
    cx.step("generate-otp")?;
    Ok(PreparedOtp::new(cx, new))
}
