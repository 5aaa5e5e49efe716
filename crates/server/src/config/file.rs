//! A configuration file into a value tree: the format by the extension, TOML's lines from its spans.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Node, Origin, Value};
use super::problem::Problem;
use super::{json, yaml};

/// Reads a configuration file. What is wrong with the text is one problem a place; TOML tells all places, YAML and JSON
/// the first.
///
/// # Errors
/// When the file cannot be read, has another extension than `.toml`, `.yaml`, `.yml`, `.json`, or is not what the
/// extension says.
pub(crate) fn read(path: &Path, shown: &str) -> Result<Node, Vec<Problem>> {
    let file: Arc<str> = shown.into();
    let origin_of = |line| Origin::File { file: Arc::clone(&file), line };
    let problem = |line, message: String, fix: &str| Problem {
        path: String::new(),
        origin: origin_of(line),
        message,
        fix: fix.to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![problem(
            0,
            format!("the configuration file cannot be read: {error}"),
            "Give the path of a readable file with `--config`.",
        )]
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let (name, parsed) = match extension.as_str() {
        "toml" => ("TOML", parse_toml(text, &origin_of)),
        "yaml" | "yml" => ("YAML", yaml::parse(text, &origin_of).map_err(|fault| vec![fault])),
        "json" => ("JSON", json::parse(text, &origin_of).map_err(|fault| vec![fault])),
        _ => {
            let message = format!("`.{extension}` is no format of a configuration file");
            return Err(vec![problem(0, message, "Name it `.toml`, `.yaml`, `.yml` or `.json`.")]);
        }
    };
    let node = parsed.map_err(|faults| {
        let told = |(line, message)| problem(line, format!("not valid {name}: {message}"), "Correct this line.");
        faults.into_iter().map(told).collect::<Vec<_>>()
    })?;
    if matches!(node.value, Value::Table(_)) {
        return Ok(node);
    }
    Err(vec![problem(
        1,
        format!("the file holds {}, not keys and values", node.value.type_words()),
        "Begin with `projectConfig` or `options`.",
    )])
}

/// Reads TOML; every syntax error as (line, sentence without the text, which may hold secrets).
pub(crate) fn parse_toml(text: &str, origin_of: &dyn Fn(usize) -> Origin) -> Result<Node, Vec<(usize, String)>> {
    let line_of = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors
            .iter()
            .map(|error| (error.span().map_or(0, |span| line_of(span.start)), error.message().to_owned()))
            .collect());
    }
    let place = |span: std::ops::Range<usize>| origin_of(line_of(span.start));
    Ok(Node { value: toml_table(root.get_ref(), &place), origin: origin_of(0) })
}

/// A table; each value stands where its key stands.
fn toml_table(table: &DeTable<'_>, place: &dyn Fn(std::ops::Range<usize>) -> Origin) -> Value {
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        (name.clone().into_owned(), Node { value: toml_value(value.get_ref(), place), origin: place(key.span()) })
    };
    let mut entries: Vec<(std::ops::Range<usize>, (String, Node))> =
        table.iter().map(|(key, value)| (key.span(), entry((key, value)))).collect();
    entries.sort_by_key(|(span, _)| span.start);
    Value::Table(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// Any TOML value; dates are text.
fn toml_value(value: &DeValue<'_>, place: &dyn Fn(std::ops::Range<usize>) -> Origin) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Float(f64::INFINITY), Value::Integer)
        }
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(moment) => Value::Text(moment.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| Node { value: toml_value(item.get_ref(), place), origin: place(item.span()) })
                .collect(),
        ),
        DeValue::Table(table) => toml_table(table, place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_tells_each_key_its_line_and_every_syntax_error() {
        let lines = |line| Origin::File { file: "x.toml".into(), line };
        let node = parse_toml("a = 1\n[b]\nc.d = [1,\n2]\n\n[[e]]\nf = 2026-01-01T00:00:00Z\n", &lines).unwrap();
        assert_eq!(node.at("a").unwrap().origin, lines(1));
        assert_eq!(node.at("b").unwrap().origin, lines(2));
        assert_eq!(node.at("b.c.d").unwrap().origin, lines(3));
        assert_eq!(node.at("b.c.d").unwrap().items()[1].origin, lines(4));
        assert_eq!(node.at("e").unwrap().items()[0].child("f").unwrap().text(), Some("2026-01-01T00:00:00Z"));
        let faults = parse_toml("a = \nb = 1\nc = \"hunter2\n", &lines).err().unwrap();
        assert_eq!(faults.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
        assert!(faults.iter().all(|(_, message)| !message.contains("hunter2")));
    }
}
