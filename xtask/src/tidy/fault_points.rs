//! Places where a test fails a workflow or kills the process are compiled for tests alone: `cr-testkit` asks for them, and
//! [`super::arrows`] sees to it that nothing but tests needs `cr-testkit`.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;

/// The feature that compiles them.
const FEATURE: &str = "fault-points";
/// The crate that has it.
const OWNER: &str = "cr-core";
/// The only crate that may ask for it.
const ASKER: &str = "cr-testkit";

/// Lists every other way in which the feature is turned on, by default or by another crate.
///
/// # Errors
/// When `cargo metadata` fails.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    let metadata: Value = serde_json::from_str(&command::output(root, command::CARGO, &arguments)?)?;
    problems(&metadata).context("`cargo metadata` printed something else than expected")
}

/// The rule itself; `None` when the metadata has another shape.
fn problems(metadata: &Value) -> Option<Vec<String>> {
    let mut problems = Vec::new();
    let mut is_there = false;
    for package in metadata.get("packages")?.as_array()? {
        let name = package.get("name")?.as_str()?;
        for (feature, turns_on) in package.get("features")?.as_object()? {
            is_there |= name == OWNER && feature == FEATURE;
            if turns_on.as_array()?.iter().any(asks) {
                problems.push(format!("{name}: the feature {feature} turns on {FEATURE}, which only {ASKER} may"));
            }
        }
        for dependency in package.get("dependencies")?.as_array()? {
            if name != ASKER && dependency.get("features")?.as_array()?.iter().any(asks) {
                problems.push(format!("{name}: asks for {FEATURE}, which only {ASKER} may"));
            }
        }
    }
    if !is_there {
        problems.push(format!("{OWNER} has no feature {FEATURE} any more: change {}", file!()));
    }
    Some(problems)
}

/// Whether an entry names the feature, alone or as a crate's.
fn asks(entry: &Value) -> bool {
    entry.as_str().is_some_and(|text| text.rsplit('/').next() == Some(FEATURE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A shop's server that a variable or a mistake could kill in the middle of a workflow.
    #[test]
    fn no_shipped_program_has_fault_points() {
        crate::tidy::assert_kept(check);
    }

    #[test]
    fn every_other_way_to_turn_them_on_is_named() {
        let package = |name: &str, features: Value, asked: &[&str]| json!({"name": name, "features": features, "dependencies": [{"name": OWNER, "features": asked}]});
        let owner = package(OWNER, json!({"fault-points": []}), &[]);
        for (other, told) in [
            (package(ASKER, json!({}), &["fault-points"]), None),
            (package("customer-registration", json!({}), &["fault-points"]), Some("asks for")),
            (
                package("customer-registration", json!({"default": ["cr-core/fault-points"]}), &[]),
                Some("default turns on"),
            ),
        ] {
            let found = problems(&json!({"packages": [owner, other]})).unwrap();
            assert_eq!(found.is_empty(), told.is_none(), "{found:?}");
            assert!(told.is_none_or(|told| found[0].contains(told)), "{found:?}");
        }
        let default = package(OWNER, json!({"fault-points": [], "default": ["fault-points"]}), &[]);
        assert_eq!(problems(&json!({"packages": [default]})).unwrap().len(), 1);
        assert_eq!(problems(&json!({"packages": []})).unwrap().len(), 1);
    }
}
