//! What runs by the clock instead of by a request: in every replica, row by row, safe to run twice.

pub mod process_account_deletions;
pub mod prune;
