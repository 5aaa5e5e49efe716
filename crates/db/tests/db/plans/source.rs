//! The statements of the models, read out of their source: constants made of literals, `concat!` and macros, of the same file first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A statement.
pub(crate) struct Statement {
    /// The file's name and the constant's: `cr_limit::TAKE`.
    pub(crate) name: String,
    /// What the database gets.
    pub(crate) sql: String,
    /// How many values it takes.
    pub(crate) parameters: usize,
}

/// A macro of a file: the names of its parameters, and its body.
type Macros = BTreeMap<String, (Vec<String>, String)>;

/// Every statement of every model.
pub(crate) fn statements() -> Vec<Statement> {
    let mut found = Vec::new();
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/models"));
    let of_all: Macros = files.iter().flat_map(|file| macros(&fs::read_to_string(file).unwrap())).collect();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut macros = macros(&text);
        for (name, of_another) in &of_all {
            macros.entry(name.clone()).or_insert_with(|| of_another.clone());
        }
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        for part in text.split("\nconst ").skip(1) {
            let Some((name, rest)) = part.split_once(": &str =") else { continue };
            let sql = evaluate(expression(rest), &macros, &BTreeMap::new()).trim().to_owned();
            let verb = sql.split_whitespace().next().unwrap_or_default();
            if ["select", "insert", "update", "delete", "with"].contains(&verb) {
                let parameters = (1..20).rev().find(|number| sql.contains(&format!("${number}"))).unwrap_or(0);
                found.push(Statement { name: format!("{stem}::{name}"), sql, parameters });
            }
        }
    }
    found
}

/// The Rust files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The macros of a file, which have one arm each.
fn macros(text: &str) -> Macros {
    let mut found = BTreeMap::new();
    for part in text.split("macro_rules! ").skip(1) {
        let (name, rest) = part.split_once(" {").unwrap();
        let (head, body) = rest.split_once("=> {").unwrap();
        let parameters = head.split('$').skip(1).map(|it| it.split(':').next().unwrap().to_owned()).collect();
        let body = body.split("\n    };").next().unwrap().to_owned();
        found.insert(name.to_owned(), (parameters, body));
    }
    found
}

/// What stands before the semicolon that ends an expression.
fn expression(text: &str) -> &str {
    let (mut inside, mut escaped) = (false, false);
    for (position, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            ';' if !inside => return &text[..position],
            _ => {}
        }
    }
    text
}

/// The text that an expression of literals, `concat!` and macros makes: all of them put together, one after the other.
fn evaluate(expression: &str, macros: &Macros, values: &BTreeMap<String, String>) -> String {
    let (mut made, mut rest) = (String::new(), expression);
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        match character {
            '"' => {
                let (text, behind) = literal(after);
                made.push_str(&text);
                rest = behind;
            }
            '$' => {
                let (name, behind) = word(after);
                made.push_str(&values[name]);
                rest = behind;
            }
            _ if character.is_alphabetic() => {
                let (name, behind) = word(rest);
                rest = behind;
                if let Some((parameters, body)) = macros.get(name) {
                    let (arguments, behind) = arguments(behind.split_once('(').unwrap().1);
                    let values = parameters.iter().cloned().zip(arguments).collect();
                    made.push_str(&evaluate(body, macros, &values));
                    rest = behind;
                }
            }
            _ => rest = after,
        }
    }
    made
}

/// The literals up to a closing bracket, and what follows it.
fn arguments(text: &str) -> (Vec<String>, &str) {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(position) = rest.find(['"', ')']) {
        let (mark, behind) = rest[position..].split_at(1);
        if mark == ")" {
            return (found, behind);
        }
        let (text, behind) = literal(behind);
        found.push(text);
        rest = behind;
    }
    panic!("a bracket has no end: {text}");
}

/// The letters and underscores at the start, and what follows.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len()))
}

/// The content of a literal whose opening quote was read, and what follows it.
fn literal(text: &str) -> (String, &str) {
    let (mut made, mut rest) = (String::new(), text);
    while let Some(end) = rest.find(['"', '\\']) {
        made.push_str(&rest[..end]);
        let (mark, behind) = rest[end..].split_at(1);
        if mark == "\"" {
            return (made, behind);
        }
        // An escaped line break takes the next line's indentation with it.
        if let Some(line) = behind.strip_prefix('\n') {
            rest = line.trim_start();
        } else {
            let (character, behind) = behind.split_at(1);
            made.push_str(character);
            rest = behind;
        }
    }
    panic!("a literal has no end: {text}");
}

#[test]
fn statements_are_put_together_as_the_compiler_does() {
    let macros = macros(
        "macro_rules! list {\n    ($by:literal) => {\n        concat!(\"select a, \\\n         b order by \", $by)\n    };\n}\n",
    );
    let rest = " concat!(list!(\"a (b)\"), \" limit $1\", \"; \\\"x\\\"\");\nconst NEXT";
    assert_eq!(evaluate(expression(rest), &macros, &BTreeMap::new()), "select a, b order by a (b) limit $1; \"x\"");
}
