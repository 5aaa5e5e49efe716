//! Runs schemathesis, from `PyPI`: it makes requests up from an OpenAPI document and judges the answers.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::tools;

/// Asks a server for `seconds` everything that its document allows and much that it does not, always with this `Authorization`
/// header. What it judges: no 5xx, no status, header, content type or body that the document does not tell of.
///
/// # Panics
/// When Python is missing, the package cannot be installed, or an answer is wrong; with what it said.
pub async fn run(base_url: &str, authorization: Option<&str>, paths: &str, seconds: u32) {
    let mut command = Command::new(tools::folder().join(".venv/bin/schemathesis"));
    command.args(["run", &format!("{base_url}/openapi.json"), "--include-path-regex", paths]);
    command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--seed", "1"]);
    command.args(["--max-time", &seconds.to_string(), "--warnings", "off", "--continue-on-failure", "--no-color"]);
    if let Some(authorization) = authorization {
        command.args(["--header", &format!("Authorization: {authorization}")]);
    }
    // It keeps what it found between runs in the working folder.
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    command.current_dir(scratch.path()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || {
        install();
        command.output().expect("schemathesis runs")
    });
    let output = output.await.expect("waiting for schemathesis did not panic");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "schemathesis: {}\n{printed}\n{complaint}", output.status);
    assert!(printed.contains("No issues found"), "{printed}");
}

/// What is judged. Left out are rules of REST that Medusa does not keep, such as 405 for an unknown method.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";

/// Installs the packages that `requirements.txt` names into `e2e/.venv`, unless they are there.
fn install() {
    static DONE: OnceLock<()> = OnceLock::new();
    let make: &[&str] = &["python3", "-m", "venv", ".venv"];
    let fill: &[&str] =
        &[".venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
    let help = "install Python 3.10 or newer, with venv";
    tools::install(&DONE, &tools::folder(), ".venv/bin/schemathesis", &[make, fill], help);
}
