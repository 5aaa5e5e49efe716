//! Files that are made from the source: the server's crate writes them, this puts them in place or compares them.
//!
//! The server's crate knows its options and routes; its example `generate-docs FOLDER` writes every generated file of `docs/` into that
//! folder under the name it has there.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command;

/// Writes the generated files into `docs/`.
///
/// # Errors
/// When the server does not build or cannot write.
pub(crate) fn write(root: &Path) -> Result<()> {
    generate(root, &root.join("docs"))
}

/// Names the generated files under `docs/` that are not what the source says now; empty when all are.
///
/// # Errors
/// When the server does not build, or a file cannot be read.
pub(crate) fn stale(root: &Path) -> Result<Vec<String>> {
    let scratch = std::env::temp_dir().join(format!("customer-registration-codegen-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let result = generate(root, &scratch).and_then(|()| differing(&scratch, &root.join("docs")));
    fs::remove_dir_all(&scratch).with_context(|| format!("could not remove {}", scratch.display()))?;
    result
}

/// Lets the server's crate write the generated files into `folder`.
fn generate(root: &Path, folder: &Path) -> Result<()> {
    let target = folder.to_string_lossy();
    let example = ["--package", "customer-registration", "--example", "generate-docs"];
    let arguments = [&["run", "--quiet"], example.as_slice(), &["--", target.as_ref()]].concat();
    command::run(root, command::CARGO, &arguments)
}

/// The names of files in `made` whose twin in `kept` is missing or other.
fn differing(made: &Path, kept: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(made)? {
        let entry = entry?;
        let twin = kept.join(entry.file_name());
        if !twin.exists() || fs::read(entry.path())? != fs::read(twin)? {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
