//! `/auth/token`.

pub mod refresh;
