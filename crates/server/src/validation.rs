//! Checking a body or a query and saying what is wrong in Medusa's sentences (zod 3.25 under Medusa 2.11.2).
//!
//! A handler takes the fields one by one, in the schema's order; what does not fit is noted, and [`Object::finish`] tells
//! the first three notes at once. Until then a field that did not fit reads as absent.
//!
//! ```
//! # use cr_server::validation::Object;
//! # use serde_json::json;
//! let body = json!({"identifier": 5, "foo": 1});
//! let mut object = Object::strict(&body).unwrap();
//! let identifier = object.string("identifier");
//! let error = object.finish().unwrap_err();
//! assert_eq!(identifier, "");
//! assert_eq!(
//!     error.message,
//!     "Invalid request: Expected type: 'string' for field 'identifier', got: 'number'; Unrecognized fields: 'foo'"
//! );
//! ```

use cr_core::error::Error;
use serde_json::{Map, Value};

/// Most issues that one message tells.
const MOST_ISSUES: usize = 3;

/// A field of an update: whether it was sent, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Not sent: keep what is there.
    #[default]
    Absent,
    /// `null`: clear it.
    Null,
    /// A value.
    Value(T),
}

impl<T> Field<T> {
    /// The value, where absent and `null` mean the same.
    pub fn into_option(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// `None` when not sent, `Some(None)` for `null`.
    pub fn into_patch(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }

    /// Whether the key was sent, `null` included.
    pub fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// An object that is being checked.
#[must_use = "what is wrong is told by `finish`"]
pub struct Object<'a> {
    map: &'a Map<String, Value>,
    names: Vec<&'static str>,
    issues: Vec<String>,
    /// Those of preprocessed fields, which zod tells after unknown keys.
    late_issues: Vec<String>,
    passthrough: bool,
}

impl<'a> Object<'a> {
    /// An object whose every key must be asked for.
    ///
    /// # Errors
    /// `invalid_data` for an array or a text body.
    pub fn strict(value: &'a Value) -> Result<Self, Error> {
        let Value::Object(map) = value else {
            return Err(refusal(&wrong_type("object", "", Some(value))));
        };
        Ok(Self::of_map(map))
    }

    /// A query string; its values are strings, arrays or objects.
    pub fn query(query: &'a Map<String, Value>) -> Self {
        Self::of_map(query)
    }

    /// Over any map: nothing asked for yet, nothing wrong yet.
    fn of_map(map: &'a Map<String, Value>) -> Self {
        Self { map, names: Vec::new(), issues: Vec::new(), late_issues: Vec::new(), passthrough: false }
    }

    /// The same, but keys that nobody asks for are ignored, as login and register do.
    pub fn passthrough(mut self) -> Self {
        self.passthrough = true;
        self
    }

    /// A required string; empty when it is missing or wrong, which is noted.
    pub fn string(&mut self, name: &'static str) -> String {
        let found = self.take(name, "string", Value::as_str);
        self.required(name, found).map(str::to_owned).unwrap_or_default()
    }

    /// A string that may be left out, but not be `null`.
    pub fn optional_string(&mut self, name: &'static str) -> Option<String> {
        let found = self.take(name, "string", Value::as_str);
        self.not_null(name, "string", found).map(str::to_owned)
    }

    /// A string that may be left out or `null`.
    pub fn nullable_string(&mut self, name: &'static str) -> Field<String> {
        self.take(name, "string", |value| value.as_str().map(str::to_owned))
    }

    /// A string of at most `most` characters that may be left out or `null`.
    pub fn nullable_string_of_at_most(&mut self, name: &'static str, most: usize) -> Field<String> {
        let field = self.nullable_string(name);
        match &field {
            Field::Value(text) if text.chars().count() > most => {
                self.issues.push(format!("Value for field '{name}' too big, expected at most: '{most}'"));
                Field::Absent
            }
            _ => field,
        }
    }

