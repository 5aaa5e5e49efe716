//! One folder a module of Medusa or of the plugin: the rules over its rows.

pub mod account_deletion_request;
pub mod api_key;
pub mod auth;
pub mod customer;
pub mod customer_registration;
pub mod otp_verification;
pub mod password_management;
pub mod rate_limit;
pub mod referral_link;
