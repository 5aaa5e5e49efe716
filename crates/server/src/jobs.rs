//! The clockwork: runs the scheduled jobs while the server serves, in every replica.

use std::str::FromStr as _;
use std::time::Duration;

use cr_core::app::App;
use cr_core::jobs::process_account_deletions::{self, Report, SCHEDULE};
use croner::Cron;
use tokio_util::sync::CancellationToken;

/// How long to wait where the schedule gives no next moment, which it always does.
const FALLBACK: Duration = Duration::from_hours(1);

/// Runs `process-account-deletions` at each moment of its schedule until the stop. A moment that was missed is made up for by the
/// next one, since the rows say what is due.
pub async fn by_the_clock(app: App, stop: CancellationToken) {
    loop {
        let pause = until_next(&app);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        match process_account_deletions::run(&app, &stop, |_| {}).await {
            Ok(report) => tell(&report),
            Err(error) => tracing::error!(%error, "Account deletions could not be processed; tried again in an hour"),
        }
    }
}

/// From now to the schedule's next moment.
fn until_next(app: &App) -> Duration {
    let now = app.shared.env.clock.now().as_datetime();
    let next = Cron::from_str(SCHEDULE).ok().and_then(|cron| cron.find_next_occurrence(&now, false).ok());
    next.and_then(|next| (next - now).to_std().ok()).unwrap_or(FALLBACK)
}

/// One line for a run that had something to do.
fn tell(report: &Report) {
    let Report { due, completed, failed } = report;
    if *failed > 0 {
        tracing::error!(
            due,
            completed,
            failed,
            "{completed} accounts were deleted, {failed} failed and wait for the next run"
        );
    } else if *completed > 0 {
        tracing::info!(due, completed, "{completed} accounts were deleted");
    }
}
