//! `/admin`.

pub mod account_deletion_requests;
pub mod customers;
