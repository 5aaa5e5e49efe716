//! `/auth`.

pub mod actor_type;
pub mod session;
pub mod token;
