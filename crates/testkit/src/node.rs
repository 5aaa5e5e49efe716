//! Runs the scripts in `e2e/` with Node: what only the real npm packages can show. `npm ci` is run once a machine, when
//! `e2e/node_modules` is missing.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::tools;

/// Runs one script of `e2e/` with these variables, and returns what it printed. What it prints as errors goes to the test's own.
///
/// # Panics
/// When Node or npm is missing or too old, the packages cannot be installed, or the script fails; with what it said.
pub async fn run(script: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new("node");
    command.arg(script).current_dir(tools::folder()).envs(variables.iter().copied()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || {
        install();
        command.output().expect("node runs: install Node 20 or newer")
    });
    let output = output.await.expect("waiting for Node did not panic");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "node {script}: {}\n{printed}\n{complaint}", output.status);
    printed
}

/// Installs the packages that `package-lock.json` names, unless they are there.
fn install() {
    static DONE: OnceLock<()> = OnceLock::new();
    let command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"];
    // npm writes this file last.
    tools::install(
        &DONE,
        &tools::folder(),
        "node_modules/.package-lock.json",
        &[&command],
        "install Node 20 or newer, with npm",
    );
}
