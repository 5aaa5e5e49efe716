//! Messages from `enqueue` to the socket, on both databases.

#![cfg(test)]

mod events;
mod outbox;
mod sms;
mod smtp;
mod stage;
mod template;
mod web;
mod worker;
