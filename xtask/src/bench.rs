//! How fast the release program is on this machine: a table to read, not a test.

use std::path::Path;

use anyhow::Result;

/// Builds the release program and prints the table.
///
/// # Errors
/// When it does not build or a measurement fails.
pub(crate) fn run(_root: &Path, _flags: &[&str]) -> Result<()> {
    anyhow::bail!("not there yet")
}
