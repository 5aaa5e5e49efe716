//! The product's rules: identities, codes, passwords, messages. Everything but HTTP and SQL.
//!
//! A workflow opens one transaction through [`app::App::begin`], runs its steps on the [`ctx::Ctx`] and commits. A step
//! cannot reach a mail server or any other remote thing, because `Ctx` does not hold one: messages are rows in the outbox,
//! sent later by [`delivery`]. There is deliberately no HTTP here, so that a route, a job, a test or another program can
//! call a workflow alike.

pub mod app;
pub mod code;
pub mod ctx;
pub mod delivery;
pub mod env;
pub mod error;
pub mod events;
pub mod identifiers;
pub mod jobs;
pub mod keys;
pub mod modules;
pub mod options;
pub mod password;
pub mod providers;
pub mod storage;
pub mod subscribers;
pub mod workflows;
