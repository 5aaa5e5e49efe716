//! `/auth/{actor_type}`.

mod auth_provider;
