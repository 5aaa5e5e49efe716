//! `config show`: the effective configuration as TOML, each value's origin in a comment, secrets masked.
//!
//! `_infallible` below: writing to a `String` cannot fail.

use std::fmt::Write;

use super::keys::{self, Key, places};
use super::kind::{Kind, Secrecy};
use super::masking::{MASK, mask_url};
use super::node::{Node, Value};

/// Prints the tree. Keys come in the table's order; lists of tables last, as TOML wants them.
///
/// Shape: `options.otpLength = 6  # customer-registration.toml:3`; what is not set is a comment line.
pub(crate) fn print(tree: &Node) -> String {
    let mut text = String::new();
    let is_element = |key: &&Key| key.path.contains('[');
    for key in keys::all().filter(|key| !is_element(key) && !matches!(key.kind, Kind::Section)) {
        let found = places(tree, &key.pattern());
        if found.is_empty() {
            push_unset(&mut text, key, tree);
        }
        for (path, node) in found.into_iter().filter(|_| !is_in_unset_section(key.path, tree)) {
            push_line(&mut text, &path, key, node);
        }
    }
    for list in ["notification.providers", "events.webhooks"] {
        let elements = tree.at(list).map_or(&[][..], Node::items);
        for element in elements {
            let _infallible = writeln!(text, "\n[[{list}]]  # {}", element.origin);
            let own = keys::all().filter(|key| key.path.starts_with(list));
            for key in own {
                let pattern = key.pattern();
                let inside = pattern.get(list.split('.').count()..).unwrap_or_default();
                let alone = Node { value: Value::List(vec![element.clone()]), origin: element.origin.clone() };
                for (path, node) in places(&alone, inside) {
                    push_line(&mut text, path.trim_start_matches("[0]."), key, node);
                }
            }
        }
    }
    text
}

/// Whether the key belongs to an optional section that only the defaults have.
fn is_in_unset_section(path: &str, tree: &Node) -> bool {
    let sections = keys::all().filter(|key| matches!(key.kind, Kind::Section));
    sections
        .filter(|section| path.strip_prefix(section.path).is_some_and(|rest| rest.starts_with('.')))
        .any(|section| tree.at(section.path).is_none_or(|node| node.origin == super::Origin::Default))
}

/// A line for a key that has no value, unless its whole section is off.
fn push_unset(text: &mut String, key: &Key, tree: &Node) {
    if is_in_unset_section(key.path, tree) || key.unset.is_empty() || key.path.contains('*') {
        return;
    }
    let _infallible = writeln!(text, "# {} is not set: {}", key.path, key.unset);
}

/// A value's line.
fn push_line(text: &mut String, path: &str, key: &Key, node: &Node) {
    let _infallible = writeln!(text, "{path} = {}  # {}", literal(&node.value, key.kind.secrecy()), node.origin);
}

/// A value as TOML writes it, masked as its secrecy asks.
pub(crate) fn literal(value: &Value, secrecy: Secrecy) -> String {
    match value {
        Value::Text(_) if secrecy == Secrecy::Secret => quote(MASK),
        Value::Text(text) if secrecy == Secrecy::Url => quote(&mask_url(text)),
        Value::Text(text) => quote(text),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Null => quote(""),
        Value::List(items) => {
            format!("[{}]", items.iter().map(|item| literal(&item.value, secrecy)).collect::<Vec<_>>().join(", "))
        }
        Value::Table(entries) => {
            let entry =
                |(name, node): &(String, Node)| format!("{} = {}", keys::join("", name), literal(&node.value, secrecy));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A TOML basic string.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
