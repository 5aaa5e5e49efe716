//! `/store`.

pub mod customers;
