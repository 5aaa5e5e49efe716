//! Query strings and forms as the npm package `qs` reads them: `a[b]=1` nests, a repeated key is an array.
//!
//! Values are always strings, arrays or objects. What a value means is the route's business, see [`crate::validation`].

use std::collections::BTreeMap;

use cr_core::error::Error;
use serde_json::{Map, Value};

/// Most pairs that are read; `qs`'s default `parameterLimit`, and body-parser's for forms.
const MOST_PAIRS: usize = 1000;
/// How deep brackets nest in a query before the rest is one key; `qs`'s default `depth`.
const QUERY_DEPTH: usize = 5;
/// How deep brackets nest in a form; body-parser 1.20's `depth`.
const FORM_DEPTH: usize = 32;

/// Reads a query string; pairs after the thousandth are dropped, as `qs` does.
pub fn parse(query: &str) -> Map<String, Value> {
    let mut root = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()).take(MOST_PAIRS) {
        place_pair(&mut root, pair, QUERY_DEPTH, u64::MAX);
    }
    into_map(root)
}

/// Reads an `application/x-www-form-urlencoded` body.
///
/// # Errors
/// `invalid_data` for more than 1000 pairs, or brackets nested deeper than 32.
pub fn parse_form(form: &str) -> Result<Map<String, Value>, Error> {
    let count = form.bytes().filter(|byte| *byte == b'&').count().saturating_add(1);
    if count > MOST_PAIRS {
        return Err(Error::invalid_data(format!("The form has more than {MOST_PAIRS} fields")));
    }
    let most_items = u64::try_from(count.max(100)).unwrap_or(u64::MAX);
    let mut root = Vec::new();
    for pair in form.split('&').filter(|pair| !pair.is_empty()) {
        let key = decode_part(pair.split('=').next().unwrap_or(pair));
        if key.matches('[').count() > FORM_DEPTH {
            return Err(Error::invalid_data(format!("The form is nested deeper than {FORM_DEPTH} levels")));
        }
        place_pair(&mut root, pair, FORM_DEPTH, most_items);
    }
    Ok(into_map(root))
}

/// The query as a schema sees it: `a.b=1` has become `a: {b: 1}` (Medusa 2.11.2, `normalizeQuery`).
///
/// # Errors
/// `invalid_data` for a key with more than one dot.
pub fn undotted(query: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let mut normal = Map::new();
    for (key, value) in query {
        let Some((parent, child)) = key.split_once('.') else {
            normal.insert(key.clone(), value.clone());
            continue;
        };
        if child.contains('.') {
            return Err(Error::invalid_data(format!("Key accessor more than 2 levels deep: {key}")));
        }
        match normal.entry(parent).or_insert_with(|| Value::Object(Map::new())) {
            Value::Object(map) => {
                map.insert(child.to_owned(), value.clone());
            }
            other => {
                *other = Value::Object(Map::from_iter([(child.to_owned(), value.clone())]));
            }
        }
    }
    Ok(normal)
}

/// Percent-decodes a segment of a path, strictly.
///
/// # Errors
/// `invalid_data` for a bad escape or bytes that are no UTF-8, with Express's sentence; for a NUL character.
pub fn decode_segment(segment: &str) -> Result<String, Error> {
    let Some(decoded) = decode(segment) else {
        return Err(Error::invalid_data(format!("Failed to decode param '{segment}'")));
    };
    if decoded.contains('\0') {
        return Err(nul_refused());
    }
    Ok(decoded)
}

/// The refusal of a NUL character, wherever one comes in.
pub fn nul_refused() -> Error {
    Error::invalid_data("The request contains a NUL character, which cannot be stored")
}

/// Percent-decodes; `None` for a bad escape or bytes that are no UTF-8.
fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Decodes one side of a pair: `+` is a blank, and what is no valid escape stays as it is, as `qs` has it.
fn decode_part(part: &str) -> String {
    let spaced = part.replace('+', " ");
    decode(&spaced).unwrap_or(spaced)
}

/// One step of a key's path.
enum Step {
    /// `[]`
    Push,
    /// `[3]`
    Index(u64),
    /// `[name]`, or the name in front of the brackets.
    Key(String),
}

/// A value being put together.
enum Node {
    Empty,
    Text(String),
    List(Vec<Node>),
    Indexed(BTreeMap<u64, Node>),
    Keyed(Vec<(String, Node)>),
}

/// Splits `key=value` and files the value under the key's path.
fn place_pair(root: &mut Vec<(String, Node)>, pair: &str, depth: usize, most_items: u64) {
    // An equals sign inside brackets belongs to the key.
    let equals = pair.find("]=").map(|position| position + 1).or_else(|| pair.find('='));
    let (key, value) = equals
        .and_then(|position| pair.split_at_checked(position))
        .map_or((pair, ""), |(key, rest)| (key, rest.strip_prefix('=').unwrap_or(rest)));
    let key = decode_part(key);
    let mut steps = steps_of(&key, depth, most_items).into_iter();
    let Some(Step::Key(name)) = steps.next() else { return };
    if name == "__proto__" || name.is_empty() {
        return;
    }
    let steps: Vec<Step> = steps.collect();
    if steps.iter().any(|step| matches!(step, Step::Key(name) if name == "__proto__")) {
        return;
    }
    place(entry(root, name), steps, decode_part(value));
}

