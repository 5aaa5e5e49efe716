//! `/auth/token`.

mod refresh;
