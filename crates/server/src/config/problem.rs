//! One thing that is wrong with a configuration, told so that it can be put right without reading anything else.

use std::fmt;

use super::node::Origin;

/// What is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key's path, `options.otpLength`, `notification.providers[0].id`; empty when no key is meant.
    pub path: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What is wrong; never a secret's text.
    pub message: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(formatter, "{}: {}", self.origin, self.message)?;
        } else {
            write!(formatter, "{} ({}): {}", self.path, self.origin, self.message)?;
        }
        if self.fix.is_empty() { Ok(()) } else { write!(formatter, "\n  fix: {}", self.fix) }
    }
}
