//! Comments that must be there: every module says what it is for, every function adds something to its name.
//!
//! The compiler's `missing_docs` sees public items of libraries alone; private functions are read as often.

use std::path::Path;

use anyhow::Result;

use crate::repository::{self, SourceFile};

/// Functions whose whole meaning is a convention: a program's begin, and a model's row from its columns.
const NAMED_BY_CONVENTION: [&str; 2] = ["main", "from_row"];

/// What stands between the comment of a case of gungraun's and the case.
const CASE: &str = "#[library_benchmark";

/// Lists Rust files that do not begin with a module comment.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check_modules(root: &Path) -> Result<Vec<String>> {
    let files = repository::rust_files(root, "")?;
    let bare = files.iter().filter(|file| !file.text.trim_start().starts_with("//!"));
    Ok(bare.map(|file| format!("{} does not begin with `//!` and what it is for", file.path)).collect())
}

/// Lists functions outside tests and trait implementations that have no doc comment.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check_functions(root: &Path) -> Result<Vec<String>> {
    let files = repository::rust_files(root, "")?;
    let written = files.iter().filter(|file| !file.path.contains("/tests/") && !file.path.ends_with("/tests.rs"));
    Ok(written.flat_map(|file| undocumented(file).into_iter().map(|at| format!("{}:{at}", file.path))).collect())
}

/// Line and name of each function without a doc comment, up to the tests. A trait's implementation is documented by the
/// trait; a function inside a function or a macro is left to its author; a case of gungraun's, whose macro takes no doc comment, has a
/// plain one. Relies on the formatter's indentation.
fn undocumented(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    let mut implements_a_trait = false;
    let (mut documented, mut commented) = (false, false);
    for (number, line) in file.lines().take_while(|(_, line)| !line.starts_with("#[cfg(test)]")) {
        let indentation = line.len() - line.trim_start().len();
        let words = line.trim_start();
        if indentation == 0 && !words.is_empty() {
            implements_a_trait =
                (words.starts_with("impl") && words.contains(" for ")) || words.starts_with("macro_rules!");
        }
        if words.starts_with("///") || words.starts_with("#[doc") || (commented && words.starts_with(CASE)) {
            documented = true;
        } else if let Some(name) = function_name(words).filter(|_| indentation <= 4) {
            if !documented && !implements_a_trait && !NAMED_BY_CONVENTION.contains(&name) {
                found.push(format!("{number}: `{name}` has no doc comment"));
            }
            documented = false;
        } else if !words.starts_with("#[") && !words.starts_with("//") && !words.ends_with(']') {
            documented = false;
        }
        commented = words.starts_with("// ");
    }
    found
}

/// The name in a line that begins a function's signature.
fn function_name(words: &str) -> Option<&str> {
    let mut rest = words;
    for prefix in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    rest.strip_prefix("fn ")?.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who opens a file for the first time must learn from its first lines whether it is the right one.
    #[test]
    fn every_module_says_what_it_is_for() {
        crate::tidy::assert_kept(check_modules);
    }

    /// Shape, units, errors and sources stand nowhere else than above the function.
    #[test]
    fn every_function_has_a_doc_comment() {
        crate::tidy::assert_kept(check_functions);
    }

    #[test]
    fn private_functions_count_and_trait_implementations_do_not() {
        let cases = [
            ("fn bare() {}", 1),
            ("/// Says.\nfn told() {}", 0),
            ("/// Says.\n#[must_use]\npub(crate) const fn told() {}", 0),
            ("impl A {\n    async fn bare() {}\n}", 1),
            ("impl B for A {\n    fn inherited() {}\n}", 0),
            ("/// Says.\nconst A: u8 = 1;\nfn bare() {}", 1),
            ("#[cfg(test)]\nfn of_tests() {}", 0),
            ("impl A {\n    fn from_row() {}\n}", 0),
            ("// Says.\n#[library_benchmark(setup = a)]\nfn told() {}", 0),
            ("#[library_benchmark(setup = a)]\nfn bare() {}", 1),
            ("// Says.\n\n#[library_benchmark]\nfn bare() {}", 1),
        ];
        for (text, count) in cases {
            let file = SourceFile { path: "a.rs".to_owned(), text: text.to_owned() };
            assert_eq!(undocumented(&file).len(), count, "{text}");
        }
    }
}
