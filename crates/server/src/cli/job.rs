//! `job run`: a scheduled job from outside, for whoever has a scheduler of their own.

use anyhow::{Result, bail};
use clap::ValueEnum;
use cr_core::jobs::process_account_deletions::{self, Report};
use indicatif::{ProgressBar, ProgressStyle};

use super::command_app;
use crate::config::Sources;
use crate::run;

/// The jobs that there are.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Job {
    /// Delete every account whose time has come.
    ProcessAccountDeletions,
}

/// Runs the job until nothing is left, or a signal asks to stop; a bar on a terminal shows how far it is.
///
/// # Errors
/// When the database cannot be reached, or an account could not be deleted.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub(super) async fn run(sources: &Sources, job: Job) -> Result<()> {
    let app = command_app(sources).await?;
    let stop = run::on_signals(app.clone())?;
    let bar =
        ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:40} {pos} of {len} accounts, {eta} left")?);
    let shown = bar.clone();
    let report = match job {
        Job::ProcessAccountDeletions => {
            let progress = move |report: &Report| {
                shown.set_length(report.due);
                shown.set_position(report.completed + report.failed);
            };
            process_account_deletions::run(&app, &stop, progress).await?
        }
    };
    bar.finish_and_clear();
    app.db.close().await;
    println!("{} accounts deleted, {} failed", report.completed, report.failed);
    if report.failed > 0 {
        bail!("{} accounts could not be deleted; they are tried again at the next run", report.failed);
    }
    Ok(())
}
