//! The length of route handlers: they translate, and a long one has begun to decide.

use std::path::Path;

use anyhow::Result;

use crate::repository;

/// Lines a function under `api/` may have, its signature and closing brace counted.
const LINES: usize = 25;

/// Lists the functions under `api/` that are longer.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check_handlers(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for file in repository::rust_files(root, "crates/server/src/api")? {
        for (line, name, length) in lengths(&file.text) {
            if length > LINES {
                problems
                    .push(format!("{}:{line}: `{name}` has {length} lines; a rule belongs into a workflow", file.path));
            }
        }
    }
    Ok(problems)
}

/// Line, name and length of each function at the outermost level, up to the tests. Relies on the formatter: such a function
/// ends at the next line that is a closing brace alone.
fn lengths(text: &str) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        if line == "}" {
            if let Some((begin, name)) = open.take() {
                found.push((begin + 1, name, index - begin + 1));
            }
        } else if !line.starts_with([' ', '/', '#'])
            && let Some((_, rest)) = line.split_once("fn ")
        {
            open =
                Some((index, rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule in a handler is a rule that jobs, tests and other programs cannot call.
    #[test]
    fn handlers_are_short() {
        crate::tidy::assert_kept(check_handlers);
    }

    #[test]
    fn a_function_is_measured_from_its_signature_to_its_brace() {
        let text = "/// Doc.\npub async fn get(call: Call) {\n    one();\n    if two {\n    }\n}\n\nfn three() {\n}\n";
        assert_eq!(lengths(text), [(2, "get".to_owned(), 5), (8, "three".to_owned(), 2)]);
    }
}
