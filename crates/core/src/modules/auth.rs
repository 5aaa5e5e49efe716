//! Auth identities, tokens, passwords.

pub mod credential;
pub mod login_failures;
pub mod session;
pub mod token;
