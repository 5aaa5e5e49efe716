//! Every row of the table of what the plugin names points to a test that exists.

use std::path::Path;

use anyhow::Result;

use crate::repository;

/// The document with the table.
const DOCUMENT: &str = "docs/API.md";
/// The heading of its section.
const HEADING: &str = "## What the plugin names, and the test that shows it";

/// Lists rows without a test, and tests that are not where their row says.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let documents = repository::files(root, "docs")?;
    let Some(document) = documents.iter().find(|file| file.path == DOCUMENT) else { return Ok(Vec::new()) };
    let mut tests = repository::files(root, "crates")?;
    tests.extend(repository::files(root, "e2e")?);
    tests.extend(repository::files(root, "xtask")?);
    let text_of = |path: &str| tests.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    Ok(problems(&document.text, text_of))
}

/// What is wrong with the table of a document, given the text of each file by its path.
fn problems<'a>(document: &str, text_of: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let Some((_, section)) = document.split_once(HEADING) else {
        return vec![format!("{DOCUMENT} has no section \"{HEADING}\"")];
    };
    let section = section.split("\n## ").next().unwrap_or(section);
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| problems_of(row, &text_of)).collect()
}

/// What is wrong with one row: its last cell names at least one `path::test`, and each is there.
fn problems_of<'a>(row: &str, text_of: &impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let name = row.split('`').nth(1).unwrap_or(row);
    let last = row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default();
    let tests: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
    if tests.is_empty() {
        return vec![format!("{DOCUMENT}: `{name}` names no test")];
    }
    let is_missing = |test: &&str| {
        test.rsplit_once("::").is_none_or(|(path, function)| {
            !text_of(path).is_some_and(|text| {
                text.contains(&format!("fn {function}(")) || text.contains(&format!("test(\"{function}\""))
            })
        })
    };
    tests
        .into_iter()
        .filter(is_missing)
        .map(|test| format!("{DOCUMENT}: `{name}`: there is no test `{test}`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A promise whose test was renamed or removed is a promise that nobody keeps.
    #[test]
    fn every_name_of_the_plugin_has_its_test() {
        crate::tidy::assert_kept(check);
    }

    #[test]
    fn a_row_needs_a_test_that_exists() {
        let text_of = |path: &str| (path == "crates/a.rs").then_some("async fn it_works(database: TestDatabase) {");
        for (row, broken) in [
            ("| `send-otp` | here | `crates/a.rs::it_works` |", false),
            ("| `send-otp` | here | `crates/a.rs::it_works`, `crates/a.rs::gone` |", true),
            ("| `send-otp` | here | `crates/b.rs::it_works` |", true),
            ("| `send-otp` | here | |", true),
            ("| `send-otp` | here | it works |", true),
        ] {
            let document = format!("{HEADING}\n\n| name |\n|---|\n{row}\n\n## Next\n| `not here` | |\n");
            assert_eq!(!problems(&document, text_of).is_empty(), broken, "{row}");
        }
        assert_eq!(problems("# The routes", text_of).len(), 1);
    }
}
