//! Statements and migrations on real databases of both kinds.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage must fail loudly")]

mod copy;
mod cr_outbox;
mod migrate;
mod plans;
mod statements;
mod writers;