    /// An e-mail address that may be left out or `null`, as `parse` reads one: the domain's parser, not a rule of this
    /// module.
    pub fn nullable_email<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Field<T> {
        match self.nullable_string(name) {
            Field::Absent => Field::Absent,
            Field::Null => Field::Null,
            Field::Value(text) => parse(&text).map_or_else(
                || {
                    self.issues.push("Invalid email".to_owned());
                    Field::Absent
                },
                Field::Value,
            ),
        }
    }

    /// An object of any keys that may be left out or `null`, such as `metadata`.
    pub fn nullable_object(&mut self, name: &'static str) -> Field<Map<String, Value>> {
        self.take(name, "object", |value| value.as_object().cloned())
    }

    /// `true` or `false`, or left out.
    pub fn optional_boolean(&mut self, name: &'static str) -> Option<bool> {
        let found = self.take(name, "boolean", Value::as_bool);
        self.not_null(name, "boolean", found)
    }

    /// A number, or left out.
    pub fn optional_number(&mut self, name: &'static str) -> Option<f64> {
        let found = self.take(name, "number", Value::as_f64);
        self.not_null(name, "number", found)
    }

    /// A required word out of a list; the list's first when it is missing or wrong, which is noted.
    pub fn one_of(&mut self, name: &'static str, words: &[&'static str]) -> &'static str {
        let found = self.optional_one_of(name, words);
        if found.is_none() && !self.map.contains_key(name) {
            self.issues.push(format!("Field '{name}' is required"));
        }
        found.or_else(|| words.first().copied()).unwrap_or_default()
    }

    /// A word out of a list, or left out.
    pub fn optional_one_of(&mut self, name: &'static str, words: &[&'static str]) -> Option<&'static str> {
        self.names.push(name);
        let value = self.map.get(name)?;
        let Some(given) = value.as_str() else {
            let expected = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" | ");
            self.issues.push(wrong_type(&expected, name, Some(value)));
            return None;
        };
        let found = words.iter().find(|word| **word == given).copied();
        if found.is_none() {
            self.issues.push(format!("Expected: '{}' for field '{name}', but got: '{given}'", words.join(", ")));
        }
        found
    }

    /// A whole number in a query, read as `parseInt` reads one, so `5x` is 5; `default` when left out. The bounds are
    /// inclusive.
    pub fn query_integer(&mut self, name: &'static str, default: i64, least: i64, most: i64) -> i64 {
        self.names.push(name);
        let Some(value) = self.map.get(name) else { return default };
        let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
            self.late_issues.push(wrong_type("number", name, Some(value)));
            return default;
        };
        let Some(number) = parse_int(text) else {
            self.late_issues.push(format!("Expected type: 'number' for field '{name}', got: 'nan'"));
            return default;
        };
        if number < least {
            self.late_issues.push(format!("Value for field '{name}' too small, expected at least: '{least}'"));
        } else if number > most {
            self.late_issues.push(format!("Value for field '{name}' too big, expected at most: '{most}'"));
        }
        number
    }

    /// Whether exactly one of these keys was sent with something other than `null`.
    ///
    /// # Errors
    /// `invalid_data` with our sentence, at once.
    pub fn exactly_one_of(&self, names: &[&str]) -> Result<(), Error> {
        let sent = names.iter().filter(|name| self.map.get(**name).is_some_and(|value| !value.is_null())).count();
        if sent == 1 {
            return Ok(());
        }
        Err(Error::invalid_data(format!("Provide exactly one of: {}", names.join(", "))))
    }

    /// Ends the check.
    ///
    /// # Errors
    /// `invalid_data` with the first three issues: wrong fields in the order asked for, then unknown keys, then numbers
    /// of a query.
    pub fn finish(mut self) -> Result<(), Error> {
        if !self.passthrough {
            let unknown: Vec<&str> =
                self.map.keys().map(String::as_str).filter(|key| !self.names.contains(key)).collect();
            if !unknown.is_empty() {
                self.issues.push(format!("Unrecognized fields: '{}'", unknown.join(", ")));
            }
        }
        self.issues.append(&mut self.late_issues);
        if self.issues.is_empty() {
            return Ok(());
        }
        self.issues.truncate(MOST_ISSUES);
        Err(refusal(&self.issues.join("; ")))
    }

    /// A field as `read` reads it; another type is noted.
    fn take<T>(&mut self, name: &'static str, expected: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Field<T> {
        self.names.push(name);
        match self.map.get(name) {
            None => Field::Absent,
            Some(Value::Null) => Field::Null,
            Some(value) => read(value).map_or_else(
                || {
                    self.issues.push(wrong_type(expected, name, Some(value)));
                    Field::Absent
                },
                Field::Value,
            ),
        }
    }

    /// Notes a required string that is missing or `null`.
    fn required<T>(&mut self, name: &'static str, found: Field<T>) -> Option<T> {
        if matches!(found, Field::Absent) && !self.map.contains_key(name) {
            self.issues.push(format!("Field '{name}' is required"));
        }
        self.not_null(name, "string", found)
    }

    /// Notes a `null` where none may be.
    fn not_null<T>(&mut self, name: &'static str, expected: &str, found: Field<T>) -> Option<T> {
        if matches!(found, Field::Null) {
            self.issues.push(wrong_type(expected, name, Some(&Value::Null)));
        }
        found.into_option()
    }
}

