//! The statements, read out of the source: whatever is made of literals, `concat!` and macros, of the same file first.

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

/// Macros, by name: the names of its parameters, and its body.
type Macros = BTreeMap<String, (Vec<String>, String)>;

/// Every statement in the source, but for those of the files named: constants, and what stands inside of functions.
pub(crate) fn statements(not_in: &[&str]) -> Vec<Statement> {
    let mut found = Vec::new();
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let of_all: Macros = files.iter().flat_map(|file| macros(&fs::read_to_string(file).unwrap())).collect();
    for file in files {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        if not_in.contains(&stem.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
        let mut macros = macros(text);
        for (name, of_another) in &of_all {
            macros.entry(name.clone()).or_insert_with(|| of_another.clone());
        }
        found.extend(in_text(&stem, text, &macros));
    }
    found
}

/// The statements in a file's text.
fn in_text(stem: &str, text: &str, macros: &Macros) -> Vec<Statement> {
    let (mut found, mut outside) = (Vec::new(), String::new());
    let mut parts = text.split("const ");
    outside.push_str(parts.next().unwrap_or_default());
    for part in parts {
        // Other constants, and functions that are `const`, have no statement.
        let Some((name, rest)) = part.split_once(": &str =").filter(|(name, _)| word(name).1.is_empty()) else {
            outside.push_str(part);
            continue;
        };
        let value = expression(rest);
        outside.push_str(rest.get(value.len()..).unwrap_or_default());
        found.extend(statement(format!("{stem}::{name}"), &evaluate(value, macros, &BTreeMap::new())));
    }
    found.extend(inline(&without_macros(&outside)).filter_map(|expression| {
        let sql = evaluate(&expression, macros, &BTreeMap::new());
        statement(format!("{stem}::{}", expression.split_whitespace().collect::<Vec<_>>().join(" ")), &sql)
    }));
    found
}

/// A text as a statement, if it is one.
fn statement(name: String, text: &str) -> Option<Statement> {
    let sql = text.trim().to_owned();
    let verb = sql.split_whitespace().next().unwrap_or_default();
    if !["select", "insert", "update", "delete", "with"].contains(&verb) || !sql.contains(' ') {
        return None;
    }
    let parameters = (1..30).rev().find(|number| sql.contains(&format!("${number}"))).unwrap_or(0);
    Some(Statement { name, sql, parameters })
}

/// A text without the macros that it defines; those in functions are indented.
fn without_macros(text: &str) -> String {
    let mut parts = text.split("macro_rules! ");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let line = rest.rsplit('\n').next().unwrap_or_default();
        let end = format!("\n{}}}\n", if line.trim().is_empty() { line } else { "" });
        rest.push_str(part.split_once(&end).map_or("", |(_, behind)| behind));
    }
    rest
}

/// The literals and the calls of macros, with literals alone, that stand by themselves in a text.
fn inline(text: &str) -> impl Iterator<Item = String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(quote) = code[from..].find('"').map(|place| from + place) {
        let behind = literal(&code[quote + 1..]).1;
        let mut end = code.len() - behind.len();
        let called = code[from..quote].rfind("!(").map(|place| from + place);
        let mut begin = quote;
        if let Some(called) = called.filter(|called| code[called + 2..quote].trim().is_empty()) {
            begin = code[..called]
                .rfind(|character: char| !character.is_alphanumeric() && character != '_')
                .map_or(0, |it| it + 1);
            end = code.len() - arguments(&code[called + 2..]).1.len();
        }
        found.push(code[begin..end].to_owned());
        from = end;
    }
    found.into_iter()
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
                made.push_str(values.get(name).map_or("", String::as_str));
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
pub(crate) fn word(text: &str) -> (&str, &str) {
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

#[test]
fn statements_are_found_wherever_they_stand() {
    let text = r#"
macro_rules! of {
    ($table:literal, $rest:literal) => {
        concat!("select 1 from ", $table, $rest)
    };
}

const PATIENCE: u32 = 6;
const FIRST: &str = of!("a", " where b = $1");

/// Not "select this from a comment".
const fn none() {}

pub async fn list() {
    let told = "no statement";
    let sql = match order {
        Up => of!("a", " order by b"),
        Down => {
            of!(
                "a",
                " order by b desc"
            )
        }
    };
    query("delete from a where b = $2").fetch(format!("select {told}"));
}
"#;
    let found = in_text("file", text, &macros(text));
    let told: Vec<_> = found.iter().map(|it| (it.name.as_str(), it.sql.as_str(), it.parameters)).collect();
    assert_eq!(
        told,
        [
            ("file::FIRST", "select 1 from a where b = $1", 1),
            (r#"file::of!("a", " order by b")"#, "select 1 from a order by b", 0),
            (r#"file::of!( "a", " order by b desc" )"#, "select 1 from a order by b desc", 0),
            (r#"file::"delete from a where b = $2""#, "delete from a where b = $2", 2),
            (r#"file::format!("select {told}")"#, "select {told}", 0),
        ]
    );
}
