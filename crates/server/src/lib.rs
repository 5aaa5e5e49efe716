//! The server: HTTP, configuration, command line.

pub mod config;
