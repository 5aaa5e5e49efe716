//! What must pass before a push, in the order in which a failure is cheapest to find.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{codegen, command, fuzz, instructions, lanes, tidy};

/// One step: what is printed above it, and what it does.
type Step = (&'static str, fn(&Path) -> Result<()>);

/// The steps in order. The tests come last, so that their closing lines are what one reads at the end.
const STEPS: [Step; 11] = [
    ("formatter", formatter),
    ("tidy", tidy::run),
    ("cargo-deny", deny),
    ("clippy", clippy),
    ("documentation of the crates", documentation),
    ("generated files", generated),
    ("packages of the tests that run Node", node_packages),
    ("fuzzing, briefly", fuzz::briefly),
    ("instructions of the hot paths", instructions::run),
    ("scrypt-lanes under Memcheck, and without lanes", lanes::run),
    ("tests", tests),
];

/// Runs every step and stops at the first that fails.
///
/// # Errors
/// What the failing step reports.
pub(crate) fn run(root: &Path) -> Result<()> {
    let begun = Instant::now();
    for (name, step) in STEPS {
        println!("\n== {name} (at {} s)", begun.elapsed().as_secs());
        step(root)?;
    }
    println!("\nAll passed in {} s.", begun.elapsed().as_secs());
    Ok(())
}

/// `cargo fmt`, changing nothing.
fn formatter(root: &Path) -> Result<()> {
    command::run(root, command::CARGO, &["fmt", "--all", "--check"])
}

/// Every lint of every target, warnings being errors.
fn clippy(root: &Path) -> Result<()> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
    command::run(root, command::CARGO, &arguments)
}

/// What `cargo doc` shows: no link leads nowhere.
fn documentation(root: &Path) -> Result<()> {
    let strict = r#"build.rustdocflags=["--deny", "warnings"]"#;
    command::run(root, command::CARGO, &["doc", "--workspace", "--no-deps", "--locked", "--quiet", "--config", strict])
}

/// Licences, sources and banned or doubled crates, those of the fuzz targets too; and advisories, where `cargo deny fetch db` has put
/// their database on the machine: the gate itself downloads none.
fn deny(root: &Path) -> Result<()> {
    if !command::exists("cargo-deny") {
        bail!("cargo-deny is missing: `cargo install --locked cargo-deny --version 0.20.2`");
    }
    let has_advisories = has_advisories();
    for of in [&["--locked"][..], &["--locked", "--manifest-path", "fuzz/Cargo.toml", "--config", "deny.toml"]] {
        command::run(root, command::CARGO, &[&["deny"], of, &["check", "bans", "licenses", "sources"]].concat())?;
        if has_advisories {
            command::run(root, command::CARGO, &[&["deny", "--offline"], of, &["check", "advisories"]].concat())?;
        }
    }
    if !has_advisories {
        println!("Advisories are not checked: `cargo deny fetch db` has put no database on this machine.");
    }
    Ok(())
}

/// Whether there is a database of advisories where cargo-deny keeps it.
#[expect(clippy::disallowed_methods, reason = "where Cargo lives is told by the environment alone")]
fn has_advisories() -> bool {
    let home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let found = home.and_then(|home| home.join("advisory-dbs").read_dir().ok());
    let is_whole = |entry: &DirEntry| {
        entry.file_name().to_string_lossy().starts_with("advisory-db-") && entry.path().join("crates").is_dir()
    };
    found.is_some_and(|entries| entries.flatten().any(|entry| is_whole(&entry)))
}

/// Fails when a committed file is not what its source makes.
fn generated(root: &Path) -> Result<()> {
    let stale = codegen::stale(root)?;
    if !stale.is_empty() {
        bail!("docs/ is older than the source: {}; run `cargo xtask codegen`", stale.join(", "));
    }
    Ok(())
}

/// Installs what `e2e/package-lock.json` pins, unless it is there.
fn node_packages(root: &Path) -> Result<()> {
    let folder = root.join("e2e");
    if !folder.join("package-lock.json").exists() || folder.join("node_modules").exists() {
        return Ok(());
    }
    command::run(&folder, "npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
}

/// Tests at once: half as many again as there are cores, since most wait for a disk, a network or a browser half of the time.
fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores + cores.div_ceil(2)
}

/// Every test of every crate, also after one that failed: a run tells all that is wrong. The PostgreSQL server that they share, and
/// leave running for the next test program, is ended whether they pass or not.
fn tests(root: &Path) -> Result<()> {
    let threads = threads().to_string();
    let passed = command::run(
        root,
        command::CARGO,
        &["test", "--workspace", "--locked", "--no-fail-fast", "--", "--test-threads", &threads],
    );
    passed.and(end_postgres(root))
}

/// Runs testkit's example that ends the shared server, as `cargo test` has built it: another build of testkit alone has other
/// features, and takes minutes.
fn end_postgres(root: &Path) -> Result<()> {
    let own = std::env::current_exe().context("this program does not know where it lies")?;
    let example = own.with_file_name("examples").join("stop-postgres");
    let example = example.to_str().context("the path of this program is no UTF-8")?;
    command::run::<&str>(root, example, &[])
}
