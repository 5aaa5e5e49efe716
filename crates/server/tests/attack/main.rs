//! The server as a real adversary with many addresses would attack it: each test is an attack, prints what came of it, and fails
//! when the attack gets more than the limits promise. `docs/ATTACKS.md` has the figures of full runs.
//!
//! Limits stand at their defaults, time is frozen and moved on by hand. A plain run is a short attack; with `ATTACK_FULL=1` in the
//! environment it goes on as long as the document says.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod enumeration;
mod guessing;
mod people;
mod shop;
mod spending;
mod statistics;
mod stolen;

/// Whether the long attacks were asked for.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration file")]
pub(crate) fn is_full() -> bool {
    std::env::var_os("ATTACK_FULL").is_some_and(|value| value == "1")
}
