//! What we do ourselves when an event happens; called by [`crate::events::emit`] in its transaction.

pub mod password_reset;
