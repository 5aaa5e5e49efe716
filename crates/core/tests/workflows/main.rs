//! Workflows on both databases: each step fails once, each runs twice, and many run at once.

mod proof;
mod races;
mod shop;
mod steps;
