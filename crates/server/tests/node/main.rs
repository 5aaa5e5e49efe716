//! What only Node can show: that Medusa's own packages read what this product writes, and the other way round.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../harness/mod.rs"]
mod harness;
mod journey;
mod packages;
