//! The program: parses arguments, runs one command, tells what went wrong.

use std::process::ExitCode;

use clap::Parser as _;
use cr_server::cli::{self, Cli};

#[expect(clippy::print_stderr, reason = "where a command tells its failure")]
#[tokio::main]
async fn main() -> ExitCode {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider was installed before this program's");
        return ExitCode::FAILURE;
    }
    match cli::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
