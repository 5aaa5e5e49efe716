//! A source's tree against the table of keys: unknown names and wrong values are told, and left out of what goes on.

use std::collections::BTreeSet;
use std::path::Path;

use super::building::{DEFAULTS, built_in};
use super::keys::{self, Key, places};
use super::kind::Kind;
use super::nearest::{fold, nearest};
use super::node::{Node, Origin, Value};
use super::problem::Problem;
use super::show::literal;

/// The end of a key's name that says that a file holds its value.
const FILE_SUFFIX: &str = "_FILE";

/// What a check has found so far.
#[derive(Default)]
pub(crate) struct Findings {
    /// In the order in which they were met.
    pub(crate) problems: Vec<Problem>,
    /// Paths (for people) of values that were left out, so that nobody complains that they are missing.
    pub(crate) left_out: BTreeSet<String>,
}

impl Findings {
    /// Notes a problem.
    pub(crate) fn tell(&mut self, path: &str, origin: &Origin, message: String, fix: String) {
        self.problems.push(Problem { path: path.to_owned(), origin: origin.clone(), message, fix });
    }

    /// Whether the value there, or a table around it, was wrong and left out.
    pub(crate) fn is_left_out(&self, path: &str) -> bool {
        self.left_out.iter().any(|bad| {
            path.strip_prefix(bad.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }
}

/// Where in the table of keys, and for people, a value stands.
#[derive(Clone)]
pub(crate) struct Place {
    /// Segments as [`keys::find`] takes them.
    pub(crate) shape: Vec<String>,
    /// The path for people.
    pub(crate) path: String,
}

impl Place {
    /// The root of a tree.
    pub(crate) fn root() -> Self {
        Self { shape: Vec::new(), path: String::new() }
    }

    /// An entry of the table here.
    pub(crate) fn entry(&self, name: &str) -> Self {
        let shape = self.shape.iter().cloned().chain([name.to_owned()]).collect();
        Self { shape, path: keys::join(&self.path, name) }
    }

    /// An element of the list here.
    pub(crate) fn element(&self, index: usize, item: &Node) -> Self {
        let shape = self.shape.iter().cloned().chain([keys::element_shape(item)]).collect();
        Self { shape, path: format!("{}[{index}]", self.path) }
    }

    /// The last name of the path.
    fn name(&self) -> &str {
        self.shape.last().map_or("", String::as_str)
    }
}

/// Checks a value and all that is in it; gives what is right of it. `base` is the folder that relative secret files
/// stand in.
pub(crate) fn check(node: Node, place: &Place, base: &Path, findings: &mut Findings) -> Option<Node> {
    if matches!(node.value, Value::Null) {
        return Some(node);
    }
    let following = keys::following(&place.shape);
    if following.is_empty() {
        return check_leaf(node, place, findings);
    }
    if following.iter().any(|segment| segment.starts_with('[')) {
        return check_list(node, place, base, findings);
    }
    check_table(node, place, base, findings)
}

/// A key's own value.
fn check_leaf(node: Node, place: &Place, findings: &mut Findings) -> Option<Node> {
    let Some(key) = keys::find(&place.shape) else {
        findings.left_out.insert(place.path.clone());
        return None;
    };
    let Err(found) = key.kind.judge(&node) else { return Some(node) };
    let message = format!("must be {}, but {found}", key.kind.words());
    findings.tell(&place.path, &node.origin, message, leaf_fix(key, place, &node));
    findings.left_out.insert(place.path.clone());
    None
}

/// What to write instead of a wrong value.
fn leaf_fix(key: &Key, place: &Place, node: &Node) -> String {
    let kind = key.kind;
    let meant = match (kind, node.text()) {
        (Kind::Choice(words), Some(written)) => nearest(written, words.iter().copied()),
        _ => None,
    };
    match (kind, &node.value, meant) {
        (_, _, Some(meant)) => format!("Did you mean `{} = \"{meant}\"`?", place.name()),
        (Kind::Lifetime, Value::Text(text), _) if text.trim().parse::<f64>().is_ok() => {
            let text = text.trim();
            format!("Write `{text}` without quotes, or `\"{text}s\"`, for seconds; `\"{text}ms\"` for milliseconds.")
        }
        (Kind::Boolean | Kind::Integer(..), Value::Text(text), _)
            if kind.read_text(text, &node.origin).is_ok_and(|value| !matches!(value, Value::Text(_))) =>
        {
            format!("Write it without quotes: `{} = {}`.", place.name(), text.trim())
        }
        _ => format!("Write, for example, `{} = {}`.", place.name(), example(key)),
    }
}

/// A right value as TOML writes it: the key's own example, its default, or its type's example.
pub(crate) fn example(key: &Key) -> String {
    if !key.example.is_empty() {
        return key.example.to_owned();
    }
    let defaults = built_in(DEFAULTS, &Origin::Default);
    match places(&defaults, &key.pattern()).first() {
        Some((_, node)) => literal(&node.value, key.kind.secrecy()),
        None => key.kind.example(),
    }
}

/// A list of tables.
fn check_list(node: Node, place: &Place, base: &Path, findings: &mut Findings) -> Option<Node> {
    let origin = node.origin;
    let Value::List(items) = node.value else {
        let message = format!("must be a list of tables, but it is {}", node.value.type_words());
        findings.tell(&place.path, &origin, message, format!("Write `[[{}]]` and its keys below.", place.path));
        findings.left_out.insert(place.path.clone());
        return None;
    };
    let mut right = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let here = place.element(index, &item);
        if keys::following(&here.shape).is_empty() || !matches!(item.value, Value::Table(_)) {
            let message = format!("must be a table, but it is {}", item.value.type_words());
            findings.tell(&here.path, &item.origin, message, format!("Write `[[{}]]` and its keys below.", place.path));
            continue;
        }
        right.extend(check_element(item, &here, base, findings));
    }
    Some(Node { value: Value::List(right), origin })
}

/// An element: one whose `id` is unknown is not looked into, since its keys depend on it; one without is told by the
/// check for what is required.
fn check_element(item: Node, here: &Place, base: &Path, findings: &mut Findings) -> Option<Node> {
    let id = here.entry("id");
    let Some(key) = keys::find(&id.shape) else { return check_table(item, here, base, findings) };
    match item.child("id") {
        Some(value) if key.kind.judge(value).is_err() => {
            check_leaf(value.clone(), &id, findings);
            findings.left_out.insert(here.path.clone());
            Some(item)
        }
        Some(_) => check_table(item, here, base, findings),
        None => Some(item),
    }
}

/// A table: each entry is known, a secret's file, or unknown.
fn check_table(node: Node, place: &Place, base: &Path, findings: &mut Findings) -> Option<Node> {
    let origin = node.origin;
    let Value::Table(entries) = node.value else {
        let message = format!("must be a table, but it is {}", node.value.type_words());
        findings.tell(&place.path, &origin, message, format!("Write `[{}]` and its keys below.", place.path));
        findings.left_out.insert(place.path.clone());
        return None;
    };
    let names: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
    let mut right = Vec::new();
    for (name, child) in entries {
        let here = place.entry(&name);
        if let Some(stem) = secret_stem(place, &name) {
            let target = place.entry(stem);
            if names.iter().any(|other| other == stem) {
                tell_value_and_file(&target, &child.origin, &name, findings);
            } else if let Some(node) = read_named_file(&child, &target, &here.path, base, findings) {
                right.extend(check_leaf(node, &target, findings).map(|node| (stem.to_owned(), node)));
            }
        } else if keys::find(&here.shape).is_some() || !keys::following(&here.shape).is_empty() {
            right.extend(check(child, &here, base, findings).map(|node| (name, node)));
        } else {
            let fix = unknown_fix(place, &name);
            findings.tell(&here.path, &child.origin, "is not a known key".to_owned(), fix);
        }
    }
    Some(Node { value: Value::Table(right), origin })
}

/// Tells that a value and its file are both given.
pub(crate) fn tell_value_and_file(target: &Place, origin: &Origin, file_name: &str, findings: &mut Findings) {
    let message = format!("is given both as a value and as a file, by `{file_name}`");
    findings.tell(&target.path, origin, message, "Remove one of the two.".to_owned());
    findings.left_out.insert(target.path.clone());
}

/// The key whose file this name gives: `jwtSecret` of `jwtSecret_FILE`.
fn secret_stem<'n>(place: &Place, name: &'n str) -> Option<&'n str> {
    let stem = name.strip_suffix(FILE_SUFFIX)?;
    let key = keys::find(&place.entry(stem).shape)?;
    key.kind.may_come_from_file().then_some(stem)
}

