//! What only Node can show: that Medusa's own packages read what this product writes, and the other way round.

#![cfg(test)]

mod packages;
