//! Step `load-template`: which template a purpose's message has. The files themselves were read and checked at start.

use crate::delivery::message::MessageKind;
use crate::modules::otp_verification::service::OtpPurpose;

/// The message that carries a purpose's code.
pub fn run(purpose: OtpPurpose) -> MessageKind {
    match purpose {
        OtpPurpose::EmailVerification => MessageKind::EmailVerification,
        OtpPurpose::PhoneVerification => MessageKind::PhoneVerification,
        OtpPurpose::AccountDeletionRequest => MessageKind::AccountDeletionRequest,
        OtpPurpose::AccountDeletionCancel => MessageKind::AccountDeletionCancel,
    }
}
