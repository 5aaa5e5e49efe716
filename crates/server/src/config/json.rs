//! JSON with the line of each value: `serde_json` judges the text, then a walk over the judged text notes the lines.
//!
//! Also reads lists and tables that stand in environment variables.

use super::node::{Node, Origin, Value};

/// What is wrong with the text: the line (from 1) and a sentence without the text itself, which may hold secrets.
pub(crate) type Fault = (usize, String);

/// Reads a JSON text; `origin_of` tells the origin of a line (from 1).
///
/// # Errors
/// The first place where it is not JSON, or a key that stands twice in one object.
pub(crate) fn parse(text: &str, origin_of: &dyn Fn(usize) -> Origin) -> Result<Node, Fault> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| (error.line(), syntax_words(&error)))?;
    let mut walk = Walk { rest: text, line: 1, origin_of };
    walk.value()
}

/// serde's sentence without its position, which is told apart.
fn syntax_words(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words.split(" at line ").next().unwrap_or_default().to_owned()
}

/// The judged text from the present place on.
struct Walk<'t> {
    rest: &'t str,
    line: usize,
    origin_of: &'t dyn Fn(usize) -> Origin,
}

impl<'t> Walk<'t> {
    /// Goes on by this many bytes and gives what was passed, counting lines.
    fn take(&mut self, bytes: usize) -> &'t str {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.line += passed.matches('\n').count();
        self.rest = rest;
        passed
    }

    /// Passes white space and tells the next byte; 0 at the end.
    fn peek(&mut self) -> u8 {
        let blank = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.take(blank);
        self.rest.bytes().next().unwrap_or(0)
    }

    /// Passes the next byte if it is this one.
    fn passes(&mut self, byte: u8) -> bool {
        let here = self.peek() == byte;
        if here {
            self.take(1);
        }
        here
    }

    /// A value with the line that it begins on.
    fn value(&mut self) -> Result<Node, Fault> {
        let first = self.peek();
        let origin = (self.origin_of)(self.line);
        let value = match first {
            b'{' => self.table()?,
            b'[' => self.list()?,
            b'"' => Value::Text(self.string()?),
            _ => self.literal(),
        };
        Ok(Node { value, origin })
    }

    /// `{"key": value, …}`.
    fn table(&mut self) -> Result<Value, Fault> {
        self.take(1);
        let mut entries: Vec<(String, Node)> = Vec::new();
        while self.peek() == b'"' {
            let line = self.line;
            let name = self.string()?;
            if entries.iter().any(|(key, _)| *key == name) {
                return Err((line, format!("duplicate key `{name}`")));
            }
            self.passes(b':');
            let mut node = self.value()?;
            node.origin = (self.origin_of)(line);
            entries.push((name, node));
            self.passes(b',');
        }
        self.passes(b'}');
        Ok(Value::Table(entries))
    }

    /// `[value, …]`.
    fn list(&mut self) -> Result<Value, Fault> {
        self.take(1);
        let mut items = Vec::new();
        while !self.passes(b']') {
            if self.rest.is_empty() {
                break;
            }
            items.push(self.value()?);
            self.passes(b',');
        }
        Ok(Value::List(items))
    }

    /// A string, escapes resolved by serde.
    fn string(&mut self) -> Result<String, Fault> {
        let line = self.line;
        let mut escaped = false;
        let end = self
            .rest
            .bytes()
            .skip(1)
            .position(|byte| {
                let closes = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                closes
            })
            .map_or(self.rest.len(), |position| position + 2);
        serde_json::from_str(self.take(end)).map_err(|error| (line, syntax_words(&error)))
    }

    /// `null`, `true`, `false` or a number.
    fn literal(&mut self) -> Value {
        let end = self.rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(self.rest.len());
        match self.take(end) {
            "null" => Value::Null,
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            number => number.parse().map_or_else(|_| Value::Float(number.parse().unwrap_or(f64::NAN)), Value::Integer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(line: usize) -> Origin {
        Origin::File { file: "x.json".into(), line }
    }

    #[test]
    fn each_value_knows_the_line_of_its_key() {
        let text = "{\n  \"options\": {\n    \"otpLength\":\n 6,\n \"a\\\"b\": [true, null,\n 1.5, \
            \"\\ud83d\\ude00}\"] },\n \"x\": {}\n}";
        let node = parse(text, &lines).unwrap();
        assert_eq!(node.at("options").unwrap().origin, lines(2));
        assert_eq!(node.at("options.otpLength").unwrap().origin, lines(3));
        assert!(matches!(node.at("options.otpLength").unwrap().value, Value::Integer(6)));
        let list = node.at("options").unwrap().child("a\"b").unwrap();
        assert_eq!(list.items().len(), 4);
        assert_eq!(list.items()[2].origin, lines(6));
        assert_eq!(list.items()[3].text(), Some("😀}"));
        assert_eq!(node.at("x").unwrap().origin, lines(7));
    }

    #[test]
    fn broken_text_is_told_by_line_and_never_quoted() {
        for (text, line) in
            [("{\n\"jwtSecret\": \"hunter2\n}", 2), ("{\"a\": 1,\n\n}", 3), ("", 1), ("{\"a\":1,\n\"a\":2}", 2)]
        {
            let (found, message) = parse(text, &lines).err().unwrap();
            assert_eq!(found, line, "{text}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
