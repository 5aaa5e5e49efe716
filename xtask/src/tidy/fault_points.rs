//! What is compiled for tests alone: the places where a test fails a workflow or kills the process, and the driver's lines by which one
//! counts statements. `cr-testkit` asks for them, and [`super::arrows`] sees to it that nothing but tests needs `cr-testkit`.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;

/// The features that compile them, each with the crate that has it.
const FEATURES: [(&str, &str); 2] = [("cr-core", "fault-points"), ("cr-db", "statement-log")];
/// The only crate that may ask for them.
const ASKER: &str = "cr-testkit";

/// Lists every other way in which one of the features is turned on, by default or by another crate.
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
    for (owner, wanted) in FEATURES {
        let mut is_there = false;
        for package in metadata.get("packages")?.as_array()? {
            let name = package.get("name")?.as_str()?;
            for (feature, turns_on) in package.get("features")?.as_object()? {
                is_there |= name == owner && feature == wanted;
                if turns_on.as_array()?.iter().any(|entry| asks(entry, wanted)) {
                    problems.push(format!("{name}: the feature {feature} turns on {wanted}, which only {ASKER} may"));
                }
            }
            for dependency in package.get("dependencies")?.as_array()? {
                if name != ASKER && dependency.get("features")?.as_array()?.iter().any(|entry| asks(entry, wanted)) {
                    problems.push(format!("{name}: asks for {wanted}, which only {ASKER} may"));
                }
            }
        }
        if !is_there {
            problems.push(format!("{owner} has no feature {wanted} any more: change {}", file!()));
        }
    }
    Some(problems)
}

/// Whether an entry names the feature, alone or as a crate's.
fn asks(entry: &Value, feature: &str) -> bool {
    entry.as_str().is_some_and(|text| text.rsplit('/').next() == Some(feature))
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
        for (owner_name, feature) in FEATURES {
            let package = |name: &str, features: Value, asked: &[&str]| json!({"name": name, "features": features, "dependencies": [{"name": owner_name, "features": asked}]});
            let owner = package(owner_name, json!({feature: []}), &[]);
            // What the other features say is the other rounds' matter.
            let found = |packages: Vec<Value>| {
                let found = problems(&json!({ "packages": packages })).unwrap();
                found.into_iter().filter(|problem| problem.contains(feature)).collect::<Vec<_>>()
            };
            for (other, told) in [
                (package(ASKER, json!({}), &[feature]), None),
                (package("customer-registration", json!({}), &[feature]), Some("asks for")),
                (
                    package("customer-registration", json!({"default": [format!("{owner_name}/{feature}")]}), &[]),
                    Some("default turns on"),
                ),
            ] {
                let found = found(vec![owner.clone(), other]);
                assert_eq!(found.is_empty(), told.is_none(), "{found:?}");
                assert!(told.is_none_or(|told| found[0].contains(told)), "{found:?}");
            }
            let default = package(owner_name, json!({feature: [], "default": [feature]}), &[]);
            assert_eq!(found(vec![default]).len(), 1);
            assert_eq!(found(Vec::new()).len(), 1);
        }
    }
}
