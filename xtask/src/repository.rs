//! Where the repository lies and which files are its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders that hold nothing written by hand (`.git` is a file in a second work tree).
const SKIPPED: [&str; 6] = [".git", "target", "node_modules", ".venv", ".medusa", "proptest-regressions"];

/// One file of the repository, read as text.
pub(crate) struct SourceFile {
    /// Relative to the root, with `/` between the parts: `crates/db/src/lib.rs`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

impl SourceFile {
    /// What stands after the last dot of the name; empty where there is none.
    pub(crate) fn extension(&self) -> &str {
        Path::new(&self.path).extension().and_then(|extension| extension.to_str()).unwrap_or("")
    }

    /// The lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// The folder with the workspace's `Cargo.toml`, known since this program was compiled.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Every text file below `folder` (relative to the root), sorted by path; none where the folder is missing. Files that are
/// not UTF-8, such as pictures, are left out.
///
/// # Errors
/// When a folder or file cannot be read.
pub(crate) fn files(root: &Path, folder: &str) -> Result<Vec<SourceFile>> {
    let mut found = Vec::new();
    let start = root.join(folder);
    if start.exists() {
        collect(root, &start, &mut found)?;
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// The files below `folder` whose name ends in `.rs`.
///
/// # Errors
/// When a folder or file cannot be read.
pub(crate) fn rust_files(root: &Path, folder: &str) -> Result<Vec<SourceFile>> {
    Ok(files(root, folder)?.into_iter().filter(|file| file.extension() == "rs").collect())
}

/// Walks one folder, depth first.
fn collect(root: &Path, folder: &Path, found: &mut Vec<SourceFile>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        if kind.is_dir() {
            collect(root, &entry.path(), found)?;
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
        {
            let path = entry.path().strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            found.push(SourceFile { path, text });
        }
    }
    Ok(())
}
