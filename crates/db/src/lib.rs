//! Every row and every statement, on SQLite and on PostgreSQL.
//!
//! The only crate that names `sqlx`. A model file holds a row, its statements and one function a statement; one SQL text
//! serves both databases but for the few that stand side by side as `…_SQLITE` and `…_POSTGRES`. Rules are `cr-core`'s:
//! nothing here decides more than a statement's own guard. Absent is `Ok(None)`; a row that cannot be read is an error.
//! Time is always a bound parameter.

pub mod copy;
pub mod error;
mod held;
pub mod migrate;
pub mod models;
mod places;
pub mod pool;
mod readers;
mod row;
mod stamp;
pub mod tx;
mod writer;

pub use error::DbError;
pub use places::PLACE_TIMEOUT;
pub use pool::{Database, DatabaseKind, DatabaseSettings};
pub use tx::Tx;
