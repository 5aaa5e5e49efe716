//! Who brought whom.

pub mod code;
pub mod service;
