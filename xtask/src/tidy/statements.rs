//! A statement counts as written when a test has executed it on both databases: preparing it is not enough, since SQLite
//! prepares `$1::text` and `metadata - 'key'` and means something else by them.

use std::path::Path;

use anyhow::Result;

use crate::repository::{self, SourceFile};

/// Lists the statement functions that no test on both databases calls.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let models = repository::rust_files(root, "crates/db/src/models")?;
    let tests = repository::rust_files(root, "crates/db/tests")?;
    let tested: String =
        tests.iter().filter(|file| file.text.contains("both!")).map(|file| squeezed(&file.text)).collect();
    let mut problems = Vec::new();
    for file in &models {
        for (line, name) in statements(file) {
            let call = format!("{}::{name}(", model(&file.path));
            if !tested.contains(&call) {
                problems.push(format!(
                    "{}:{line}: no test in crates/db/tests calls `{call}…)` on both databases",
                    file.path
                ));
            }
        }
    }
    Ok(problems)
}

/// Line and name of every `pub async fn` of a model, up to its tests.
fn statements(file: &SourceFile) -> Vec<(usize, String)> {
    file.lines()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter_map(|(number, line)| {
            let rest = line.trim_start().strip_prefix("pub async fn ")?;
            Some((number, rest.split(['(', '<']).next()?.to_owned()))
        })
        .collect()
}

/// The name of the module that a model's file is: `customer` of `…/models/customer.rs`.
fn model(path: &str) -> &str {
    path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or(path)
}

/// The text without blanks, so that a call broken over lines is found.
fn squeezed(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A statement that only one database was asked fails, or lies, in the shop that runs the other.
    #[test]
    fn every_statement_is_called_by_a_test_on_both_databases() {
        crate::tidy::assert_kept(check);
    }

    #[test]
    fn statements_are_the_public_asynchronous_functions_before_the_tests() {
        let text = "pub async fn find(tx: &mut Tx) {}\nfn helper() {}\n#[cfg(test)]\npub async fn not_this() {}\n";
        let file = SourceFile { path: "crates/db/src/models/customer.rs".to_owned(), text: text.to_owned() };
        assert_eq!(statements(&file), [(1, "find".to_owned())]);
        assert_eq!(model(&file.path), "customer");
    }
}
