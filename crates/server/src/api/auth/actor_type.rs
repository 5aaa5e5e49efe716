//! `/auth/{actor_type}`.

pub mod auth_provider;
