//! The real program while what it stands on goes wrong for a while: the way to the database, the database's machine, the disk,
//! other replicas. What must hold, and what was measured, is in `docs/FAULTS.md`.
//!
//! A plain run takes seconds a test; with `CHAOS_FULL=1` in the environment each goes on as long as the document says.

#![cfg(test)]

mod disk;
mod failover;
mod load;
mod network;
mod replicas;
#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its part")]
#[path = "../fault/customer.rs"]
mod customer;
#[allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its part")]
#[path = "../fault/program.rs"]
mod program;
#[allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its part")]
#[path = "../fault/shop.rs"]
mod shop;
#[allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its part")]
#[path = "../fault/whole.rs"]
mod whole;
#[allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its part")]
#[path = "../fault/wire.rs"]
mod wire;

/// Whether the long runs were asked for.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration file")]
pub(crate) fn is_full() -> bool {
    std::env::var_os("CHAOS_FULL").is_some_and(|value| value == "1")
}
