//! Every test that a document names exists, and what the plugin names has a test in every row.

use std::path::Path;

use anyhow::Result;

use crate::repository;

/// Folders that tests lie in, as documents write them.
const FOLDERS: [&str; 3] = ["crates/", "e2e/", "xtask/"];
/// The document with the table of what the plugin names.
const DOCUMENT: &str = "docs/API.md";
/// The heading of its section.
const HEADING: &str = "## What the plugin names, and the test that shows it";

/// Lists tests that are not where a document says, and rows of that table that name none.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut tests = Vec::new();
    for folder in FOLDERS {
        tests.extend(repository::files(root, folder.trim_end_matches('/'))?);
    }
    let text_of = |path: &str| tests.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let mut problems = Vec::new();
    for document in repository::files(root, "docs")?.iter().filter(|file| file.extension() == "md") {
        let missing = named(&document.text).filter(|test| !exists(test, text_of));
        problems.extend(missing.map(|test| format!("{}: there is no test `{test}`", document.path)));
        if document.path == DOCUMENT {
            problems.extend(rows_without_test(&document.text));
        }
    }
    Ok(problems)
}

/// What a text says in backticks as `path::test`. Other names with two colons, such as Rust's own, begin with no folder of ours.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let is_test = |word: &&str| word.contains("::") && FOLDERS.iter().any(|folder| word.starts_with(folder));
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(is_test)
}

/// Whether the file of a `path::test` has a function of this name, or a test of Node's.
fn exists<'a>(test: &str, text_of: impl Fn(&str) -> Option<&'a str>) -> bool {
    test.rsplit_once("::").is_some_and(|(path, function)| {
        text_of(path).is_some_and(|text| {
            text.contains(&format!("fn {function}(")) || text.contains(&format!("test(\"{function}\""))
        })
    })
}

/// What is wrong with the table: a row whose last cell names no test is a promise that nothing shows.
fn rows_without_test(document: &str) -> Vec<String> {
    let Some((_, section)) = document.split_once(HEADING) else {
        return vec![format!("{DOCUMENT} has no section \"{HEADING}\"")];
    };
    let section = section.split("\n## ").next().unwrap_or(section);
    let last_cell = |row: &str| row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default().to_owned();
    section
        .lines()
        .filter(|line| line.starts_with("| `") && named(&last_cell(line)).next().is_none())
        .map(|row| format!("{DOCUMENT}: `{}` names no test", row.split('`').nth(1).unwrap_or(row)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A promise whose test was renamed or removed is a promise that nobody keeps.
    #[test]
    fn every_named_test_exists_and_every_name_of_the_plugin_has_one() {
        crate::tidy::assert_kept(check);
    }

    #[test]
    fn a_test_is_found_by_its_file_and_its_name() {
        let text_of = |path: &str| match path {
            "crates/a.rs" => Some("async fn it_works(database: TestDatabase) {"),
            "e2e/a.mjs" => Some("test(\"it works\", () => {})"),
            _ => None,
        };
        for (text, missing) in [
            ("Shown by `crates/a.rs::it_works`.", vec![]),
            ("| 1 | `crates/a.rs::it_works`, `crates/a.rs::gone` |", vec!["crates/a.rs::gone"]),
            ("`crates/b.rs::it_works`, `crates/a.rs::it`", vec!["crates/b.rs::it_works", "crates/a.rs::it"]),
            ("`e2e/a.mjs::it works`", vec![]),
            ("`workflows::send_otp`, `crates/a.rs`, crates/a.rs::gone", vec![]),
        ] {
            let found: Vec<&str> = named(text).filter(|test| !exists(test, text_of)).collect();
            assert_eq!(found, missing, "{text}");
        }
    }

    #[test]
    fn a_row_needs_a_test() {
        for (row, broken) in [
            ("| `send-otp` | here | `crates/a.rs::it_works` |", false),
            ("| `send-otp` | `crates/a.rs::it_works` | |", true),
            ("| `send-otp` | here | it works |", true),
            ("| name | here | |", false),
        ] {
            let document = format!("{HEADING}\n\n| name |\n|---|\n{row}\n\n## Next\n| `not here` | |\n");
            assert_eq!(!rows_without_test(&document).is_empty(), broken, "{row}");
        }
        assert_eq!(rows_without_test("# The routes").len(), 1);
    }
}
