//! `/store/customers/otp`.

mod send;
mod verify;
