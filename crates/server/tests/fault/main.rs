//! The real program as a process of its own, and everything that may go wrong around it: kills, stops, servers that are away.
//!
//! Slow by nature (real password hashes, real waits between attempts), so each test asks one question.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bulk;
mod crash;
mod customer;
mod events;
mod journey;
mod logs;
mod outage;
mod pages;
mod program;
mod reference;
mod shop;
mod signals;
mod startup;
mod whole;
mod wire;
