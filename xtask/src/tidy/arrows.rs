//! `server → core → db → types ← client`: a crate is there to forbid a dependency, and this is the list of what each forbids.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;

/// Which of our crates each of them may need outside its tests.
const ARROWS: [(&str, &[&str]); 8] = [
    ("cr-types", &[]),
    ("cr-db", &["cr-types"]),
    ("cr-core", &["cr-db", "cr-types", "scrypt-lanes"]),
    ("customer-registration", &["cr-core", "cr-types"]),
    ("customer-registration-client", &["cr-types"]),
    ("scrypt-lanes", &[]),
    ("cr-testkit", &["cr-core", "cr-db", "cr-types"]),
    ("xtask", &[]),
];

/// Crates of ours that are there for development alone: nobody may need them outside tests.
const DEVELOPMENT: [&str; 2] = ["cr-testkit", "xtask"];

/// Foreign crates that only the named crates of ours may need, and why.
const RESERVED: [(&str, &[&str], &str); 8] = [
    ("sqlx", &["cr-db", "cr-testkit"], "SQL is written in models, nowhere else"),
    ("libsqlite3-sys", &["cr-db"], "SQL is written in models, nowhere else"),
    ("axum", &["customer-registration"], "a workflow is callable without HTTP"),
    ("tower", &["customer-registration"], "a workflow is callable without HTTP"),
    ("clap", &["customer-registration"], "the server alone reads arguments"),
    ("toml", &["customer-registration"], "the server alone reads configuration"),
    ("scrypt", &["scrypt-lanes"], "passwords are hashed side by side, on the hash threads"),
    ("lettre", &["cr-core"], "mail is sent by the delivery worker"),
];

/// One dependency as a manifest declares it.
struct Dependency {
    /// The crate that needs it.
    from: String,
    /// The crate that is needed.
    to: String,
    /// Whether only tests and examples need it.
    development: bool,
}

/// Lists every dependency that turns an arrow or takes a reserved crate.
///
/// # Errors
/// When `cargo metadata` fails.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    let metadata: Value = serde_json::from_str(&command::output(root, command::CARGO, &arguments)?)?;
    Ok(problems(&dependencies(&metadata).context("`cargo metadata` printed something else than expected")?))
}

/// Reads all declared dependencies out of `cargo metadata`'s answer; `None` when it has another shape.
fn dependencies(metadata: &Value) -> Option<Vec<Dependency>> {
    let mut found = Vec::new();
    for package in metadata.get("packages")?.as_array()? {
        let from = package.get("name")?.as_str()?;
        for dependency in package.get("dependencies")?.as_array()? {
            found.push(Dependency {
                from: from.to_owned(),
                to: dependency.get("name")?.as_str()?.to_owned(),
                development: dependency.get("kind")?.as_str() == Some("dev"),
            });
        }
    }
    Some(found)
}

/// The rule itself, on dependencies from wherever.
fn problems(dependencies: &[Dependency]) -> Vec<String> {
    let mut problems = Vec::new();
    for Dependency { from, to, development } in dependencies {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == from) else {
            problems.push(format!("{from}: a new crate; say in {} what it may need", file!()));
            continue;
        };
        let ours = ARROWS.iter().any(|(name, _)| name == to);
        if ours && !development && DEVELOPMENT.contains(&to.as_str()) {
            problems.push(format!("{from} → {to}: {to} is for tests alone, put it under [dev-dependencies]"));
        } else if ours && !development && !allowed.contains(&to.as_str()) {
            problems.push(format!("{from} → {to}: the arrow goes the other way"));
        }
        if let Some((_, owners, why)) = RESERVED.iter().find(|(name, ..)| name == to)
            && !owners.contains(&from.as_str())
        {
            problems.push(format!("{from} → {to}: only {} may: {why}", owners.join(" and ")));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule or a statement that leaks into the wrong crate can no longer be called or tested alone.
    #[test]
    fn dependencies_between_crates_follow_the_arrows() {
        crate::tidy::assert_kept(check);
    }

    #[test]
    fn a_turned_arrow_a_reserved_crate_and_an_unknown_crate_are_named() {
        for (from, to, development, told) in [
            ("cr-core", "cr-db", false, None),
            ("cr-db", "cr-core", false, Some("the arrow goes the other way")),
            ("cr-core", "scrypt-lanes", false, None),
            ("cr-core", "scrypt", false, Some("only scrypt-lanes may")),
            ("scrypt-lanes", "cr-types", false, Some("the arrow goes the other way")),
            ("cr-core", "sqlx", false, Some("only cr-db and cr-testkit may")),
            ("cr-core", "axum", true, Some("only customer-registration may")),
            ("cr-core", "cr-testkit", true, None),
            ("cr-core", "cr-testkit", false, Some("for tests alone")),
            ("cr-new", "serde", false, Some("a new crate")),
        ] {
            let found = problems(&[Dependency { from: from.to_owned(), to: to.to_owned(), development }]);
            assert_eq!(found.is_empty(), told.is_none(), "{from} → {to}: {found:?}");
            assert!(told.is_none_or(|told| found[0].contains(told)), "{from} → {to}: {found:?}");
        }
    }
}
