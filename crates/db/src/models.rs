//! One file a table: its row, its statements.

pub mod cr_outbox;
