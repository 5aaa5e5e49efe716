//! One folder a module of Medusa or of the plugin: the rules over its rows.

pub mod api_key;
pub mod auth;
pub mod customer;
pub mod otp_verification;
pub mod rate_limit;
