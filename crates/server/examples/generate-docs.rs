//! Writes what is generated of `docs/` into a folder, under the name that it has there: `generate-docs FOLDER`.
//!
//! `cargo xtask codegen` asks for it. It is no command of the program, which would carry the makings of its documents beside the
//! documents.

use std::path::Path;

use anyhow::{Context, Result};
use cr_server::config::commands;
use cr_server::openapi;

/// Writes the files.
fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("generate-docs FOLDER")?;
    let folder = Path::new(&folder);
    std::fs::write(folder.join("CONFIGURATION.md"), commands::markdown())?;
    std::fs::write(folder.join("config.schema.json"), commands::schema())?;
    let document = serde_json::to_string_pretty(&openapi::document())?;
    std::fs::write(folder.join("openapi.json"), format!("{document}\n"))?;
    Ok(())
}
