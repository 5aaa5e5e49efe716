//! Messages: enqueued in a transaction, rendered, sealed, sent later by a worker, retried by class.
//!
//! The way of a message: [`message::enqueue`] renders it with [`template::Templates`] and writes a sealed row;
//! [`worker::Worker`] claims the row, hands it to the provider of its channel with no transaction open, and settles it by
//! what [`retry`] says. Deliberately not here: who may get a message and how often, which is the workflows' to decide.

pub mod message;
pub mod notice;
pub mod payload;
pub mod retry;
pub mod template;
mod template_check;
pub mod text;
pub mod worker;
