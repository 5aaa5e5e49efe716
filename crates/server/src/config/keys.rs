//! The one table of configuration keys: path, type, what holds when it is not set, and a sentence on it.
//!
//! It drives the check for unknown keys and types, the environment, `config show`, the JSON Schema and
//! `docs/CONFIGURATION.md`. Plain defaults are in `config.default.toml`; how a whole configuration comes about is
//! [`super::building`].
//!
//! Paths: `*` is any name, `[]` any element of a list, `[smtp]` an element whose `id` is `smtp`.

mod options;
mod server;

use super::kind::Kind;
use super::node::Node;

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Where it stands, `options.otpLength`.
    pub(crate) path: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// Medusa's name for it in the environment.
    pub(crate) variable: Option<&'static str>,
    /// What holds when it is neither set nor in `config.default.toml`, in words for people.
    pub(crate) unset: &'static str,
    /// Whether it must be set where its table is.
    pub(crate) required: bool,
    /// A value as TOML writes it for "write, for example"; empty: the default, or the type's own.
    pub(crate) example: &'static str,
    /// One sentence or two.
    pub(crate) doc: &'static str,
}

/// A key that needs nothing more.
const fn key(path: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { path, kind, variable: None, unset: "", required: false, example: "", doc }
}

impl Key {
    /// Also taken from this variable, Medusa's own name.
    const fn variable(self, name: &'static str) -> Self {
        Self { variable: Some(name), ..self }
    }

    /// What holds when it is not set.
    const fn unset(self, words: &'static str) -> Self {
        Self { unset: words, ..self }
    }

    /// Must be set where its table is.
    const fn required(self) -> Self {
        Self { required: true, unset: "required", ..self }
    }

    /// What to write, for example.
    const fn example(self, literal: &'static str) -> Self {
        Self { example: literal, ..self }
    }

    /// The path in segments, as [`pattern`] gives them.
    pub(crate) fn pattern(&self) -> Vec<&'static str> {
        pattern(self.path)
    }
}

/// A heading in the documentation and the keys under it.
pub(crate) struct Group {
    /// The heading.
    pub(crate) title: &'static str,
    /// Sentences between heading and table.
    pub(crate) intro: &'static str,
    /// The keys, in the order in which they are shown.
    pub(crate) keys: &'static [Key],
}

/// All groups in the order of the documentation.
pub(crate) static GROUPS: &[Group] = &[
    Group { title: "projectConfig", intro: "Named as in `medusa-config.ts`.", keys: server::PROJECT },
    Group {
        title: "options",
        intro: "The plugin's options under their own names, and ours.\nA section (a key of type table) is \
            off until it is set; its defaults hold once it is.",
        keys: options::OPTIONS,
    },
    Group {
        title: "options.limits",
        intro: "A value is `\"N/window\"` (at most N in the window: `s`, `m`, `h` or `d`), a list of \
            such, or `\"off\"`.",
        keys: options::LIMITS,
    },
    Group {
        title: "notification",
        intro: "A list of providers, each serving channels; no channel may have two.\nWithout it, \
            development keeps mails and text messages for its inbox, and production does not start.",
        keys: server::NOTIFICATION,
    },
    Group { title: "events, gateway, admin, metrics, log", intro: "", keys: server::REST },
];

/// All keys in the order of the documentation.
pub(crate) fn all() -> impl Iterator<Item = &'static Key> {
    GROUPS.iter().flat_map(|group| group.keys)
}

/// A path in segments: `a.b[smtp].c` is `a`, `b`, `[smtp]`, `c`.
pub(crate) fn pattern(path: &'static str) -> Vec<&'static str> {
    let mut segments = Vec::new();
    for part in path.split('.') {
        match part.find('[').and_then(|bracket| part.split_at_checked(bracket)) {
            Some((name, element)) => segments.extend([name, element]),
            None => segments.push(part),
        }
    }
    segments
}

/// Whether a segment of a pattern stands for this segment of a shape (an element there is `[id]`, `[]` without one).
fn stands_for(pattern: &str, shape: &str) -> bool {
    match pattern {
        "*" => !shape.starts_with('['),
        "[]" => shape.starts_with('['),
        exact => exact == shape,
    }
}

/// Whether the pattern begins with this shape.
fn begins_with(pattern: &[&str], shape: &[String]) -> bool {
    pattern.len() >= shape.len() && pattern.iter().zip(shape).all(|(one, other)| stands_for(one, other))
}

/// The key that stands exactly there.
pub(crate) fn find(shape: &[String]) -> Option<&'static Key> {
    all().find(|key| {
        let pattern = key.pattern();
        pattern.len() == shape.len() && begins_with(&pattern, shape)
    })
}

/// The segments that may follow, each once, in table order: names, `*`, `[]` or `[id]`.
pub(crate) fn following(shape: &[String]) -> Vec<&'static str> {
    let mut segments: Vec<&'static str> = Vec::new();
    for key in all() {
        let pattern = key.pattern();
        if begins_with(&pattern, shape)
            && let Some(next) = pattern.get(shape.len())
            && !segments.contains(next)
        {
            segments.push(next);
        }
    }
    segments
}

/// Every place in a tree that a pattern stands for, with its path for people (`notification.providers[0].id`).
pub(crate) fn places<'t>(tree: &'t Node, pattern: &[&str]) -> Vec<(String, &'t Node)> {
    let mut found = vec![(String::new(), tree)];
    for segment in pattern {
        let mut next = Vec::new();
        for (path, node) in found {
            let join = |name: &str| join(&path, name);
            if segment.starts_with('[') {
                let elements = node.items().iter().enumerate();
                next.extend(
                    elements
                        .filter(|(_, item)| stands_for(segment, &element_shape(item)))
                        .map(|(index, item)| (format!("{path}[{index}]"), item)),
                );
            } else {
                let entries = node.entries().iter();
                next.extend(
                    entries.filter(|(name, _)| stands_for(segment, name)).map(|(name, child)| (join(name), child)),
                );
            }
        }
        found = next;
    }
    found
}

/// A path for people with one more name; a name that is no bare TOML key is in quotes.
pub(crate) fn join(path: &str, name: &str) -> String {
    let is_bare =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let name = if is_bare { name.to_owned() } else { toml::Value::String(name.to_owned()).to_string() };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// The shape's segment of a list element: `[id]`, or `[]` where it has none.
pub(crate) fn element_shape(item: &Node) -> String {
    format!("[{}]", item.child("id").and_then(Node::text).unwrap_or_default())
}

/// The general name of a key in the environment; list elements are numbers from 0, shown as `0`.
pub(crate) fn variable_name(pattern: &[&str]) -> String {
    let mut name = String::from("CUSTOMER_REGISTRATION");
    for segment in pattern {
        name.push_str("__");
        if segment.starts_with('[') {
            name.push('0');
            continue;
        }
        for symbol in segment.chars() {
            if symbol.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(symbol.to_ascii_uppercase());
        }
    }
    name
}
