//! What only Node can show: that Medusa's own packages read what this product writes, and the other way round.

#![cfg(test)]

mod companion;
mod helpers;
mod journey;
mod packages;
mod running;
#[path = "../support/mod.rs"]
mod support;
