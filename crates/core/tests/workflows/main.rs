//! Workflows on both databases: each step fails once, each runs twice, and many run at once.

#![cfg(test)]

mod proof;
mod races;
mod rewrites;
mod second_factor;
mod shop;
mod steps;
mod takeover;
