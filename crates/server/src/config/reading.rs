//! The merged, checked tree by typed questions.
//!
//! What is missing gives the type's zero: a missing default is a bug that the test over `config.default.toml` finds, and a
//! value that was wrong has been told already.

use std::path::{Path, PathBuf};

use cr_core::options::{Limit, TemplateSource};
use secrecy::SecretString;

use super::checking::Findings;
use super::node::{Node, Origin, Value};
use super::values;

/// The tree, and what building on it finds.
pub(crate) struct Reader<'t> {
    /// The merged tree.
    pub(crate) tree: &'t Node,
    /// Problems so far; building adds to them.
    pub(crate) findings: Findings,
    /// Sentences for the operator that do not keep the server from starting.
    pub(crate) warnings: Vec<String>,
    /// What only `config check` says.
    pub(crate) notes: Vec<String>,
    /// Whether `NODE_ENV` is `production`.
    pub(crate) production: bool,
    /// The folder of the configuration file, that its relative paths stand in.
    pub(crate) file_dir: PathBuf,
    /// The folder that relative paths of variables stand in.
    pub(crate) working_dir: PathBuf,
}

impl<'t> Reader<'t> {
    /// The value at a path of names.
    pub(crate) fn node(&self, path: &str) -> Option<&'t Node> {
        self.tree.at(path)
    }

    /// Where the value at a path came from.
    pub(crate) fn origin(&self, path: &str) -> Origin {
        self.node(path).map_or(Origin::Missing, |node| node.origin.clone())
    }

    /// Whether a layer above the defaults has this table.
    pub(crate) fn is_set(&self, path: &str) -> bool {
        self.node(path).is_some_and(|node| node.origin != Origin::Default)
    }

    /// Text, if set.
    pub(crate) fn find_text(&self, path: &str) -> Option<String> {
        self.node(path).and_then(Node::text).map(str::to_owned)
    }

    /// Text that has a default.
    pub(crate) fn text(&self, path: &str) -> String {
        self.find_text(path).unwrap_or_default()
    }

    /// A secret, if set.
    pub(crate) fn find_secret(&self, path: &str) -> Option<SecretString> {
        self.find_text(path).map(SecretString::from)
    }

    /// A whole number that has a default.
    pub(crate) fn integer(&self, path: &str) -> i64 {
        self.find_integer(path).unwrap_or(0)
    }

    /// A whole number, if set.
    pub(crate) fn find_integer(&self, path: &str) -> Option<i64> {
        match self.node(path)?.value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// A whole number that has a default and is never negative nor beyond 32 bits, by its range in the table.
    pub(crate) fn size(&self, path: &str) -> usize {
        usize::try_from(self.integer(path)).unwrap_or(0)
    }

    /// A boolean that has a default.
    pub(crate) fn boolean(&self, path: &str) -> bool {
        matches!(self.node(path), Some(Node { value: Value::Boolean(true), .. }))
    }

    /// A limit that has a default; off where it is neither set nor has one.
    pub(crate) fn limit(&self, path: &str) -> Limit {
        self.node(path).and_then(|node| values::limit(&node.value).ok()).unwrap_or_default()
    }

    /// The folder that a relative path in this value stands in.
    pub(crate) fn base_of(&self, node: &Node) -> &Path {
        if matches!(node.origin, Origin::Variable(_)) { &self.working_dir } else { &self.file_dir }
    }

    /// A template, if named, its file made absolute; a file that is not there is told.
    pub(crate) fn find_template(&mut self, path: &str) -> Option<TemplateSource> {
        let node = self.node(path)?;
        let written = node.text()?;
        if written == "builtin" {
            return Some(TemplateSource::BuiltIn);
        }
        let file = self.base_of(node).join(written);
        if !file.is_file() {
            let message = format!("the template `{}` is not there", file.display());
            let fix = "Name a file by its path from the configuration file, or `builtin`.".to_owned();
            self.findings.tell(path, &node.origin, message, fix);
        }
        Some(TemplateSource::File(file))
    }

    /// A template whose default is the built-in one.
    pub(crate) fn template(&mut self, path: &str) -> TemplateSource {
        self.find_template(path).unwrap_or(TemplateSource::BuiltIn)
    }

    /// Tells a problem at a path.
    pub(crate) fn tell(&mut self, path: &str, message: &str, fix: &str) {
        let origin = self.origin(path);
        self.findings.tell(path, &origin, message.to_owned(), fix.to_owned());
    }

    /// Tells that something is missing, at the table that asks for it; silent where the value was there but wrong.
    pub(crate) fn tell_missing(&mut self, path: &str, asked_by: &str, message: &str, fix: &str) {
        if self.findings.is_left_out(path) {
            return;
        }
        let origin = self.origin(asked_by);
        self.findings.tell(path, &origin, message.to_owned(), fix.to_owned());
    }
}
