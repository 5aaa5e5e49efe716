//! Runs the scripts in `e2e/` with Node: what only the real npm packages can show. `npm ci` is run once a machine, when
//! `e2e/node_modules` is missing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Runs one script of `e2e/` with these variables, and returns what it printed. What it prints as errors goes to the test's own.
///
/// # Panics
/// When Node or npm is missing or too old, the packages cannot be installed, or the script fails; with what it said.
pub async fn run(script: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new("node");
    command.arg(script).current_dir(folder()).envs(variables.iter().copied()).stdin(Stdio::null());
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

/// `e2e/` at the root of the repository.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e")
}

/// Installs the packages that `package-lock.json` names, unless they are there. A file lock lets one process do it and the others wait.
fn install() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let path = std::env::temp_dir().join("customer-registration-npm.lock");
        let lock = File::options().create(true).append(true).open(path).expect("the lock file can be written");
        lock.lock().expect("the lock file can be locked");
        // npm writes this file last.
        if folder().join("node_modules/.package-lock.json").exists() {
            return;
        }
        let output = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(folder())
            .output()
            .expect("npm runs: install Node 20 or newer");
        assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
    });
}
