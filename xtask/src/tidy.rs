//! The rules of the repository that no compiler knows. Each is a function from the tree to the list of what breaks it.
//!
//! A rule is run twice: by `cargo xtask tidy`, and as a test, so that `cargo test` is enough to meet it. A rule reads text
//! and folders only; none of them builds anything.

mod arrows;
mod documentation;
mod fault_points;
mod functions;
mod links;
mod migrations;
mod named_tests;
mod options;
mod routes;
mod statements;
mod texts;

use std::path::Path;

use anyhow::{Result, bail};

/// One rule: the sentence that holds, and the function that lists what breaks it.
type Rule = (&'static str, fn(&Path) -> Result<Vec<String>>);

/// Every rule.
const RULES: [Rule; 16] = [
    ("dependencies between crates follow the arrows", arrows::check),
    ("no shipped program has fault points", fault_points::check),
    ("the route table and the files under api/ are the same", routes::check),
    ("nothing is served past the route table", routes::check_declared),
    ("docs/API.md names every route", routes::check_document),
    ("a route handler has at most 25 lines", functions::check_handlers),
    ("both databases have the same migrations", migrations::check),
    ("every statement is called by a test on both databases", statements::check),
    ("no file is over 500 lines without a reason", texts::check_lengths),
    ("nothing is left to do, and no test is skipped", texts::check_markers),
    ("no path of somebody's machine", texts::check_machine_paths),
    ("every module says what it is for", documentation::check_modules),
    ("every function has a doc comment", documentation::check_functions),
    ("every option is documented", options::check),
    ("every test that a document names exists", named_tests::check),
    ("links and files named in the documentation exist", links::check),
];

/// Runs every rule and prints one line for each, with what breaks it below.
///
/// # Errors
/// When a rule is broken, or a file cannot be read.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut broken = 0;
    for (name, rule) in RULES {
        let problems = rule(root)?;
        println!("{} {name}", if problems.is_empty() { "ok    " } else { "BROKEN" });
        for problem in &problems {
            println!("         {problem}");
        }
        broken += problems.len();
    }
    if broken > 0 {
        bail!("{broken} problems");
    }
    Ok(())
}

/// Asserts in a test that the repository keeps a rule.
#[cfg(test)]
fn assert_kept(rule: fn(&Path) -> Result<Vec<String>>) {
    let problems = rule(&crate::repository::root()).unwrap();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
