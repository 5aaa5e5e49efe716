//! `/auth`.

mod actor_type;
mod session;
mod token;
