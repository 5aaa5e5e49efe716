//! The server: HTTP in front of `cr_core`'s workflows. No rule and no SQL lives here.
//!
//! A request enters [`dispatch`], which finds its row in the one table of [`routes`], runs the [`middlewares`] in a fixed
//! order and calls the row's handler. What comes back, a [`respond::Reply`] or an error, becomes bytes in [`respond`] alone.
//!
//! ```text
//! let router = cr_server::router(state);
//! let response = router.oneshot(http::Request::get("/health").body(axum::body::Body::empty())?).await?;
//! ```

mod accept;
pub mod access;
pub mod admin;
pub mod api;
pub mod body;
pub mod call;
pub mod cli;
pub mod client_address;
pub mod config;
pub mod credentials;
pub mod dispatch;
pub mod fields;
pub mod gateway;
pub mod jobs;
pub mod json;
pub mod middlewares;
pub mod openapi;
pub mod query;
pub mod respond;
pub mod routes;
pub mod run;
pub mod session;
pub mod start;
pub mod state;
pub mod validation;

pub use dispatch::router;
