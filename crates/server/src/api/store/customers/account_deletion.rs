//! `/store/customers/account-deletion`.

pub mod cancel_confirm;
pub mod cancel_request;
pub mod confirm;
pub mod request;
