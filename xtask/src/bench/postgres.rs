//! The PostgreSQL server under measurement, and databases on it that are dropped again.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::held::Held;

/// A server whose commits are durable, or the one that `--postgres` names.
pub(crate) struct Server {
    examples: PathBuf,
    url: String,
    /// Ends the server when dropped, where it is ours.
    _held: Option<Held>,
}

impl Server {
    /// Starts one with PostgreSQL's defaults but for these settings (`-c`, `name=value`, …), unless another is named, whose role must be
    /// one that may create databases.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(examples: &Path, named: Option<&str>, settings: &[&str]) -> Result<Self> {
        let (url, held) = if let Some(url) = named {
            (url.to_owned(), None)
        } else {
            let mut held = Held::start(&examples.join("durable-postgres"), settings, None)?;
            (held.line()?, Some(held))
        };
        Ok(Self { examples: examples.to_path_buf(), url, _held: held })
    }

    /// For programs that make databases for themselves.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its version, and whether it keeps what it commits.
    ///
    /// # Errors
    /// When no database can be made on it.
    pub(crate) fn about(&self) -> Result<String> {
        Ok(self.lend()?.about)
    }

    /// A new, empty database.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn lend(&self) -> Result<Lent> {
        let mut held = Held::start(&self.examples.join("lend-postgres"), &[], Some(&self.url))?;
        Ok(Lent { url: held.line()?, about: held.line()?, _held: held })
    }
}

/// A database, dropped with the value.
pub(crate) struct Lent {
    /// `postgres://…`.
    pub(crate) url: String,
    /// The server's version, and whether it keeps what it commits.
    pub(crate) about: String,
    _held: Held,
}
