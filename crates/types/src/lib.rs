//! What goes over the wire, and the few values that every crate shares.
//!
//! The request and answer bodies are one definition, used by the server, by the Rust client and by the tests. There is
//! deliberately no I/O here, no SQL type and no rule beyond parsing: rows are `cr-db`'s, rules are `cr-core`'s.
//!
//! ```
//! use cr_types::timestamp::Timestamp;
//!
//! let moment: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
//! assert_eq!(serde_json::to_string(&moment).unwrap(), "\"2026-01-02T03:04:05.678Z\"");
//! ```

pub mod error;
pub mod http;
pub mod ids;
pub mod timestamp;
