//! One file a table: its row, its statements.
