//! `cargo xtask seed URL CUSTOMERS`: an empty database becomes a shop with that many customers.
//!
//! The statements are where the other fixtures are, in the test kit (`crates/testkit/src/crowd/`), because nothing that is shipped
//! should be able to make customers up.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command;

/// Builds the tool and runs it.
///
/// # Errors
/// When the arguments are others than two, or the database has customers already, or refuses something.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<()> {
    let [url, customers] = arguments else { bail!("usage: cargo xtask seed URL CUSTOMERS") };
    let tool = ["run", "--release", "--package", "cr-testkit", "--example", "seed", "--", url, customers];
    command::run(root, command::CARGO, &tool)
}
