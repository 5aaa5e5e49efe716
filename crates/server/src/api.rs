//! The handlers, by URL: `/store/customers/me` is `api/store/customers/me.rs`, its methods are functions. A handler reads its
//! input, runs one workflow, and answers; no rule and no SQL.

pub mod admin;
pub mod auth;
pub mod health;
pub mod store;
