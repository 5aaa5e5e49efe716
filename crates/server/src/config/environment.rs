//! The environment's layer: Medusa's own names, and `CUSTOMER_REGISTRATION__…` for every key.
//!
//! Segments are compared without case and underscores; a number is an element of a list; a whole table or list may be
//! given as JSON. An empty variable counts as not set, as it does for Medusa.

use std::collections::BTreeMap;

use super::checking::{Findings, Place, check, read_secret_file, tell_value_and_file};
use super::json;
use super::keys;
use super::nearest::{fold, nearest};
use super::node::{Node, Origin, Value};
use super::sources::Sources;

/// What every variable of ours begins with.
const PREFIX: &str = "CUSTOMER_REGISTRATION__";
/// The end of a variable's name that says that a file holds the value.
const FILE_SUFFIX: &str = "_FILE";

/// One step from a table to an entry, or from a list to an element.
#[derive(Clone)]
enum Step {
    Name(String),
    Element(usize),
}

/// What a variable's name means.
struct Target {
    steps: Vec<Step>,
    place: Place,
    is_file: bool,
}

/// Lays the environment on top of the tree, telling what is wrong with it.
pub(crate) fn apply(tree: &mut Node, sources: &Sources, findings: &mut Findings) {
    let mut given: BTreeMap<String, (String, String, bool)> = BTreeMap::new();
    for (name, value) in sources.environment.iter().filter(|(_, value)| !value.is_empty()) {
        let Some(target) = target(name, tree, findings) else { continue };
        let path = target.place.path.clone();
        let earlier = given.insert(path, (name.clone(), value.clone(), target.is_file));
        if let Some((other, other_value, other_is_file)) = earlier {
            let same = other_is_file == target.is_file && other_value == *value;
            if !same {
                tell_clash(&target, name, &other, other_is_file, findings);
            }
            continue;
        }
        let origin = Origin::Variable(name.clone());
        if let Some(other) = other_form(tree, &target) {
            let (value_origin, file_name) =
                if target.is_file { (other, name.clone()) } else { (&origin, other.to_string()) };
            tell_value_and_file(&target.place, value_origin, &file_name, findings);
            continue;
        }
        let node = if target.is_file {
            read_secret_file(value, &target.place, name, &origin, &sources.working_dir, findings)
        } else {
            read_value(value, &target.place, &origin, findings)
        };
        let right = node.and_then(|node| check(node, &target.place, &sources.working_dir, findings));
        if let Some(right) = right {
            let layer = wrap(&target.steps, Some(tree), right, &origin);
            tree.overlay(layer);
        }
    }
}

/// The origin of what the configuration file has there, if that is a value where the variable names a file, or the
/// reverse.
fn other_form<'t>(tree: &'t Node, target: &Target) -> Option<&'t Origin> {
    let step = |node: &'t Node, step: &Step| match step {
        Step::Name(name) => node.child(name),
        Step::Element(index) => node.items().get(*index),
    };
    let node = target.steps.iter().try_fold(tree, step)?;
    let clashes = match node.origin {
        Origin::File { .. } => target.is_file,
        Origin::SecretFile { .. } => !target.is_file,
        _ => false,
    };
    clashes.then_some(&node.origin)
}

/// Tells that two variables give one key differently.
fn tell_clash(target: &Target, name: &str, other: &str, other_is_file: bool, findings: &mut Findings) {
    let origin = Origin::Variable(name.to_owned());
    if target.is_file == other_is_file {
        let message = format!("is given differently by `{other}` and `{name}`");
        findings.tell(&target.place.path, &origin, message, "Remove one of the two.".to_owned());
        return;
    }
    let (file_name, value_name) = if target.is_file { (name, other) } else { (other, name) };
    tell_value_and_file(&target.place, &Origin::Variable(value_name.to_owned()), file_name, findings);
}

/// The key that a variable means; `None` for a variable that is none of ours, and, told, for one of ours that means
/// nothing.
fn target(name: &str, tree: &Node, findings: &mut Findings) -> Option<Target> {
    if let Some(found) = medusa_target(name) {
        return Some(found);
    }
    let rest =
        name.get(..PREFIX.len()).filter(|begin| begin.eq_ignore_ascii_case(PREFIX)).and(name.get(PREFIX.len()..))?;
    match own_target(rest, tree) {
        Ok(found) => Some(found),
        Err(fix) => {
            findings.tell("", &Origin::Variable(name.to_owned()), "no key has this name".to_owned(), fix);
            None
        }
    }
}

/// `JWT_SECRET`, `JWT_SECRET_FILE` and their like.
fn medusa_target(name: &str) -> Option<Target> {
    let plain = keys::all().find(|key| key.variable == Some(name)).map(|key| (key, false));
    let of_file = || {
        let stem = name.strip_suffix(FILE_SUFFIX)?;
        let key = keys::all().find(|key| key.variable == Some(stem) && key.kind.may_come_from_file())?;
        Some((key, true))
    };
    let (key, is_file) = plain.or_else(of_file)?;
    let mut place = Place::root();
    let mut steps = Vec::new();
    for segment in key.pattern() {
        place = place.entry(segment);
        steps.push(Step::Name(segment.to_owned()));
    }
    Some(Target { steps, place, is_file })
}

