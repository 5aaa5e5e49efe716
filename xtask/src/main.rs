//! The project's own commands: `cargo xtask ci | tidy | codegen | bench | seed | instructions | fuzz | sbom`.
//!
//! `ci` is the one command that a contributor and the build machine run alike. The rules of the repository that no compiler
//! knows are functions in [`tidy`], and tests as well, so that `cargo test` finds them. Nothing here is shipped, and no
//! other crate may depend on this one.

#![expect(clippy::print_stdout, reason = "these are commands for a person at a terminal")]

mod bench;
mod ci;
mod codegen;
mod command;
mod fuzz;
mod instructions;
mod lanes;
mod repository;
mod sbom;
mod seed;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// What is printed when no command, or an unknown one, was given.
const USAGE: &str = "\
Usage: cargo xtask COMMAND

  ci       formatter, clippy, cargo-deny, tidy, generated files, some fuzzing, instructions, memory, every test: what must pass before a push
  tidy     the rules of the repository alone (seconds)
  codegen  writes the generated files under docs/
  bench    builds the release program and prints how fast it is on this machine, beside its peers
  seed     fills an empty database with made-up customers, to measure on: URL CUSTOMERS
  instructions
           counts what the hot paths take and compares with the counts in git; [--write] keeps the new ones
  sbom     writes target/sbom/customer-registration.cdx.json, the bill of materials of the program (CycloneDX)
  fuzz     feeds made-up input to what reads requests, tokens, templates and files: [--seconds N] [TARGET…]
";

/// Runs the command that the first argument names.
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Hands the arguments after the command's name to it.
///
/// # Errors
/// What the command reports, or that there is no such command.
fn run(arguments: &[String]) -> Result<()> {
    let root = repository::root();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["ci"] => ci::run(&root),
        ["tidy"] => tidy::run(&root),
        ["codegen"] => codegen::write(&root),
        ["sbom"] => sbom::write(&root),
        ["seed", arguments @ ..] => seed::run(&root, arguments),
        ["instructions"] => instructions::run(&root),
        ["instructions", "--write"] => instructions::write(&root),
        ["bench", flags @ ..] => bench::run(&root, flags),
        ["fuzz", flags @ ..] => fuzz::run(&root, flags),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        [unknown, ..] => bail!("there is no command `{unknown}`\n\n{USAGE}"),
    }
}
