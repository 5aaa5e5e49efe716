//! Requests to delete an account: at most one of a customer is active.

pub mod counts;
pub mod service;
