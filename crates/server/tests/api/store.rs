//! `/store`: the publishable key, and what lies below.

mod customers;
mod my_referrals;
mod publishable_key;
