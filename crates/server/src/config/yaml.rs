//! YAML 1.2 (core schema) with the line of each key, from the parser's events.
//!
//! Tags other than the schema's own are not looked at; several documents in one file are refused.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::node::{Node, Origin, Value};

/// What is wrong with the text: the line (from 1) and a sentence without the text itself, which may hold secrets.
type Fault = (usize, String);

/// Levels of nesting beyond which a file is refused, so that it cannot exhaust the stack.
const DEEPEST: usize = 32;
/// Nodes that aliases may repeat in one file, so that it cannot exhaust the memory.
const MOST_NODES: usize = 100_000;

/// Reads a YAML text; `origin_of` tells the origin of a line (from 1). An empty text is an empty table.
///
/// # Errors
/// The first place where it is not YAML, a key that stands twice in one mapping, a second document.
pub(crate) fn parse(text: &str, origin_of: &dyn Fn(usize) -> Origin) -> Result<Node, Fault> {
    let mut events = Events { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0, origin_of };
    let mut root = None;
    loop {
        let (event, span) = events.next()?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if root.is_some() => {
                return Err((span.start.line(), "a second YAML document in one file".to_owned()));
            }
            other => root = Some(events.value(other, &span, 0)?),
        }
    }
    match root {
        Some(Node { value: Value::Null, .. }) | None => Ok(Node::empty(origin_of(0))),
        Some(node) => Ok(node),
    }
}

/// The event stream and the anchors met so far.
struct Events<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    origin_of: &'t dyn Fn(usize) -> Origin,
}

impl<'t> Events<'t> {
    /// The next event; the end of the stream for ever after it.
    fn next(&mut self) -> Result<(Event<'t>, Span), Fault> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, Span::default())),
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err((error.marker().line(), error.info().to_owned())),
        }
    }

    /// The value that begins with this event.
    fn value(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Node, Fault> {
        let line = span.start.line();
        if depth > DEEPEST {
            return Err((line, "nested too deeply".to_owned()));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, _) => (plain(&text), anchor),
            Event::Scalar(text, _, anchor, _) => (Value::Text(text.into_owned()), anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.table(depth)?, anchor),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| (line, "alias of an anchor that does not exist".to_owned()))?;
                self.count(count_nodes(&node), line)?;
                (node.value, 0)
            }
            _ => return Err((line, "unexpected end".to_owned())),
        };
        self.count(1, line)?;
        let node = Node { value, origin: (self.origin_of)(line) };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// Counts nodes against [`MOST_NODES`].
    fn count(&mut self, more: usize, line: usize) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MOST_NODES { Err((line, "too many values".to_owned())) } else { Ok(()) }
    }

    /// Items up to the sequence's end.
    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::List(items));
            }
            items.push(self.value(event, &span, depth + 1)?);
        }
    }

    /// Entries up to the mapping's end; keys must be scalars.
    fn table(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line();
            let name = match event {
                Event::MappingEnd => return Ok(Value::Table(entries)),
                Event::Scalar(name, ..) => name.into_owned(),
                _ => return Err((line, "a key must be text".to_owned())),
            };
            if entries.iter().any(|(key, _)| *key == name) {
                return Err((line, format!("duplicate key `{name}`")));
            }
            let (event, span) = self.next()?;
            let mut node = self.value(event, &span, depth + 1)?;
            node.origin = (self.origin_of)(line);
            entries.push((name, node));
        }
    }
}

/// How many values a tree has.
fn count_nodes(node: &Node) -> usize {
    let inner: usize = node.items().iter().map(count_nodes).sum();
    let entries: usize = node.entries().iter().map(|(_, child)| count_nodes(child)).sum();
    1 + inner + entries
}

/// An unquoted scalar by YAML 1.2's core schema (10.3.2): `yes` and `no` are text.
fn plain(text: &str) -> Value {
    let integer = |digits: &str, radix| i64::from_str_radix(digits, radix).ok().map(Value::Integer);
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Boolean(true),
        "false" | "False" | "FALSE" => return Value::Boolean(false),
        _ => {}
    }
    let special = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(digits), _) if !digits.starts_with(['+', '-']) => integer(digits, 16),
        (_, Some(digits)) if !digits.starts_with(['+', '-']) => integer(digits, 8),
        _ => integer(text, 10),
    };
    if let Some(value) = special {
        return value;
    }
    let numeric = text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    match text.parse() {
        Ok(number) if numeric => Value::Float(number),
        _ => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(line: usize) -> Origin {
        Origin::File { file: "x.yaml".into(), line }
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        for (text, words) in [
            ("a: 6", "a whole number"),
            ("a: 0x1F", "a whole number"),
            ("a: +15550001111", "a whole number"),
            ("a: 1.5", "a number that is not whole or too large"),
            ("a: true", "a boolean"),
            ("a: yes", "text"),
            ("a: '6'", "text"),
            ("a: 5/1h", "text"),
            ("a: 10.0.0.0/8", "text"),
            ("a: ~", "null"),
            ("a:", "null"),
            ("a: [1, 2]", "a list"),
            ("a: {b: 1}", "a table"),
        ] {
            assert_eq!(parse(text, &lines).unwrap().child("a").unwrap().value.type_words(), words, "{text}");
        }
    }

    #[test]
    fn each_key_knows_its_line_and_aliases_are_followed() {
        let text = "# first\noptions:\n  one: &x\n    channel: email\n  two: *x\nlist:\n  - 1\n  - 2\n";
        let node = parse(text, &lines).unwrap();
        assert_eq!(node.at("options.one.channel").unwrap().origin, lines(4));
        assert_eq!(node.at("options.two").unwrap().origin, lines(5));
        assert_eq!(node.at("options.two.channel").unwrap().text(), Some("email"));
        assert_eq!(node.at("list").unwrap().items()[1].origin, lines(8));
    }

    #[test]
    fn what_is_no_single_mapping_is_told_by_line() {
        for (text, line) in [("a: 1\na: 2\n", 2), ("a: 1\n---\nb: 1\n", 3), ("a: [1\nb: 2\n", 2), ("? [1]\n: 2\n", 1)] {
            let (found, message) = parse(text, &lines).err().unwrap_or_else(|| panic!("{text} was taken"));
            assert!(found >= line, "{text}: {found} {message}");
        }
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
        assert!(parse(bomb, &lines).is_err());
    }
}