/// `a[b][0][]` as its steps. Brackets deeper than `depth` are one key together; text between brackets is dropped.
fn steps_of(key: &str, depth: usize, most_items: u64) -> Vec<Step> {
    let Some((name, mut inner, mut after)) = next_bracket(key) else { return vec![Step::Key(key.to_owned())] };
    // A key that begins with brackets has its first pair as its name.
    let mut steps = if name.is_empty() { Vec::new() } else { vec![Step::Key(name.to_owned())] };
    loop {
        steps.push(match inner {
            _ if steps.is_empty() => Step::Key(inner.to_owned()),
            "" => Step::Push,
            _ => index_of(inner)
                .filter(|index| *index <= most_items)
                .map_or_else(|| Step::Key(inner.to_owned()), Step::Index),
        });
        let Some((_, next_inner, next_after)) = next_bracket(after) else { return steps };
        if steps.len() > depth {
            steps.push(Step::Key(format!("[{next_inner}]{next_after}")));
            return steps;
        }
        (inner, after) = (next_inner, next_after);
    }
}

/// The first pair of brackets with none inside: the text before it, in it and after it.
fn next_bracket(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let close = text.get(from..)?.find(']')?.saturating_add(from);
        let (before, rest) = text.split_at_checked(close)?;
        if let Some((name, inner)) =
            before.get(from..)?.rfind('[').and_then(|open| before.split_at_checked(from + open))
        {
            return Some((name, inner.strip_prefix('[')?, rest.strip_prefix(']')?));
        }
        from = close.saturating_add(1);
    }
}

/// A number that is written as JavaScript would write it, so `01` is a name.
fn index_of(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|index| index.to_string() == text)
}

/// The node of a name, new if there is none.
fn entry(children: &mut Vec<(String, Node)>, name: String) -> &mut Node {
    let position = children.iter().position(|(key, _)| *key == name).unwrap_or(children.len());
    if position == children.len() {
        children.push((name, Node::Empty));
    }
    #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
    let (_, node) = &mut children[position];
    node
}

/// Files a value below a node; where two shapes meet, they merge as `qs`'s `merge` does it.
fn place(node: &mut Node, steps: Vec<Step>, value: String) {
    let mut node = node;
    for step in steps {
        node = match step {
            Step::Push => pushed(node),
            Step::Index(index) => indexed(node, index),
            Step::Key(name) => keyed(node, name),
        };
    }
    match node {
        Node::Empty => *node = Node::Text(value),
        Node::Keyed(children) => *entry(children, value) = Node::Text("true".to_owned()),
        _ => *pushed(node) = Node::Text(value),
    }
}

/// Makes the node a list if it is none, and gives its new last item.
fn pushed(node: &mut Node) -> &mut Node {
    match node {
        Node::Indexed(_) => {
            let Node::Indexed(children) = node else { return node };
            let next = children.keys().next_back().map_or(0, |last| last.saturating_add(1));
            children.entry(next).or_insert(Node::Empty)
        }
        Node::Keyed(children) => {
            let next = children.len().to_string();
            entry(children, next)
        }
        _ => {
            let items = match std::mem::replace(node, Node::Empty) {
                Node::List(items) => items,
                Node::Empty => Vec::new(),
                text => vec![text],
            };
            *node = Node::List(items);
            let Node::List(items) = node else { return node };
            items.push(Node::Empty);
            let last = items.len().saturating_sub(1);
            #[expect(clippy::indexing_slicing, reason = "pushed just above")]
            &mut items[last]
        }
    }
}

/// The item with a number; a list takes it at its end.
fn indexed(node: &mut Node, index: u64) -> &mut Node {
    if matches!(node, Node::Empty) {
        *node = Node::Indexed(BTreeMap::new());
    }
    match node {
        Node::Indexed(children) => children.entry(index).or_insert(Node::Empty),
        Node::Keyed(children) => entry(children, index.to_string()),
        _ => pushed(node),
    }
}

/// The child with a name; a list becomes an object whose names are its numbers.
fn keyed(node: &mut Node, name: String) -> &mut Node {
    if matches!(node, Node::Text(_)) {
        return keyed(pushed(node), name);
    }
    let children = match std::mem::replace(node, Node::Empty) {
        Node::Keyed(children) => children,
        Node::List(items) => items.into_iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        Node::Indexed(items) => items.into_iter().map(|(at, item)| (at.to_string(), item)).collect(),
        Node::Empty | Node::Text(_) => Vec::new(),
    };
    *node = Node::Keyed(children);
    match node {
        Node::Keyed(children) => entry(children, name),
        other => other,
    }
}

/// The finished object.
fn into_map(children: Vec<(String, Node)>) -> Map<String, Value> {
    children.into_iter().map(|(key, node)| (key, into_value(node))).collect()
}

