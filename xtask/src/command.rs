//! Running other programs, with cargo as the one that called us.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The cargo that built this program.
pub(crate) const CARGO: &str = env!("CARGO");

/// Runs a program in `folder`, its output going where ours goes.
///
/// # Errors
/// When it cannot be started, or ends with another status than 0.
pub(crate) fn run<S: AsRef<OsStr>>(folder: &Path, program: &str, arguments: &[S]) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("could not start `{program}`"))?;
    if !status.success() {
        bail!("`{program} {}` failed: {status}", words(arguments));
    }
    Ok(())
}

/// Runs a program in `folder` and takes what it prints.
///
/// # Errors
/// When it cannot be started, ends with another status than 0 (the message carries what it said), or prints no UTF-8.
pub(crate) fn output<S: AsRef<OsStr>>(folder: &Path, program: &str, arguments: &[S]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start `{program}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{program} {}` failed: {}\n{}", words(arguments), output.status, said.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{program}` printed no UTF-8"))
}

/// Whether a program answers to `--version`.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The arguments as a person would type them.
fn words<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ")
}
