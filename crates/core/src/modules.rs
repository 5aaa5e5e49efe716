//! One folder a module of Medusa or of the plugin: the rules over its rows.

pub mod auth;
