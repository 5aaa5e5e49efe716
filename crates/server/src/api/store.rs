//! `/store`.

pub mod customers;
pub mod my_referrals;
