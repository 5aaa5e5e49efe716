//! Statements and migrations on real databases of both kinds.

#![cfg(test)]

mod cr_outbox;
mod migrate;
