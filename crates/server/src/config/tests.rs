//! The configuration as a whole: from sources to a [`Config`] or to the list of all that is wrong.

mod environment;
mod files;
mod generated;
mod options;
mod production;
mod secrets;

use std::path::Path;

use super::{Config, Problem, Sources};

/// A production environment in which nothing is missing.
const PRODUCTION: &[(&str, &str)] = &[
    ("NODE_ENV", "production"),
    ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
    ("COOKIE_SECRET", "fedcba9876543210fedcba9876543210"),
    (
        "CUSTOMER_REGISTRATION__NOTIFICATION__PROVIDERS",
        r#"[{"id":"webhook","channels":["email","sms"],"options":{"url":"https://hooks.example.com","secret":"s"}}]"#,
    ),
];

/// A folder with one configuration file, and sources that name it.
struct Folder {
    directory: tempfile::TempDir,
    sources: Sources,
}

impl Folder {
    /// An empty folder and an empty environment.
    fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources::bare(directory.path());
        Self { directory, sources }
    }

    /// A folder with this file, named by `--config`.
    fn with(name: &str, text: &str) -> Self {
        let mut folder = Self::empty();
        folder.write(name, text);
        folder.sources.config_path = Some(name.into());
        folder
    }

    /// A folder with this TOML text as its file.
    fn toml(text: &str) -> Self {
        Self::with("config.toml", text)
    }

    /// Adds variables.
    fn env(mut self, variables: &[(&str, &str)]) -> Self {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.sources.environment.extend(owned);
        self
    }

    /// Writes a file into the folder.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    /// The folder.
    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Loads what must be right.
    fn right(&self) -> Config {
        Config::load(&self.sources).unwrap_or_else(|problems| panic!("{}", super::commands::told(&problems)))
    }

    /// Loads what must be wrong.
    fn wrong(&self) -> Vec<Problem> {
        Config::load(&self.sources).err().unwrap_or_else(|| panic!("nothing was found wrong"))
    }
}

/// Problems as `path (origin): message`, without fixes.
fn lines(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| problem.to_string().lines().next().unwrap_or_default().to_owned()).collect()
}

/// Asserts that exactly these problems are found, in this order.
#[track_caller]
fn check_wrong(folder: &Folder, expected: &[&str]) {
    assert_eq!(lines(&folder.wrong()), expected);
}
