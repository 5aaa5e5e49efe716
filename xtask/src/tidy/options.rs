//! Every key of the built-in default configuration is explained in the generated reference.

use std::path::Path;

use anyhow::Result;

use crate::repository::{self, SourceFile};

/// The defaults that are compiled in.
const DEFAULTS: &str = "crates/server/src/config/config.default.toml";
/// The reference that `cargo xtask codegen` writes.
const REFERENCE: &str = "docs/CONFIGURATION.md";

/// Lists keys of the defaults that the reference does not name.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut files = repository::files(root, "docs")?;
    files.extend(repository::files(root, "crates/server")?);
    let find = |path: &str| files.iter().find(|file: &&SourceFile| file.path == path);
    let Some(defaults) = find(DEFAULTS) else { return Ok(Vec::new()) };
    let Some(reference) = find(REFERENCE) else { return Ok(vec![format!("{REFERENCE} is missing")]) };
    let unknown = keys(&defaults.text).into_iter().filter(|key| !explains(&reference.text, key));
    Ok(unknown.map(|key| format!("{REFERENCE} does not explain `{key}`")).collect())
}

/// Whether a row of the reference's tables begins with a key. A row names it from its heading on (`password_reset.subject`
/// under `options`); one that is a table may be explained by its parts, and `*` stands for any part.
fn explains(reference: &str, key: &str) -> bool {
    reference.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).any(|row| {
        let row = row.trim_end_matches(".*");
        key == row
            || key.strip_suffix(row).is_some_and(|before| before.ends_with('.'))
            || row.starts_with(&format!("{key}."))
    })
}

/// The full paths of all keys of a TOML text, commented ones (`# key = …`) too: `options.otpLength`.
fn keys(text: &str) -> Vec<String> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim_start().trim_start_matches('#').trim_start();
        if let Some(name) = line.strip_prefix('[') {
            name.trim_start_matches('[').split(']').next().unwrap_or("").clone_into(&mut section);
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "._".contains(letter))
        {
            found.push(if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An option that nobody can look up is an option that nobody sets.
    #[test]
    fn every_option_is_documented() {
        crate::tidy::assert_kept(check);
    }

    #[test]
    fn a_row_explains_the_key_that_ends_like_it_or_the_table_that_it_is_in() {
        let reference = "| `otpLength` | 6 |\n| `registration.identifier` | email |\n| `sendsPerChannel.*` | |\n";
        for (key, explained) in [
            ("options.otpLength", true),
            ("registration", true),
            ("options.limits.sendsPerChannel", true),
            ("options.length", false),
            ("options.notLength", false),
        ] {
            assert_eq!(explains(reference, key), explained, "{key}");
        }
    }

    #[test]
    fn keys_carry_their_section_and_commented_ones_count() {
        let text =
            "# Some words.\n[options]\notpLength = 6\n# storefrontUrl = \"x\"\n[options.password]\nminLength = 8\n";
        assert_eq!(keys(text), ["options.otpLength", "options.storefrontUrl", "options.password.minLength"]);
    }
}
