//! One password an account: whichever of its credentials is asked, and whichever way it is changed.

pub mod service;