/// The finished value; holes between numbers are closed, as `qs`'s `compact` does.
fn into_value(node: Node) -> Value {
    match node {
        Node::Empty => Value::String(String::new()),
        Node::Text(text) => Value::String(text),
        Node::List(items) => items.into_iter().map(into_value).collect(),
        Node::Indexed(items) => items.into_values().map(into_value).collect(),
        Node::Keyed(children) => Value::Object(into_map(children)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::test_runner::{Config, RngSeed};
    use serde_json::json;

    use super::*;

    /// Rows checked against `qs` 6.13 under Node, default options but for the array limit.
    #[test]
    fn reads_as_qs_does() {
        for (query, read) in [
            ("", json!({})),
            ("a=1&b=2", json!({"a": "1", "b": "2"})),
            ("a", json!({"a": ""})),
            ("=x&&", json!({})),
            ("a=1&a=2&a=3", json!({"a": ["1", "2", "3"]})),
            ("a[]=1", json!({"a": ["1"]})),
            ("a[]=1&a[]=2", json!({"a": ["1", "2"]})),
            ("a[1]=x&a[0]=y", json!({"a": ["y", "x"]})),
            ("a[100]=x&a[7]=y", json!({"a": ["y", "x"]})),
            ("a[b]=1&a[c]=2", json!({"a": {"b": "1", "c": "2"}})),
            ("a[b][c]=1", json!({"a": {"b": {"c": "1"}}})),
            ("a[b][]=1&a[b][]=2", json!({"a": {"b": ["1", "2"]}})),
            ("a[01]=1", json!({"a": {"01": "1"}})),
            ("a%5Bb%5D=1", json!({"a": {"b": "1"}})),
            ("a=%20x+y%2B", json!({"a": " x y+"})),
            ("a=%E0%A4%A", json!({"a": "%E0%A4%A"})),
            ("a=b=c", json!({"a": "b=c"})),
            ("a[x=y]=1", json!({"a": {"x=y": "1"}})),
            ("__proto__[x]=1&a[__proto__]=2&b=3", json!({"b": "3"})),
            ("a[b][c][d][e][f][g][h]=1", json!({"a": {"b": {"c": {"d": {"e": {"f": {"[g][h]": "1"}}}}}}})),
            ("a=1&a[b]=2", json!({"a": ["1", {"b": "2"}]})),
            ("[a]=1", json!({"a": "1"})),
            ("a[=1", json!({"a[": "1"})),
            ("a[[b]=1", json!({"a[": {"b": "1"}})),
            ("a]b[c]x[d]=1", json!({"a]b": {"c": {"d": "1"}}})),
            ("a.b=1", json!({"a.b": "1"})),
        ] {
            assert_eq!(Value::Object(parse(query)), read, "{query}");
        }
    }

    proptest::proptest! {
        // The same texts in every run: what the test says of them is a guess at the grammar.
        #![proptest_config(Config { rng_seed: RngSeed::Fixed(7), ..Config::default() })]

        /// Anybody can send anything here.
        #[test]
        fn any_text_is_read_as_something(text in "([a-z.=&\\[\\]%+0-9ü]|\\[\\]|\\[0\\]){0,60}") {
            let read = parse(&text);
            proptest::prop_assert!(parse_form(&text).is_ok() || text.contains('['));
            proptest::prop_assert!(undotted(&read).is_ok() || text.contains('.') || text.contains('%'));
        }
    }

    #[test]
    fn a_query_has_at_most_a_thousand_pairs() {
        let query = (0..2000).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(parse(&query).len(), 1000);
    }

    #[test]
    fn a_form_with_more_than_a_thousand_pairs_or_too_deep_is_refused() {
        assert!(parse_form(&vec!["a=1"; 1000].join("&")).is_ok());
        assert!(parse_form(&vec!["a=1"; 1001].join("&")).is_err());
        assert!(parse_form(&format!("a{}=1", "[b]".repeat(32))).is_ok());
        assert!(parse_form(&format!("a{}=1", "[b]".repeat(33))).is_err());
    }

    #[test]
    fn a_dotted_key_nests_once() {
        for (query, read) in [
            ("a.b=1&a.c=2&d=3", Some(json!({"a": {"b": "1", "c": "2"}, "d": "3"}))),
            ("a=1&a.b=2", Some(json!({"a": {"b": "2"}}))),
            ("a.b.c=1", None),
        ] {
            assert_eq!(undotted(&parse(query)).ok().map(Value::Object), read, "{query}");
        }
        let message = undotted(&parse("a.b.c=1")).unwrap_err().message;
        assert_eq!(message, "Key accessor more than 2 levels deep: a.b.c");
    }

    #[test]
    fn a_path_segment_must_be_well_encoded() {
        for (segment, decoded) in [
            ("emailpass", Some("emailpass")),
            ("a%40b", Some("a@b")),
            ("%E0%A4%A", None),
            ("%zz", None),
            ("%ff", None),
            ("a%00", None),
        ] {
            assert_eq!(decode_segment(segment).ok().as_deref(), decoded, "{segment}");
        }
    }
}
