//! The value tree that every source (TOML, YAML, JSON, environment) is read into, each value with where it came from.
//!
//! Nothing here knows which keys exist; that is [`super::keys`].

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `config.default.toml`, compiled in.
    Default,
    /// `config.development.toml`, compiled in.
    Development,
    /// A line (from 1) of a configuration file; 0: the file as a whole.
    File {
        /// The path as given.
        file: Arc<str>,
        /// From 1; 0 when no one line is meant.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A file that a `…_FILE` variable or key names.
    SecretFile {
        /// The variable or key that names it.
        named_by: String,
        /// The file.
        path: PathBuf,
    },
    /// Nowhere: a value that is missing.
    Missing,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Development => formatter.write_str("development default"),
            Self::File { file, line: 0 } => formatter.write_str(file),
            Self::File { file, line } => write!(formatter, "{file}:{line}"),
            Self::Variable(name) => formatter.write_str(name),
            Self::SecretFile { named_by, path } => write!(formatter, "{named_by} ({})", path.display()),
            Self::Missing => formatter.write_str("not set"),
        }
    }
}

/// What the file formats have in common. No `Debug`: a value may be a secret.
#[derive(Clone)]
pub(crate) enum Value {
    /// YAML's and JSON's null: as if the key was not written.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text; TOML dates are text too.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in the source's order.
    Table(Vec<(String, Node)>),
}

impl Value {
    /// The type in words, for "must be …, not …".
    pub(crate) fn type_words(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number that is not whole or too large",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A value and its origin.
#[derive(Clone)]
pub(crate) struct Node {
    /// The value.
    pub(crate) value: Value,
    /// Where it (for a file: its key) stands.
    pub(crate) origin: Origin,
}

impl Node {
    /// A table without entries.
    pub(crate) fn empty(origin: Origin) -> Self {
        Self { value: Value::Table(Vec::new()), origin }
    }

    /// The entry of a table; `None` for every other value.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The entry at a dotted path of names.
    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, name| node.child(name))
    }

    /// Lays `over` on top: tables are merged key by key, all else is replaced, null changes nothing.
    ///
    /// A table takes the upper one's origin: so an optional section counts as set once a layer above the defaults has
    /// it.
    pub(crate) fn overlay(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (_, Value::Null) => {}
            (Value::Table(mine), Value::Table(entries)) => {
                self.origin = over.origin;
                for (name, node) in entries {
                    match mine.iter_mut().find(|(key, _)| *key == name) {
                        Some((_, old)) => old.overlay(node),
                        None if matches!(node.value, Value::Null) => {}
                        None => mine.push((name, node.without_nulls())),
                    }
                }
            }
            (_, value) => *self = Self { value, origin: over.origin }.without_nulls(),
        }
    }

    /// The same without keys that are null.
    fn without_nulls(self) -> Self {
        let value = match self.value {
            Value::Table(entries) => Value::Table(
                entries
                    .into_iter()
                    .filter(|(_, node)| !matches!(node.value, Value::Null))
                    .map(|(name, node)| (name, node.without_nulls()))
                    .collect(),
            ),
            Value::List(items) => Value::List(items.into_iter().map(Self::without_nulls).collect()),
            other => other,
        };
        Self { value, origin: self.origin }
    }

    /// The text, when it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of a list of texts, or the one text; what is no text is left out (the check has told of it).
    pub(crate) fn texts(&self) -> Vec<String> {
        match &self.value {
            Value::Text(text) => vec![text.clone()],
            Value::List(items) => items.iter().filter_map(Self::text).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// The items of a list; empty for anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of a table; empty for anything else.
    pub(crate) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }
}
