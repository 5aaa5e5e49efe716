//! Feeds made-up input to whatever reads what others send: the targets of `fuzz/`, under libFuzzer.
//!
//! The targets are built into the workspace's own folder, where all but our own crates is there already. Our crates are
//! compiled anew by `fuzz/instrument.sh`, to count what of them runs; nothing here needs a nightly compiler.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command;

/// Seconds a target where nobody asks for another number.
const SECONDS: u32 = 60;
/// Seconds a target in `cargo xtask ci`: enough to go through the corpus and some way beyond.
const BRIEF_SECONDS: u32 = 5;
/// Longest input, in bytes; one that no limit of the server would let through finds nothing.
const LONGEST_INPUT: u32 = 4096;

/// What one target did.
struct Outcome {
    /// Inputs that were tried.
    runs: u64,
    /// Places of our code that ran; 0 where nothing counts them.
    covered: u64,
    /// Inputs that broke a promise, as files.
    findings: Vec<PathBuf>,
}

/// `cargo xtask fuzz [--seconds N] [TARGET…]`: every target, or those that are named, one after another.
///
/// New inputs that reach something new are kept in `target/fuzz/TARGET/found`, and the next run goes on from them.
///
/// # Errors
/// When a flag is unknown, the targets do not build, or there are findings.
pub(crate) fn run(root: &Path, flags: &[&str]) -> Result<()> {
    let (seconds, names) = match flags {
        ["--seconds", seconds, names @ ..] => (seconds.parse().context("--seconds takes a whole number")?, names),
        names => (SECONDS, names),
    };
    let all = targets(root)?;
    let unknown = names.iter().find(|name| !all.iter().any(|known| known == **name));
    if let Some(unknown) = unknown {
        bail!("there is no target `{unknown}`; there are {}", all.join(", "));
    }
    build(root)?;
    let wanted = all.iter().filter(|name| names.is_empty() || names.contains(&name.as_str()));
    each(root, wanted, seconds, &["-seed=0"])
}

/// Every target for some seconds, from the corpus that the repository keeps, always beginning alike.
///
/// # Errors
/// When the targets do not build, or there are findings.
pub(crate) fn briefly(root: &Path) -> Result<()> {
    build(root)?;
    each(root, targets(root)?.iter(), BRIEF_SECONDS, &["-seed=1"])
}

/// The targets' names, sorted: each has a folder in the corpus.
fn targets(root: &Path) -> Result<Vec<String>> {
    let corpus = root.join("fuzz/corpus");
    let folders = fs::read_dir(&corpus).with_context(|| format!("{} cannot be read", corpus.display()))?;
    let names = folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<Result<_>>()?;
    names.sort();
    Ok(names)
}

/// Builds all targets at once.
fn build(root: &Path) -> Result<()> {
    let wrapper = root.join("fuzz/instrument.sh");
    let instrumented = format!("build.rustc-wrapper='{}'", wrapper.display());
    let target = root.join("target");
    let target = target.to_str().context("the path of the repository is no UTF-8")?;
    let manifest = ["--manifest-path", "fuzz/Cargo.toml", "--target-dir", target, "--config", &instrumented];
    command::run(root, command::CARGO, &[&["build", "--locked", "--quiet"], manifest.as_slice()].concat())
}

/// Runs targets one after another, a line of figures for each.
fn each<'a>(root: &Path, names: impl Iterator<Item = &'a String>, seconds: u32, flags: &[&str]) -> Result<()> {
    let mut findings = 0;
    println!("{:<14} {:>10} {:>8} {:>8} {:>9}", "target", "runs", "runs/s", "covered", "findings");
    for name in names {
        let outcome = fuzz(root, name, seconds, flags).with_context(|| format!("target {name}"))?;
        let rate = outcome.runs / u64::from(seconds.max(1));
        println!("{name:<14} {:>10} {rate:>8} {:>8} {:>9}", outcome.runs, outcome.covered, outcome.findings.len());
        for finding in &outcome.findings {
            println!("  {} (what it broke is in target/fuzz/{name}/log)", finding.display());
        }
        findings += outcome.findings.len();
    }
    if findings > 0 {
        bail!("{findings} findings; `target/debug/TARGET FILE` repeats one");
    }
    Ok(())
}

