//! What talks to the outside: auth providers judge credentials, notification providers send.

pub mod notification;
