//! `/store`: the publishable key, and what lies below.

mod customers;
mod publishable_key;
