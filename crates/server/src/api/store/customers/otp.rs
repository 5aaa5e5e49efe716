//! `/store/customers/otp`.

pub mod send;
pub mod verify;
