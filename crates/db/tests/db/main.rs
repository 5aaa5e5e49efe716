//! Statements and migrations on real databases of both kinds.

mod migrate;
