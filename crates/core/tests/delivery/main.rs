//! Messages from `enqueue` to the socket, on both databases.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot set its stage must fail loudly")]

#![cfg(test)]

mod outbox;
mod smtp;
mod stage;
mod template;
mod web;
mod worker;
