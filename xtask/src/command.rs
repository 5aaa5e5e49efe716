//! Running other programs, with cargo as the one that called us.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

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

/// Programs that `targets` ask for (`--test agreement`), by the target's name; built as the tests are, with the same features, so that
/// nothing else has to be.
///
/// # Errors
/// When they do not build.
pub(crate) fn built(root: &Path, targets: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    let flags = ["test", "--workspace", "--locked", "--quiet", "--no-run", "--message-format=json"];
    Ok(executables(&output(root, CARGO, &[&flags, targets].concat())?))
}

/// The programs among cargo's messages, one a line, by the name of their target.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs = messages.filter_map(|message| {
        let name = message.pointer("/target/name")?.as_str()?.to_owned();
        Some((name, PathBuf::from(message.get("executable")?.as_str()?)))
    });
    programs.collect()
}

/// The arguments as a person would type them.
fn words<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_among_what_cargo_says() {
        let of = |name: &str, path: &str| format!(r#"{{"target":{{"name":"{name}"}},"executable":{path}}}"#);
        let messages =
            [of("api", r#""/t/api""#), "warning".to_owned(), of("lib", "null"), of("it", r#""/t/it""#)].join("\n");
        let found = [("api", "/t/api"), ("it", "/t/it")].map(|(name, path)| (name.to_owned(), PathBuf::from(path)));
        assert_eq!(executables(&messages), BTreeMap::from(found));
    }
}