/// A secret out of the file that a `…_FILE` key names.
fn read_named_file(child: &Node, target: &Place, path: &str, base: &Path, findings: &mut Findings) -> Option<Node> {
    let Some(file) = child.text() else {
        let message = format!("must be a path, but it is {}", child.value.type_words());
        findings.tell(path, &child.origin, message, "Write the path of a file that holds the secret.".to_owned());
        findings.left_out.insert(target.path.clone());
        return None;
    };
    read_secret_file(file, target, path, &child.origin, base, findings)
}

/// A secret out of a file: white space at its end is not part of it; where a list is taken, each line is one secret.
pub(crate) fn read_secret_file(
    file: &str,
    target: &Place,
    named_by: &str,
    origin: &Origin,
    base: &Path,
    findings: &mut Findings,
) -> Option<Node> {
    let path = base.join(file);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => text,
        Ok(_) => {
            findings.tell(named_by, origin, format!("`{file}` is empty"), "Put the secret into the file.".to_owned());
            findings.left_out.insert(target.path.clone());
            return None;
        }
        Err(error) => {
            let fix = "Name a file that this user can read.".to_owned();
            findings.tell(named_by, origin, format!("`{file}` cannot be read: {error}"), fix);
            findings.left_out.insert(target.path.clone());
            return None;
        }
    };
    let origin = Origin::SecretFile { named_by: named_by.to_owned(), path };
    let takes_list = keys::find(&target.shape).is_some_and(|key| matches!(key.kind, Kind::Secrets));
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let value = if takes_list && lines.len() > 1 {
        let item = |line: &&str| Node { value: Value::Text((*line).trim_end().to_owned()), origin: origin.clone() };
        Value::List(lines.iter().map(item).collect())
    } else {
        Value::Text(text.trim_end().to_owned())
    };
    Some(Node { value, origin })
}

/// What is to be done about an unknown name: the near one beside it, the same one elsewhere, or its removal.
fn unknown_fix(place: &Place, name: &str) -> String {
    let beside = keys::following(&place.shape);
    if let Some(meant) = nearest(name, beside.into_iter().filter(|segment| !segment.starts_with(['[', '*']))) {
        return format!("Did you mean `{}`?", place.entry(meant).path);
    }
    let folded = fold(name);
    let elsewhere = keys::all().find(|key| key.pattern().last().is_some_and(|last| fold(last) == folded));
    match elsewhere {
        Some(key) => format!("Did you mean `{}`?", key.path),
        None => "Remove it; `config schema` and docs/CONFIGURATION.md list all keys.".to_owned(),
    }
}
