//! Serving until told to stop: the listener, the delivery worker, the clockwork; and an end that loses nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cr_core::app::App;
use cr_core::delivery::template::Templates;
use cr_core::identifiers::PhoneNumber;
use cr_core::jobs::prune;
use cr_core::keys::Keys;
use cr_core::options::ContactType;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept;
use crate::jobs;
use crate::start::Started;

/// Seconds that requests in flight get to finish once a stop was asked for.
const GRACE: Duration = Duration::from_secs(30);
/// Between two prunings.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// Serves on a listener until `stop`, then finishes requests in flight, settles the worker and closes the database.
pub async fn serve(started: Started, listener: TcpListener, stop: CancellationToken) {
    let Started { state, worker } = started;
    let app = state.app.clone();
    let tasks = TaskTracker::new();
    let workers_stop = CancellationToken::new();
    tasks.spawn(worker.run(workers_stop.clone()));
    tasks.spawn(prune_hourly(app.clone(), workers_stop.clone()));
    tasks.spawn(jobs::by_the_clock(app.clone(), workers_stop.clone()));
    tasks.spawn(warm_up(app.clone()));

    let deadline = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = accept::run(listener, state, stop.clone()) => {}
        () = deadline => tracing::warn!("Requests were still in flight after {} seconds; they are cut", GRACE.as_secs()),
    }
    workers_stop.cancel();
    tasks.close();
    tasks.wait().await;
    app.db.close().await;
    tracing::info!("Stopped");
}

/// Does what the first request would wait for: aws-lc seeds its generator from jitter, and, where customers register or log in by
/// phone, the phone metadata is unpacked; each some 70 ms. A moment after the start, so that neither takes the processor from the
/// first answer. The metadata stays in memory, some 5 MiB, which a shop without phones need not hold.
async fn warm_up(app: App) {
    tokio::time::sleep(Duration::from_millis(300)).await;
    let options = &app.shared.options;
    let has_phones = [options.registration_identifier, options.login_identifier]
        .into_iter()
        .any(|identifier| identifier.takes(ContactType::Phone));
    let warmed = tokio::task::spawn_blocking(move || {
        Keys::warm_up();
        if has_phones {
            PhoneNumber::warm_up();
        }
    });
    if let Err(error) = warmed.await {
        tracing::warn!(%error, "Warming up failed; the first requests take longer");
    }
}

/// Removes at the start, and then each hour, what has expired and is of no more use, until the stop.
async fn prune_hourly(app: App, stop: CancellationToken) {
    loop {
        match prune::run(&app).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "Pruned {rows} expired rows"),
            Err(error) => tracing::warn!(%error, "Expired rows could not be pruned; tried again in an hour"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PRUNE_EVERY) => {}
        }
    }
}

/// Cancelled by SIGTERM or SIGINT. SIGHUP reads the templates again; broken ones are told and the old ones stay.
///
/// # Errors
/// When the process cannot listen to signals.
pub fn on_signals(app: App) -> Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut reload = signal(SignalKind::hangup())?;
    let token = stop.clone();
    TaskTracker::new().spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = reload.recv() => reload_templates(&app),
            }
        }
        tracing::info!("Stopping: requests in flight finish first");
        token.cancel();
    });
    Ok(stop)
}

/// Reads all templates again; with one that is wrong the old ones stay, all of them.
fn reload_templates(app: &App) {
    match Templates::load(&app.shared.options) {
        Ok(templates) => {
            *app.shared.templates.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(templates);
            tracing::info!("Templates were read again");
        }
        Err(problems) => {
            for problem in problems {
                tracing::error!("A template is wrong, the old ones stay: {}", crate::start::told_problem(&problem));
            }
        }
    }
}
