//! One-time codes: made, stored as a keyed hash, guessed at most so often, used once.

pub mod guess;
pub mod sending;
pub mod service;
