//! Every route as a client sees it: status and whole body, on both databases. Folders mirror URLs.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod any_input;
mod auth;
mod client;
mod gates;
mod gateway;
mod health;
mod journey;
mod limits;
mod openapi;
mod pages;
mod rotation;
mod round_trips;
mod sameness;
mod seeded;
mod stage;
mod store;
mod token_kinds;