/// What `OPTIONS__OTP_LENGTH` means, walking the table of keys and, for elements of lists, the tree.
///
/// # Errors
/// The fix, when a segment means nothing.
fn own_target(rest: &str, tree: &Node) -> Result<Target, String> {
    let segments: Vec<&str> = rest.split("__").collect();
    let mut place = Place::root();
    let mut steps = Vec::new();
    let mut here = Some(tree);
    for (number, segment) in segments.iter().enumerate() {
        let is_last = number + 1 == segments.len();
        let following = keys::following(&place.shape);
        if following.iter().any(|next| next.starts_with('[')) {
            let (step, next_place, next) = element_step(segment, &place, here)?;
            steps.push(step);
            place = next_place;
            here = next;
            continue;
        }
        let (name, is_file) = entry_name(segment, &following, &place, is_last).ok_or_else(|| unknown_fix(rest))?;
        here = here.and_then(|node| node.child(&name));
        place = place.entry(&name);
        steps.push(Step::Name(name));
        if is_file {
            return Ok(Target { steps, place, is_file });
        }
    }
    Ok(Target { steps, place, is_file: false })
}

/// The element of a list that a number means: one that is there, or the next.
fn element_step<'t>(
    segment: &str,
    place: &Place,
    list: Option<&'t Node>,
) -> Result<(Step, Place, Option<&'t Node>), String> {
    let items = list.map_or(&[][..], Node::items);
    let wrong = || {
        format!(
            "`{segment}` must be an element's number from 0 to {}: `{}` has {} so far.",
            items.len(),
            place.path,
            items.len()
        )
    };
    let index: usize = segment.parse().map_err(|_| wrong())?;
    if index > items.len() {
        return Err(wrong());
    }
    let item = items.get(index);
    let empty = Node::empty(Origin::Missing);
    Ok((Step::Element(index), place.element(index, item.unwrap_or(&empty)), item))
}

/// The entry that a segment means, and whether it means the file of it.
fn entry_name(segment: &str, following: &[&'static str], place: &Place, is_last: bool) -> Option<(String, bool)> {
    let named = |written: &str| following.iter().find(|name| fold(name) == fold(written) && **name != "*").copied();
    if let Some(name) = named(segment) {
        return Some((name.to_owned(), false));
    }
    let stem = if is_last { segment.len().checked_sub(FILE_SUFFIX.len()) } else { None };
    if let Some((stem, end)) = stem.and_then(|at| segment.split_at_checked(at))
        && end.eq_ignore_ascii_case(FILE_SUFFIX)
        && let Some(name) = named(stem)
        && keys::find(&place.entry(name).shape).is_some_and(|key| key.kind.may_come_from_file())
    {
        return Some((name.to_owned(), true));
    }
    (following.contains(&"*") && !segment.is_empty()).then(|| (segment.to_lowercase(), false))
}

/// What is to be done about a variable that means no key.
fn unknown_fix(rest: &str) -> String {
    let names: Vec<String> = keys::all().map(|key| keys::variable_name(&key.pattern())).collect();
    let full = format!("{PREFIX}{rest}");
    match nearest(&full, names.iter().map(String::as_str)) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => "Remove it; docs/CONFIGURATION.md lists all keys and how variables are named.".to_owned(),
    }
}

/// A variable's text as a value: by the key's type, or as JSON where a whole table or list is meant.
fn read_value(text: &str, place: &Place, origin: &Origin, findings: &mut Findings) -> Option<Node> {
    let leaf = if keys::following(&place.shape).is_empty() { keys::find(&place.shape) } else { None };
    let read = match leaf {
        Some(key) => key.kind.read_text(text, origin),
        None => json::parse(text, &|_| origin.clone())
            .map(|node| node.value)
            .map_err(|(_, message)| format!("it is not JSON: {message}")),
    };
    match read {
        Ok(value) => Some(Node { value, origin: origin.clone() }),
        Err(found) => {
            let fix = "Give a list or a table as JSON, or its keys by variables of their own.".to_owned();
            findings.tell(&place.path, origin, format!("cannot be read: {found}"), fix);
            findings.left_out.insert(place.path.clone());
            None
        }
    }
}

/// The value with tables around it, as a layer; a list on the way is the tree's own with one element changed.
fn wrap(steps: &[Step], here: Option<&Node>, leaf: Node, origin: &Origin) -> Node {
    let value = match steps.split_first() {
        None => return leaf,
        Some((Step::Name(name), rest)) => {
            let inner = wrap(rest, here.and_then(|node| node.child(name)), leaf, origin);
            Value::Table(vec![(name.clone(), inner)])
        }
        Some((Step::Element(index), rest)) => {
            let mut items = here.map_or(&[][..], Node::items).to_vec();
            let inner = wrap(rest, items.get(*index), leaf, origin);
            match items.get_mut(*index) {
                Some(item) => item.overlay(inner),
                None => items.push(inner),
            }
            Value::List(items)
        }
    };
    Node { value, origin: origin.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_variable_that_means_it() {
        for key in keys::all().filter(|key| !key.path.contains('[')) {
            let name = keys::variable_name(&key.pattern()).replace('*', "WORD");
            let rest = name.strip_prefix(PREFIX).unwrap();
            let found = own_target(rest, &Node::empty(Origin::Default)).unwrap_or_else(|fix| panic!("{name}: {fix}"));
            assert_eq!(found.place.path, key.path.replace('*', "word"), "{name}");
        }
    }
}
