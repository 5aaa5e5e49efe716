//! How many instructions the hot paths take, counted by gungraun, against the counts that are kept in git.
//!
//! A count does not depend on how busy the machine is, so five per cent more is a change of the code, of a dependency or of the compiler.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command;

/// Where the counts are kept: an object from a case to its instructions, sorted.
const BASELINE: &str = "crates/server/benches/instructions.json";
/// gungraun's program, which must be of exactly the version of its crate.
const RUNNER: &str = "gungraun-runner";
/// How much more or less is still the same, in per cent.
const TOLERANCE: u64 = 5;

/// The instructions of each case, by its name.
type Counts = BTreeMap<String, u64>;

/// Counts and compares.
///
/// # Errors
/// When something to count with is missing, a case takes over five per cent more, or the cases are not those of the baseline.
pub(crate) fn run(root: &Path) -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("not counted here: {BASELINE} holds the counts of x86-64 Linux");
        return Ok(());
    }
    let text = fs::read_to_string(root.join(BASELINE)).with_context(|| format!("{BASELINE} cannot be read"))?;
    let baseline: Counts = serde_json::from_str(&text).with_context(|| format!("{BASELINE} is no list of counts"))?;
    let counts = count(root)?;
    for (name, now) in &counts {
        println!("{}", told(name, *now, baseline.get(name).copied()));
    }
    let problems = problems(&baseline, &counts);
    if !problems.is_empty() {
        bail!("{}\nmend it, or say why in the commit of `cargo xtask instructions --write`", problems.join("\n"));
    }
    Ok(())
}

/// Counts, and keeps the counts.
///
/// # Errors
/// When something to count with is missing, or the file cannot be written.
pub(crate) fn write(root: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(&count(root)?)? + "\n";
    fs::write(root.join(BASELINE), text).with_context(|| format!("{BASELINE} cannot be written"))?;
    println!("wrote {BASELINE}");
    Ok(())
}

/// Runs every case once.
fn count(root: &Path) -> Result<Counts> {
    refuse_settings()?;
    if !command::exists("valgrind") {
        bail!("Valgrind is missing: `apt-get install valgrind libc6-dbg`");
    }
    if !command::exists(RUNNER) {
        let manifest = fs::read_to_string(root.join("Cargo.toml")).context("Cargo.toml cannot be read")?;
        let version = version(&manifest).context("Cargo.toml pins no gungraun")?;
        bail!("{RUNNER} is missing: `cargo install --locked {RUNNER} --version {version}`");
    }
    let built = command::built(root, &["--bench", "instructions"])?;
    let program = built.get("instructions").context("cargo names no program with the cases")?;
    let program = program.to_str().context("the path of the repository is no UTF-8")?;
    // Where addresses begin changes no count, and a container may forbid to fix it.
    let flags = ["--bench", "--output-format=json", "--nosummary", "--allow-aslr=yes", "--parallel=auto"];
    read(&command::output(root, program, &flags)?)
}

/// The version of gungraun that the workspace pins.
fn version(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(|line| line.strip_prefix("gungraun = \"=")?.strip_suffix('"'))
}

/// Fails where gungraun would take more from the environment than from here, such as which cases it leaves out.
#[expect(clippy::disallowed_methods, reason = "these variables are gungraun's")]
fn refuse_settings() -> Result<()> {
    match std::env::vars_os().find(|(name, _)| name.to_string_lossy().starts_with("GUNGRAUN_")) {
        None => Ok(()),
        Some((name, _)) => bail!("{} changes what is counted: unset it", name.display()),
    }
}

/// Reads what gungraun tells: a line a case.
fn read(told: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for line in told.lines() {
        let (name, count) = read_one(line).with_context(|| format!("gungraun told no count: {line}"))?;
        if counts.insert(name.clone(), count).is_some() {
            bail!("there are two cases of the name {name}");
        }
    }
    if counts.is_empty() {
        bail!("gungraun counted nothing");
    }
    Ok(counts)
}

/// The name of a case, and its count; `None` when there is none, or it is 0.
fn read_one(line: &str) -> Option<(String, u64)> {
    let told: Value = serde_json::from_str(line).ok()?;
    let name = told.get("function_name")?.as_str()?;
    let now = told.pointer("/profiles/0/data/total/metrics/Ir/values/new")?.as_u64()?;
    (now > 0).then(|| (name.to_owned(), now))
}

/// A case as a line. Fewer instructions are no fault, but are soon lost again where nobody writes them down.
fn told(name: &str, now: u64, before: Option<u64>) -> String {
    let Some(before) = before else { return format!("{name:<28} {now:>9} instructions") };
    let hint =
        if now * 100 < before * (100 - TOLERANCE) { ": keep that by `cargo xtask instructions --write`" } else { "" };
    format!("{name:<28} {now:>9} instructions, kept are {before:>9}{hint}")
}

/// What takes more than the tolerance, or is on one side alone.
fn problems(baseline: &Counts, counts: &Counts) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, now) in counts {
        match baseline.get(name) {
            None => problems.push(format!("{name} is not in {BASELINE}")),
            Some(before) if now * 100 > before * (100 + TOLERANCE) => {
                problems.push(format!("{name} takes {now} instructions, over {TOLERANCE} % more than {before}"));
            }
            Some(_) => {}
        }
    }
    let gone = baseline.keys().filter(|name| !counts.contains_key(*name));
    problems.extend(gone.map(|name| format!("{name} is in {BASELINE} and was not counted")));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of these cases.
    fn counts(cases: &[(&str, u64)]) -> Counts {
        cases.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn more_than_five_per_cent_more_is_told_and_so_is_a_case_on_one_side_alone() {
        let baseline = counts(&[("a", 1000), ("b", 1000)]);
        for (now, told) in [
            (&[("a", 1050), ("b", 1)][..], &[][..]),
            (&[("a", 1051), ("b", 1000)], &["a takes 1051"]),
            (&[("a", 1000)], &["b is in"]),
            (&[("a", 1000), ("b", 1000), ("c", 1)], &["c is not in"]),
        ] {
            let found = problems(&baseline, &counts(now));
            assert_eq!(found.len(), told.len(), "{now:?}: {found:?}");
            assert!(found.iter().zip(told).all(|(found, told)| found.starts_with(told)), "{now:?}: {found:?}");
        }
    }

    #[test]
    fn the_pinned_version_is_found() {
        assert_eq!(version("[dependencies]\ngungraun = \"=0.20.0\"\nother = \"1\"\n"), Some("0.20.0"));
        assert_eq!(version("gungraun = \"0.20\"\n"), None);
    }

    #[test]
    fn a_count_is_read_and_nothing_counted_is_told() {
        let line = |values: &str| {
            let total = format!(r#"{{"metrics":{{"Ir":{{"values":{values}}}}}}}"#);
            format!(r#"{{"function_name":"a","profiles":[{{"data":{{"total":{total}}}}}]}}"#)
        };
        for values in [r#"{"new":12345}"#, r#"{"new":12345,"old":9}"#] {
            assert_eq!(read(&line(values)).unwrap(), counts(&[("a", 12345)]), "{values}");
        }
        for values in [r#"{"new":0}"#, r#"{"old":12345}"#, "{}"] {
            assert!(read(&line(values)).is_err(), "{values}");
        }
        for told in ["", "no line of gungraun's", &[line(r#"{"new":1}"#), line(r#"{"new":2}"#)].join("\n")] {
            assert!(read(told).is_err(), "{told}");
        }
    }
}