/// Runs one target. Findings of earlier runs are forgotten, since the code may have changed.
fn fuzz(root: &Path, name: &str, seconds: u32, flags: &[&str]) -> Result<Outcome> {
    let folder = root.join("target/fuzz").join(name);
    let (found, broken, scratch) = (folder.join("found"), folder.join("broken"), folder.join("scratch"));
    for stale in [&broken, &scratch] {
        if stale.exists() {
            fs::remove_dir_all(stale).with_context(|| format!("{} cannot be removed", stale.display()))?;
        }
    }
    for needed in [&found, &broken, &scratch] {
        fs::create_dir_all(needed).with_context(|| format!("{} cannot be made", needed.display()))?;
    }
    let log = folder.join("log");
    let log_file = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
    let status = Command::new(root.join("target/debug").join(name))
        .args([&found, &root.join("fuzz/corpus").join(name)])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LONGEST_INPUT}"))
        .arg(format!("-artifact_prefix={}/", broken.display()))
        .args(["-print_final_stats=1", "-timeout=10", "-rss_limit_mb=2048"])
        .args(flags)
        .env("TMPDIR", &scratch)
        .stdin(Stdio::null())
        .stderr(log_file)
        .status()
        .context("it could not be started")?;
    let said = fs::read(&log).with_context(|| format!("{} cannot be read", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    let findings = fs::read_dir(&broken)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    if !status.success() && findings.is_empty() {
        bail!("{status}; see {}", log.display());
    }
    let (runs, covered) = (figure(&said, "stat::number_of_executed_units:"), figure(&said, " cov:"));
    if status.success() && covered == 0 {
        bail!("nothing counts what runs: `fuzz/instrument.sh` did not compile it");
    }
    Ok(Outcome { runs, covered, findings })
}

/// The number after the last place where libFuzzer wrote this word; 0 where it did not.
fn figure(said: &str, word: &str) -> u64 {
    let after = said.rsplit_once(word).map_or("", |(_, after)| after.trim_start());
    after
        .split(|character: char| !character.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository;

    /// A target without seeds would never run.
    #[test]
    fn every_target_has_a_corpus_and_is_built() {
        let root = repository::root();
        let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
        let mut built: Vec<&str> =
            manifest.split("[[bin]]\nname = \"").skip(1).map(|section| section.split('"').next().unwrap()).collect();
        built.sort_unstable();
        assert_eq!(targets(&root).unwrap(), built);
    }

    /// Else everything would be built twice in `cargo xtask ci`, and what is fuzzed would not be what is shipped.
    #[test]
    fn crates_are_of_the_versions_of_the_workspace() {
        let root = repository::root();
        let packages = |path: &str| -> Vec<String> {
            let lock = fs::read_to_string(root.join(path)).unwrap();
            let sections = lock.split("[[package]]\n").skip(1);
            sections.map(|section| section.lines().take(2).collect::<Vec<_>>().join(" ")).collect()
        };
        let shared = packages("Cargo.lock");
        let own = ["customer-registration-fuzz", "libfuzzer-sys", "arbitrary"];
        for package in packages("fuzz/Cargo.lock") {
            let is_own = own.iter().any(|name| package.starts_with(&format!("name = \"{name}\"")));
            assert!(is_own || shared.contains(&package), "{package}: copy the root's Cargo.lock over and build");
        }
    }

    #[test]
    fn figures_are_read_off_the_last_line_that_has_them() {
        let said = "#2 INITED cov: 7 ft: 8\n#9 NEW    cov: 12 ft: 30 corp: 3/9b\nstat::number_of_executed_units: 431\n";
        assert_eq!((figure(said, "stat::number_of_executed_units:"), figure(said, " cov:")), (431, 12));
        assert_eq!(figure("", " cov:"), 0);
    }
}
