//! JSON as JavaScript reads and writes it: every number is a double, `__proto__` is no key.
//!
//! Medusa's clients and rows have gone through `JSON.parse` and `JSON.stringify`; what this server takes in and gives out
//! must be the same text.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::{Number, Value};

/// Reads a JSON text and brings it to what JavaScript would have made of it. Duplicate keys: the last wins.
///
/// # Errors
/// When the text is no JSON, or nested deeper than 128 levels.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::from_str(text)?;
    as_javascript(&mut value);
    Ok(value)
}

/// Writes compact JSON, numbers as `JSON.stringify` writes them.
///
/// # Errors
/// When a value cannot be shown as JSON, such as a map whose keys are no text.
pub fn write(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::with_capacity(512);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, JavaScript))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// Whether a string or a key in here holds a NUL character, which PostgreSQL cannot store.
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(key, item)| key.contains('\0') || has_nul(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Rounds numbers to doubles and drops `__proto__` keys, at every level.
fn as_javascript(value: &mut Value) {
    match value {
        Value::Number(number) => *number = as_double(number),
        Value::Array(items) => items.iter_mut().for_each(as_javascript),
        Value::Object(map) => {
            map.shift_remove("__proto__");
            map.values_mut().for_each(as_javascript);
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// The number that JavaScript would hold, as an integer where it prints as one that fits.
fn as_double(number: &Number) -> Number {
    let Some(double) = number.as_f64() else { return number.clone() };
    let text = number_text(double);
    if let Ok(integer) = text.parse::<i64>() {
        return integer.into();
    }
    if let Ok(integer) = text.parse::<u64>() {
        return integer.into();
    }
    Number::from_f64(double).unwrap_or_else(|| number.clone())
}

/// A double as `Number.prototype.toString` prints it (ECMA-262, 6.1.6.1.20): shortest digits, plain from 1e-7 up to 1e21.
fn number_text(double: f64) -> String {
    if double == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{double:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific.as_str(), "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    // Where the decimal point stands, counted in digits from the left.
    let point = exponent.parse::<i32>().unwrap_or(0).saturating_add(1);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |number: i32| "0".repeat(usize::try_from(number).unwrap_or(0));
    let split_at = usize::try_from(point).unwrap_or(0).min(digits.len());
    let (whole, fraction) = digits.split_at(split_at);
    if count <= point && point <= 21 {
        format!("{sign}{digits}{}", zeros(point - count))
    } else if 0 < point && point <= 21 {
        format!("{sign}{whole}.{fraction}")
    } else if -6 < point && point <= 0 {
        format!("{sign}0.{}{digits}", zeros(-point))
    } else {
        let (first, rest) = digits.split_at(1);
        let point_and_rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        let exponent = point - 1;
        format!("{sign}{first}{point_and_rest}e{}{}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
    }
}

/// `serde_json`'s compact form, but for numbers.
struct JavaScript;

impl Formatter for JavaScript {
    /// Digits as [`number_text`] has them.
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number_text(value).as_bytes())
    }

    /// The same: JavaScript has no other number.
    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        self.write_f64(writer, f64::from(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whichever of Rust's numbers it is, it is written as the double that it would be there.
    #[test]
    fn a_single_is_written_as_a_double() {
        assert_eq!(write(&(1.0_f32, 0.1_f32, 1.0_f64)).unwrap(), "[1,0.10000000149011612,1]");
    }

    /// A storefront that stores a number in `metadata` reads back what Node would have given it.
    #[test]
    fn numbers_are_read_and_printed_as_javascript_does() {
        for (sent, printed) in [
            ("12345678901234567890", "12345678901234567000"),
            ("9007199254740993", "9007199254740992"),
            ("1.0", "1"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1e21", "1e+21"),
            ("1e20", "100000000000000000000"),
            ("123456789012345678901", "123456789012345680000"),
            ("1.5e300", "1.5e+300"),
            ("0.1", "0.1"),
            ("-12.50", "-12.5"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("-1.25e-9", "-1.25e-9"),
            ("5", "5"),
            ("9223372036854775807", "9223372036854776000"),
        ] {
            let value = parse(&format!("{{\"n\":{sent}}}")).unwrap();
            assert_eq!(write(&value).unwrap(), format!("{{\"n\":{printed}}}"), "{sent}");
        }
    }

    #[test]
    fn keys_follow_javascript() {
        for (sent, read) in [
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#"{"__proto__":{"x":1},"a":{"__proto__":2,"b":1}}"#, r#"{"a":{"b":1}}"#),
        ] {
            assert_eq!(write(&parse(sent).unwrap()).unwrap(), read, "{sent}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_number_survives_printing_and_reading(double in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            let text = number_text(double);
            let read: f64 = text.parse().unwrap();
            proptest::prop_assert!(read.total_cmp(&double).is_eq() || double == 0.0);
            let Value::Number(number) = parse(&text).unwrap() else { panic!("{text}") };
            proptest::prop_assert_eq!(write(&number).unwrap(), text);
        }
    }

    #[test]
    fn nesting_has_an_end() {
        assert!(parse(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn nul_is_found_in_strings_and_keys_at_any_depth() {
        for (text, found) in [
            (r#"{"a":"b"}"#, false),
            (r#"{"a":["\u0000"]}"#, true),
            (r#"{"a":{"x\u0000":1}}"#, true),
            (r#"{"a":"\\u0000"}"#, false),
        ] {
            assert_eq!(has_nul(&parse(text).unwrap()), found, "{text}");
        }
    }
}
