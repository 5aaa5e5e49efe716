//! Guessing what opens an account: codes of one customer, codes of ten thousand, passwords.

mod burst;
mod codes;
mod passwords;
mod swarm;
