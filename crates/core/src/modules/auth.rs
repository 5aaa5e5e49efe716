//! Auth identities, tokens, passwords.

pub mod token;
