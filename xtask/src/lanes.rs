//! What cargo and clippy alone do not see of `scrypt-lanes`, the one crate with `unsafe`: what its memory is used for, and whether it
//! compiles where it has no lanes.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::command;

/// The tests that compute with every backend that the processor has and Memcheck knows: up to AVX2.
const TESTS: [&str; 3] = ["agreement", "known_answers", "memory"];
/// A processor where the crate is `scrypt` under another name.
const ELSEWHERE: &str = "aarch64-unknown-linux-gnu";

/// All checks.
///
/// # Errors
/// When something to check with is missing, or what a check finds.
pub(crate) fn run(root: &Path) -> Result<()> {
    under_memcheck(root)?;
    under_address_sanitizer(root)?;
    compiles_elsewhere(root)
}

/// Every read and write of the tests, by Valgrind's Memcheck: one outside of what was allocated, or of what was never written and
/// decides something, fails.
fn under_memcheck(root: &Path) -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("not run under Memcheck here: there is no `unsafe` but on x86-64");
        return Ok(());
    }
    if !command::exists("valgrind") {
        bail!("Valgrind is missing: `apt-get install valgrind libc6-dbg`");
    }
    let built = command::built(root, &TESTS.map(|name| ["--test", name]).concat())?;
    for name in TESTS {
        let program = built.get(name).with_context(|| format!("cargo names no program for the test {name}"))?;
        let program = program.to_str().context("the path of the repository is no UTF-8")?;
        command::run(root, "valgrind", &["--quiet", "--error-exitcode=9", program])?;
    }
    Ok(())
}

/// The same by `AddressSanitizer` where the processor has AVX-512, which Memcheck does not know. The flag is unstable, hence the variable.
fn under_address_sanitizer(root: &Path) -> Result<()> {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
        let environment = ["RUSTC_BOOTSTRAP=1", "RUSTFLAGS=-Zsanitizer=address", command::CARGO];
        let tests = ["test", "--locked", "--package", "scrypt-lanes", "--lib", "--tests"];
        let place = ["--target", "x86_64-unknown-linux-gnu", "--target-dir", "target/sanitized"];
        return command::run(root, "env", &[&environment[..], &tests, &place].concat());
    }
    println!("not run under AddressSanitizer: this processor has no AVX-512, and Memcheck knows all else");
    Ok(())
}

/// Clippy for another processor. Its standard library comes by rustup; where that is not to be had, this says so and passes.
fn compiles_elsewhere(root: &Path) -> Result<()> {
    let folder = command::output(root, "rustc", &["--print", "target-libdir", "--target", ELSEWHERE])?;
    let has_library = || Path::new(folder.trim_end()).exists();
    let fetched = || command::run(root, "rustup", &["target", "add", ELSEWHERE]);
    if !has_library() && (fetched().is_err() || !has_library()) {
        println!("not compiled for {ELSEWHERE}: `rustup target add {ELSEWHERE}` did not bring its standard library");
        return Ok(());
    }
    let package = ["--package", "scrypt-lanes", "--all-targets", "--target", ELSEWHERE];
    command::run(root, command::CARGO, &[&["clippy", "--locked"], &package[..], &["--", "--deny", "warnings"]].concat())
}
