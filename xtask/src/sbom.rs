//! The bill of materials of what is shipped: every crate in the program, with version, licence and checksum, as `CycloneDX`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::command;

/// How to get the program that reads Cargo's lock file.
const INSTALL: &str = "cargo-cyclonedx is missing: `cargo install --locked cargo-cyclonedx --version 0.5.9`";
/// What the file of each crate is called that the program writes beside the crate.
const NAME: &str = "customer-registration.cdx";
/// Where the one of the program goes, below the root.
const PLACE: &str = "target/sbom";

/// Writes `target/sbom/customer-registration.cdx.json` for the platform that it runs on. No path of this machine is in it.
///
/// # Errors
/// When cargo-cyclonedx is missing or fails, or a file cannot be written.
pub(crate) fn write(root: &Path) -> Result<()> {
    if command::output(root, command::CARGO, &["cyclonedx", "--version"]).is_err() {
        bail!(INSTALL);
    }
    let arguments = ["cyclonedx", "--format", "json", "--spec-version", "1.5", "--override-filename", NAME];
    command::run(root, command::CARGO, &arguments)?;
    let file = format!("{NAME}.json");
    let text =
        fs::read_to_string(root.join("crates/server").join(&file)).context("no bill of the program was written")?;
    // It writes one for each crate of the workspace.
    for written in fs::read_dir(root.join("crates"))? {
        remove(&written?.path().join(&file))?;
    }
    remove(&root.join("xtask").join(&file))?;
    let folder = root.join(PLACE);
    fs::create_dir_all(&folder)?;
    let root = root.to_str().context("the path of this repository is no UTF-8")?;
    fs::write(folder.join(&file), text.replace(root, ""))?;
    println!("{PLACE}/{file}");
    Ok(())
}

/// Deletes a file, if it is there.
///
/// # Errors
/// When it is there and stays.
fn remove(file: &Path) -> Result<()> {
    if file.exists() {
        fs::remove_file(file).with_context(|| format!("could not remove {}", file.display()))?;
    }
    Ok(())
}
