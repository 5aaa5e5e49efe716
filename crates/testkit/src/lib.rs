//! Placeholder.
#![expect(clippy::expect_used, reason = "a test that cannot set its stage must fail loudly")]

pub mod node;
