//! How many instructions the hot paths take, counted by Callgrind, against the counts that are kept in git.
//!
//! A count does not depend on how busy the machine is, so five per cent more is a change of the code, of a dependency or of the compiler.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::command;

/// Where the counts are kept: an object from a case to its instructions, sorted.
const BASELINE: &str = "crates/server/benches/instructions.json";
/// The mangled name of the function that is counted in each case begins so, after what the compiler puts before it.
const COUNTED: &str = "*12instructions8measured*";
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
    if !command::exists("valgrind") {
        bail!("Valgrind is missing: `apt-get install valgrind libc6-dbg`");
    }
    let built = command::built(root, &["--bench", "instructions"])?;
    let program = built.get("instructions").context("cargo names no program with the cases")?;
    let program = program.to_str().context("the path of the repository is no UTF-8")?;
    let folder = root.join("target/instructions");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let names = command::output::<&str>(&folder, program, &[])?;
    names.lines().map(|name| Ok((name.to_owned(), count_one(&folder, program, name)?))).collect()
}

/// Runs one case under Callgrind.
fn count_one(folder: &Path, program: &str, name: &str) -> Result<u64> {
    let file = format!("{name}.callgrind");
    let out = format!("--callgrind-out-file={file}");
    let counted = format!("--toggle-collect={COUNTED}");
    let flags = ["--tool=callgrind", "--quiet", "--demangle=no", "--collect-atstart=no", &counted, &out, program, name];
    command::output(folder, "valgrind", &flags)?;
    let told = fs::read_to_string(folder.join(&file)).with_context(|| format!("Callgrind wrote no {file}"))?;
    total(&told).with_context(|| format!("nothing was counted in {name}: {file}"))
}

/// The sum that Callgrind writes; `None` when there is none, or it is 0.
fn total(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok().filter(|total| *total > 0)
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
    fn a_sum_is_read_and_nothing_counted_is_none() {
        assert_eq!(total("events: Ir\nfn=(1)\n1 5\n\ntotals: 12345\n"), Some(12345));
        assert_eq!(total("events: Ir\n\ntotals: 0\n"), None);
        assert_eq!(total("events: Ir\n"), None);
    }
}
