//! Step `resolve-channel-config`: the section of the options that a purpose is configured by.

use crate::error::Error;
use crate::modules::otp_verification::service::OtpPurpose;
use crate::options::{Options, OtpSection};

/// The purpose's section.
///
/// # Errors
/// 400, the plugin's sentence, when there is none.
pub fn run(options: &Options, purpose: OtpPurpose) -> Result<&OtpSection, Error> {
    let section = match purpose {
        OtpPurpose::EmailVerification => &options.email_verification,
        OtpPurpose::PhoneVerification => &options.phone_verification,
        OtpPurpose::AccountDeletionRequest => &options.account_deletion_request,
        OtpPurpose::AccountDeletionCancel => &options.account_deletion_cancel,
    };
    section
        .as_ref()
        .ok_or_else(|| Error::not_allowed(format!("OTP channel configuration not found for {}", purpose.as_str())))
}
