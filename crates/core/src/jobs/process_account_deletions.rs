//! Job `process-account-deletions`: erases every account whose time has come.
//!
//! Every replica runs it; the rows decide who works. Requests are taken in batches, each batch in one transaction that holds its
//! rows, so that no account is ever half-deleted and a cancellation either comes first or finds nothing. When one of a batch fails,
//! the batch is rolled back and its requests are tried one by one, so that a failing one stops nobody; it is tried again at the
//! next run.

use cr_db::models::account_deletion_request::{self, AccountDeletionRequest};
use cr_db::models::cr_audit::{self, AuditLine};
use cr_types::ids::generate;
use cr_types::timestamp::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::events::{self, Event};
use crate::modules::account_deletion_request::service::AccountDeletionRequestService;
use crate::modules::customer::erasure;

/// When the job runs: at every full hour, in cron's notation.
pub const SCHEDULE: &str = "0 * * * *";

/// Requests a transaction. On SQLite nobody else writes meanwhile, so a batch is some tens of milliseconds of work.
const BATCH: i64 = 50;

/// What a run did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests that were due when it began.
    pub due: u64,
    /// Accounts that are gone.
    pub completed: u64,
    /// Requests that failed and wait for the next run.
    pub failed: u64,
}

/// Goes through everything that is due, once, until `stop`. `progress` is told after each batch.
///
/// # Errors
/// When the database cannot be reached; what was completed stays completed.
pub async fn run(
    app: &App,
    stop: &CancellationToken,
    mut progress: impl FnMut(&Report) + Send,
) -> Result<Report, Error> {
    let mut report = Report { due: count_due(app).await?, ..Report::default() };
    progress(&report);
    app.shared.pass("job-begun");
    let mut after = (Timestamp::from_millis(0).unwrap_or(app.shared.env.clock.now()), String::new());
    while report.due > 0 && !stop.is_cancelled() {
        let mut cx = app.begin().await?;
        let batch = AccountDeletionRequestService::list_due_for_deletion(&mut cx, (after.0, &after.1), BATCH).await?;
        let Some(last) = batch.last() else { break };
        let last = (last.deletion_scheduled_at.unwrap_or(cx.now), last.id.clone());
        // A time finer than milliseconds, which somebody wrote by hand, lies after itself: a failing request would never be passed.
        if last == after {
            break;
        }
        after = last;
        app.shared.pass("batch-taken");
        match erase_all(cx, &batch).await {
            Ok(()) => report.completed += u64::try_from(batch.len()).unwrap_or(0),
            Err(error) => {
                tracing::warn!(%error, "A batch of account deletions failed; each is tried alone");
                erase_each(app, &batch, &mut report).await?;
            }
        }
        progress(&report);
        app.shared.pass("batch-ended");
    }
    Ok(report)
}

/// How much there is to do; reading alone, since mostly there is nothing.
async fn count_due(app: &App) -> Result<u64, Error> {
    let mut cx = app.begin_read().await?;
    let due = account_deletion_request::count_due(&mut cx.tx, cx.now).await?;
    Ok(u64::try_from(due).unwrap_or(0))
}

/// A whole batch in the transaction that holds it.
async fn erase_all(mut cx: Ctx, batch: &[AccountDeletionRequest]) -> Result<(), Error> {
    for request in batch {
        if let Err(error) = complete(&mut cx, request).await {
            // The next look for due requests passes over rows that are still held.
            cx.tx.roll_back().await?;
            return Err(error);
        }
    }
    cx.commit().await
}

/// Each of a batch that failed, in a transaction of its own. One that waits too long for a row that somebody holds is a failure of
/// that one alone.
///
/// # Errors
/// When no transaction can be begun.
async fn erase_each(app: &App, batch: &[AccountDeletionRequest], report: &mut Report) -> Result<(), Error> {
    for request in batch {
        let cx = app.begin().await?;
        match erase_one(cx, &request.id).await {
            Ok(true) => report.completed += 1,
            // Cancelled or held meanwhile, or another replica was quicker.
            Ok(false) => {}
            Err(error) => {
                report.failed += 1;
                let id = &request.id;
                tracing::error!(account_deletion_request.id = id, %error, "The account of request {id} could not be deleted");
            }
        }
    }
    Ok(())
}

/// One request, if it is still due.
async fn erase_one(mut cx: Ctx, id: &str) -> Result<bool, Error> {
    let Some(request) = account_deletion_request::lock_if_due(&mut cx.tx, id, cx.now).await? else { return Ok(false) };
    erase_all(cx, std::slice::from_ref(&request)).await?;
    Ok(true)
}

/// Erases the customer of a request that this transaction holds, and marks the request as done.
///
/// # Errors
/// When a statement fails.
pub async fn complete(cx: &mut Ctx, request: &AccountDeletionRequest) -> Result<(), Error> {
    let customer = &request.customer_id;
    erasure::run(cx, customer).await?;
    cx.step("mark-completed")?;
    if !AccountDeletionRequestService::mark_completed(cx, &request.id).await? {
        return Err(Error::conflict());
    }
    let id = generate("craud", cx.now, cx.bytes());
    let line = AuditLine {
        id: &id,
        actor_type: "job",
        actor_id: None,
        action: "account_deletion.completed",
        subject_id: Some(customer.as_str()),
        details: None,
    };
    cr_audit::insert(&mut cx.tx, &line, cx.now).await?;
    events::emit(cx, Event::CustomerDeleted { id: customer.clone() }).await?;
    let (id, customer_id) = (request.id.clone(), customer.clone());
    events::emit(cx, Event::AccountDeletionCompleted { id, customer_id }).await
}
