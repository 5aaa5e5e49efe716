//! Where a program that embeds this one takes part in registrations.

pub mod service;