/// The sentence for a wrong type, or for a field that is missing.
fn wrong_type(expected: &str, name: &str, value: Option<&Value>) -> String {
    let got = match value {
        None => return format!("Field '{name}' is required"),
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    };
    format!("Expected type: '{expected}' for field '{name}', got: '{got}'")
}

/// The refusal of a request that does not fit its schema.
fn refusal(issues: &str) -> Error {
    Error::invalid_data(format!("Invalid request: {issues}"))
}

/// JavaScript's `parseInt` in base ten: blanks, a sign, digits, and whatever follows. Beyond 64 bits: the nearest end.
fn parse_int(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
    let digits = digits.get(..end).filter(|digits| !digits.is_empty())?;
    Some(digits.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(sign))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::query;

    /// The schema of Medusa's `POST /store/customers`.
    fn customer(body: &Value) -> Result<(), String> {
        let mut object = Object::strict(body).map_err(|error| error.message)?;
        let _ = object.nullable_email("email", |text| text.contains('@').then_some(()));
        let _ = object.nullable_string("company_name");
        let _ = object.nullable_string("first_name");
        let _ = object.nullable_string("last_name");
        let _ = object.nullable_string("phone");
        let _ = object.nullable_object("metadata");
        object.finish().map_err(|error| error.message)
    }

    /// Messages that Medusa 2.11.2 gave, which storefronts show as they are.
    #[test]
    fn customer_bodies_are_judged_as_medusa_judges_them() {
        for (body, message) in [
            (json!({}), None),
            (json!({"email": "a@b.co", "first_name": null, "metadata": {"a": [1]}}), None),
            (json!({"email": ""}), Some("Invalid email")),
            (json!({"email": 5}), Some("Expected type: 'string' for field 'email', got: 'number'")),
            (
                json!({"first_name": 1, "last_name": true, "company_name": [], "phone": {}, "metadata": "x"}),
                Some(
                    "Expected type: 'string' for field 'company_name', got: 'array'; Expected type: 'string' for field \
                     'first_name', got: 'number'; Expected type: 'string' for field 'last_name', got: 'boolean'",
                ),
            ),
            (json!({"metadata": [1]}), Some("Expected type: 'object' for field 'metadata', got: 'array'")),
            (
                json!({"referral_code": "x", "has_account": true}),
                Some("Unrecognized fields: 'referral_code, has_account'"),
            ),
            (
                json!({"foo": 1, "email": 1}),
                Some("Expected type: 'string' for field 'email', got: 'number'; Unrecognized fields: 'foo'"),
            ),
            (json!([]), Some("Expected type: 'object' for field '', got: 'array'")),
            (json!("x"), Some("Expected type: 'object' for field '', got: 'string'")),
        ] {
            let expected = message.map_or(Ok(()), |message| Err(format!("Invalid request: {message}")));
            assert_eq!(customer(&body), expected, "{body}");
        }
    }

    #[test]
    fn required_words_and_strings_are_asked_for() {
        for (body, message) in [
            (json!({"type": "publishable", "title": "t"}), None),
            (json!({}), Some("Field 'title' is required; Field 'type' is required")),
            (
                json!({"title": null, "type": "nope"}),
                Some(
                    "Expected type: 'string' for field 'title', got: 'null'; Expected: 'publishable, secret' for field \
                     'type', but got: 'nope'",
                ),
            ),
            (
                json!({"title": "t", "type": 1}),
                Some("Expected type: ''publishable' | 'secret'' for field 'type', got: 'number'"),
            ),
        ] {
            let mut object = Object::strict(&body).unwrap();
            let _ = object.string("title");
            let _ = object.one_of("type", &["publishable", "secret"]);
            let expected = message.map_or(Ok(()), |message| Err(format!("Invalid request: {message}")));
            assert_eq!(object.finish().map_err(|error| error.message), expected, "{body}");
        }
    }

    /// The admin's list parameters.
    #[test]
    fn query_numbers_are_read_as_parse_int_reads_them() {
        for (text, limit, message) in [
            ("", 20, None),
            ("limit=5x", 5, None),
            ("limit=1.5", 1, None),
            ("limit=0", 0, None),
            ("limit=abc", 20, Some("Expected type: 'number' for field 'limit', got: 'nan'")),
            ("limit=", 20, Some("Expected type: 'number' for field 'limit', got: 'string'")),
            ("limit=1&limit=2", 20, Some("Expected type: 'number' for field 'limit', got: 'array'")),
            ("limit=-1", -1, Some("Value for field 'limit' too small, expected at least: '0'")),
            (
                "limit=1000000000000000000000",
                i64::MAX,
                Some("Value for field 'limit' too big, expected at most: '1000'"),
            ),
            (
                "limit=abc&foo=1&order=x",
                20,
                Some("Unrecognized fields: 'foo, order'; Expected type: 'number' for field 'limit', got: 'nan'"),
            ),
        ] {
            let query = query::parse(text);
            let mut object = Object::query(&query);
            assert_eq!(object.query_integer("limit", 20, 0, 1000), limit, "{text}");
            let expected = message.map_or(Ok(()), |message| Err(format!("Invalid request: {message}")));
            assert_eq!(object.finish().map_err(|error| error.message), expected, "{text}");
        }
    }

    #[test]
    fn exactly_one_lookup_is_taken_and_unknown_keys_only_where_allowed() {
        for (body, one) in [
            (json!({"email": "a"}), true),
            (json!({"email": "a", "phone": null}), true),
            (json!({"email": "a", "phone": "b"}), false),
            (json!({}), false),
        ] {
            let object = Object::strict(&body).unwrap();
            let told = object.exactly_one_of(&["email", "phone"]).map_err(|error| error.message);
            assert_eq!(
                told,
                if one { Ok(()) } else { Err("Provide exactly one of: email, phone".to_owned()) },
                "{body}"
            );
        }
        let body = json!({"anything": 1});
        assert!(Object::strict(&body).unwrap().passthrough().finish().is_ok());
        assert!(Object::strict(&body).unwrap().finish().is_err());
    }

    #[test]
    fn a_long_text_is_refused_by_its_characters() {
        for (length, fits) in [(1000, true), (1001, false)] {
            let body = json!({"reason": "ü".repeat(length)});
            let mut object = Object::strict(&body).unwrap();
            let _ = object.nullable_string_of_at_most("reason", 1000);
            assert_eq!(object.finish().is_ok(), fits, "{length}");
        }
    }
}
