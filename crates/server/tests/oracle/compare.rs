//! Compares an answer with the one that is wanted: status, headers, body with the order of its keys, tokens.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::transcript::Response;

/// A numbered label, such as `<cus_id:1>`.
static LABEL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"<((?:ulid|[a-z]{2,12}_id|pk-token|sk-token):[0-9]+)>").unwrap());

/// Which of our labels stands for which of the recording's: one for one, so that numbers may differ but equality may not.
#[derive(Clone, Default)]
pub(crate) struct Bindings {
    ours: BTreeMap<String, String>,
    theirs: BTreeMap<String, String>,
}

impl Bindings {
    /// From now on the recording's label stands for another value here; returns what it stood for.
    pub(crate) fn release(&mut self, label: &str) -> Option<String> {
        let bound = self.ours.remove(label);
        if let Some(ours) = &bound {
            // Ours stays taken: a value that is new must not be the old one.
            self.theirs.insert(ours.clone(), format!("the former {label}"));
        }
        bound
    }

    /// Whether two texts are the same up to labels; binds labels that are seen for the first time.
    fn same(&mut self, wanted: &str, observed: &str) -> bool {
        if LABEL.replace_all(wanted, "<>") != LABEL.replace_all(observed, "<>") {
            return false;
        }
        let labels =
            |text: &str| -> Vec<String> { LABEL.captures_iter(text).map(|found| found[1].to_owned()).collect() };
        labels(wanted).into_iter().zip(labels(observed)).all(|(wanted, observed)| self.bind(wanted, observed))
    }

    /// Whether the two labels are, or now become, each other's.
    fn bind(&mut self, wanted: String, observed: String) -> bool {
        let kind = |label: &str| label.split(':').next().map(str::to_owned);
        match (self.ours.get(&wanted), self.theirs.get(&observed)) {
            (None, None) if kind(&wanted) == kind(&observed) => {
                self.ours.insert(wanted.clone(), observed.clone());
                self.theirs.insert(observed, wanted);
                true
            }
            (Some(ours), Some(theirs)) => *ours == observed && *theirs == wanted,
            _ => false,
        }
    }
}

/// What differs, a line each; empty when nothing does.
pub(crate) fn compare(bindings: &mut Bindings, wanted: &Response, observed: &Response) -> Vec<String> {
    let mut lines = Vec::new();
    if wanted.status != observed.status {
        lines.push(format!("status {} instead of {}", observed.status, wanted.status));
    }
    let mut wanted_headers: Vec<_> = wanted.headers.iter().collect();
    wanted_headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in wanted_headers {
        match observed.headers.get(name) {
            Some(found) => difference(bindings, &format!("header {name}"), value, found, &mut lines),
            None => lines.push(format!("header {name} missing, {value} wanted")),
        }
    }
    for (name, value) in &observed.headers {
        if !wanted.headers.contains_key(name) {
            lines.push(format!("header {name} not wanted: {value}"));
        }
    }
    let text = |response: &Response| response.text.clone().map(Value::String);
    optional(bindings, "body", wanted.body.as_ref(), observed.body.as_ref(), &mut lines);
    optional(bindings, "text", text(wanted).as_ref(), text(observed).as_ref(), &mut lines);
    optional(bindings, "jwts", wanted.jwts.as_ref(), observed.jwts.as_ref(), &mut lines);
    optional(bindings, "db", sorted(wanted.db.as_ref()).as_ref(), sorted(observed.db.as_ref()).as_ref(), &mut lines);
    lines
}

/// Rows with their columns in the order of the alphabet: databases order the keys of JSON as they like.
fn sorted(rows: Option<&Value>) -> Option<Value> {
    let mut rows = rows?.clone();
    rows.sort_all_objects();
    Some(rows)
}

/// Compares what either side may lack.
fn optional(
    bindings: &mut Bindings,
    path: &str,
    wanted: Option<&Value>,
    observed: Option<&Value>,
    lines: &mut Vec<String>,
) {
    match (wanted, observed) {
        (Some(wanted), Some(observed)) => difference(bindings, path, wanted, observed, lines),
        (Some(wanted), None) => lines.push(format!("{path} missing, {wanted} wanted")),
        (None, Some(observed)) => lines.push(format!("{path} not wanted: {observed}")),
        (None, None) => {}
    }
}

/// Walks two values side by side.
fn difference(bindings: &mut Bindings, path: &str, wanted: &Value, observed: &Value, lines: &mut Vec<String>) {
    match (wanted, observed) {
        (Value::Object(left), Value::Object(right)) => {
            for (name, value) in left {
                let path = format!("{path}.{name}");
                match right.get(name) {
                    Some(found) => difference(bindings, &path, value, found, lines),
                    None => lines.push(format!("{path} missing, {value} wanted")),
                }
            }
            for (name, value) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
                lines.push(format!("{path}.{name} not wanted: {value}"));
            }
            let same_names = left.len() == right.len() && left.keys().all(|name| right.contains_key(name));
            if same_names && !left.keys().eq(right.keys()) {
                let keys: Vec<&String> = right.keys().collect();
                lines.push(format!("{path} has its keys in another order: {keys:?}"));
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (wanted, observed)) in left.iter().zip(right).enumerate() {
                difference(bindings, &format!("{path}[{index}]"), wanted, observed, lines);
            }
        }
        (Value::String(left), Value::String(right)) if bindings.same(left, right) => {}
        _ if wanted == observed && !wanted.is_string() => {}
        _ => lines.push(format!("{path} is {observed} instead of {wanted}")),
    }
}
