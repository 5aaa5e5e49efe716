//! `config check`, `config show`, `config schema`, and the generated document, as texts that the command line prints.
//!
//! `_infallible` below: writing to a `String` cannot fail.

use std::fmt::Write;

use super::{Config, Problem, Sources};

/// `config check`: what would hold, with warnings and notes.
///
/// # Errors
/// The text of all problems; the command fails with it on standard error.
pub fn check(sources: &Sources) -> Result<String, String> {
    let config = Config::load(sources).map_err(|problems| told(&problems))?;
    let mode = if config.production { "production" } else { "development" };
    let mut text = format!("The configuration is right: {}, {mode}.\n", config.source);
    for warning in &config.warnings {
        let _infallible = writeln!(text, "warning: {warning}");
    }
    for note in &config.notes {
        let _infallible = writeln!(text, "note: {note}");
    }
    Ok(text)
}

/// `config show`: the effective configuration as TOML with origins, secrets masked.
///
/// # Errors
/// The text of all problems.
pub fn show(sources: &Sources) -> Result<String, String> {
    Config::load(sources).map(|config| config.shown).map_err(|problems| told(&problems))
}

/// `config schema`: JSON Schema, draft 2020-12, indented.
pub fn schema() -> String {
    format!("{:#}\n", super::schema::schema())
}

/// The text of `docs/CONFIGURATION.md`.
pub fn markdown() -> String {
    super::markdown::markdown()
}

/// All problems as a text for people, the number of them first.
pub fn told(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "1 problem in the configuration:\n".to_owned(),
        number => format!("{number} problems in the configuration:\n"),
    };
    for problem in problems {
        let _infallible = writeln!(text, "- {problem}");
    }
    text
}
