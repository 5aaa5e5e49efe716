//! Workflows on both databases: each step fails once, each runs twice, and many run at once.

#![cfg(test)]

mod contact;
mod decisions;
mod deletion;
mod erasure;
mod invariant;
mod job;
mod kill;
mod passwords;
mod proof;
mod races;
mod referrals;
mod rewrites;
mod second_factor;
mod services;
mod shop;
mod steps;
mod takeover;
mod verifications;
