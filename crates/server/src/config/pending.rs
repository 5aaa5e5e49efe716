//! Keys that are checked already and do nothing yet: whoever sets one is told, at every start.

use super::node::{Node, Origin};
use super::reading::Reader;

/// Their paths; of a table, everything below.
const NOT_YET: &[&str] = &["metrics.listen"];

/// Whether a key does nothing in this version.
pub(crate) fn is_pending(path: &str) -> bool {
    NOT_YET
        .iter()
        .any(|pending| path.strip_prefix(pending).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Warns of each that the operator has set.
pub(crate) fn warn(reader: &mut Reader<'_>) {
    for path in NOT_YET {
        if reader.node(path).is_some_and(is_operators) {
            reader.warnings.push(format!("{path} is set, but nothing of this version reads it yet."));
        }
    }
}

/// Whether a file or a variable gave this value or one below it.
fn is_operators(node: &Node) -> bool {
    match &node.origin {
        Origin::File { .. } | Origin::Variable(_) | Origin::SecretFile { .. } => true,
        Origin::Default | Origin::Development | Origin::Missing => {
            node.entries().iter().any(|(_, entry)| is_operators(entry)) || node.items().iter().any(is_operators)
        }
    }
}
