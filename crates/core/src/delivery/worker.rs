//! The worker: claims due messages under a lease, sends them with no transaction open, settles each by itself; each by one statement.
//!
//! Any number of replicas may run one. A worker that dies leaves leases that run out, so a message is sent at least once
//! and at most once more per crash; its id and idempotency key let the other side see the repeat. There is no order among
//! messages beyond "the longest due first".

use std::sync::Arc;
use std::time::Duration;

use cr_db::models::cr_outbox::{self, ClaimedMessage, Lane};
use cr_types::timestamp::Timestamp;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::delivery::message::NOBODY;
use crate::delivery::payload::Payload;
use crate::delivery::retry::{Attempt, Decision, Failure, RetryPolicy, decide};
use crate::error::Error;
use crate::events::EVENT_CHANNEL;
use crate::keys::Seal;
use crate::providers::notification::{Outgoing, Providers};

/// Messages, and as many events, on their way at once. A claim takes no more than can be sent at once, so that no lease runs while
/// waiting.
const CONCURRENCY: usize = 8;
/// Seconds that a claimed message is this worker's; more than twice what a send may take.
const LEASE_SECONDS: i64 = 60;
/// The end of every send. Providers have shorter limits of their own; this one keeps a lease safe from all of them.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at the queue when nobody wakes the worker.
const POLL: Duration = Duration::from_secs(1);
/// Tries to settle what was sent while the database is away, one a [`POLL`]; then the lease runs out.
const SETTLE_TRIES: u32 = 20;
/// Days that settled rows are kept; their payloads are gone already.
const KEEP_DAYS: i64 = 30;
/// Seconds between two prunings.
const PRUNE_SECONDS: i64 = 3600;
/// Rows at most a pruning.
const PRUNE_ROWS: i64 = 500;

/// Sends what the outbox holds.
pub struct Worker {
    inner: Arc<Inner>,
}

/// What every send in flight shares.
struct Inner {
    app: App,
    providers: Providers,
    retry: RetryPolicy,
}

/// What came of an attempt.
enum Outcome {
    /// A provider took it.
    Delivered,
    /// It was for nobody.
    Discarded,
    /// It did not go out.
    Failed(Failure),
}

impl Worker {
    /// A worker that has not begun yet.
    pub fn new(app: App, providers: Providers, retry: RetryPolicy) -> Self {
        Self { inner: Arc::new(Inner { app, providers, retry }) }
    }

    /// Works until `stop`; then claims nothing more, ends and settles what is on its way, and returns.
    ///
    /// A failing database is logged once and tried again each second.
    pub async fn run(self, stop: CancellationToken) {
        let inner = self.inner;
        let (mut messages, mut events) = (JoinSet::new(), JoinSet::new());
        let mut database_fails = false;
        let mut next_pruning = inner.now();
        while !stop.is_cancelled() {
            let free = [&messages, &events].map(|lane| CONCURRENCY.saturating_sub(lane.len()));
            match inner.look(free).await {
                Ok(claimed) => {
                    if std::mem::take(&mut database_fails) {
                        tracing::info!("The outbox can be read again");
                    }
                    for row in claimed {
                        let lane = if row.channel == EVENT_CHANNEL { &mut events } else { &mut messages };
                        lane.spawn(Arc::clone(&inner).process(row));
                    }
                }
                Err(error) if !database_fails => {
                    database_fails = true;
                    tracing::error!(error = describe(&error), "Could not claim messages, trying again each second");
                }
                Err(_) => {}
            }
            if inner.now() >= next_pruning && !database_fails {
                next_pruning = inner.prune().await;
            }
            // What is on its way wakes this by its end; what comes due meanwhile waits for that, or for a moment of the poll.
            let is_busy = !messages.is_empty() || !events.is_empty();
            let pause = if database_fails || is_busy { POLL } else { inner.pause().await };
            tokio::select! {
                () = stop.cancelled() => {}
                () = inner.app.shared.wake.notified(), if !database_fails => {}
                Some(ended) = messages.join_next(), if !messages.is_empty() => note_panic(ended),
                Some(ended) = events.join_next(), if !events.is_empty() => note_panic(ended),
                () = tokio::time::sleep(pause) => {}
            }
            // Whatever has ended by now makes room for one claim, not for one each.
            for lane in [&mut messages, &mut events] {
                while let Some(ended) = lane.try_join_next() {
                    note_panic(ended);
                }
            }
        }
        for mut lane in [messages, events] {
            while let Some(ended) = lane.join_next().await {
                note_panic(ended);
            }
        }
    }

    /// Claims, sends and settles until nothing is due; the answer is how many attempts were made.
    ///
    /// # Errors
    /// The database's.
    pub async fn run_once(&self) -> Result<usize, Error> {
        let mut attempts = 0;
        loop {
            let messages = self.inner.look([CONCURRENCY; 2]).await?;
            if messages.is_empty() {
                return Ok(attempts);
            }
            attempts += messages.len();
            let mut in_flight = JoinSet::new();
            for message in messages {
                in_flight.spawn(Arc::clone(&self.inner).process(message));
            }
            while let Some(ended) = in_flight.join_next().await {
                note_panic(ended);
            }
        }
    }
}

impl Inner {
    /// The present. A send takes long, so each step of the worker is an operation of its own.
    fn now(&self) -> Timestamp {
        self.app.shared.env.clock.now()
    }

    /// Claims up to `free` due messages and as many events; takes no lock when nothing is due.
    async fn look(&self, free: [usize; 2]) -> Result<Vec<ClaimedMessage>, Error> {
        if free == [0, 0] {
            return Ok(Vec::new());
        }
        let next_due = {
            let mut tx = self.app.db.read().await?;
            cr_outbox::find_next_due(&mut tx).await?
        };
        let now = self.now();
        let is_worth_it = |(lane, free): &(Lane, usize)| *free > 0 && next_due.of(*lane).is_some_and(|due| due <= now);
        let wanted = [Lane::Messages, Lane::Events].into_iter().zip(free).filter(is_worth_it);
        let mut claimed = Vec::new();
        for (lane, free) in wanted {
            match self.claim(lane, free).await {
                Ok(rows) => claimed.extend(rows),
                // What is held already is sent; the next look meets the same trouble.
                Err(_) if !claimed.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(claimed)
    }

    /// Claims up to `free` due rows of a lane.
    async fn claim(&self, lane: Lane, free: usize) -> Result<Vec<ClaimedMessage>, Error> {
        let limit = i64::try_from(free).unwrap_or(1);
        let mut tx = self.app.db.single().await?;
        let now = self.now();
        self.app.shared.pass("claim-messages");
        let claimed = cr_outbox::claim(&mut tx, now, now.plus_seconds(LEASE_SECONDS), lane, limit).await?;
        tx.commit().await?;
        self.app.shared.pass("messages-claimed");
        Ok(claimed)
    }

    /// How long to sleep unless woken: until the next message is due, at least a moment, at most [`POLL`].
    async fn pause(&self) -> Duration {
        let next_due = async {
            let mut tx = self.app.db.read().await?;
            cr_outbox::find_next_due(&mut tx).await.map(cr_outbox::NextDue::first)
        };
        // A failure here is the next look's to report.
        let Ok(Some(moment)) = next_due.await else { return POLL };
        let millis = moment.millis().saturating_sub(self.now().millis());
        Duration::from_millis(u64::try_from(millis).unwrap_or(0)).clamp(Duration::from_millis(20), POLL)
    }

    /// Makes one attempt and settles it.
    async fn process(self: Arc<Self>, message: ClaimedMessage) {
        let outcome = self.attempt(&message).await;
        for _ in 0..SETTLE_TRIES {
            match self.settle(&message, &outcome).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!(
                        outbox.id = message.id,
                        attempt = message.attempts,
                        "Attempt {} of message {} took longer than its lease",
                        message.attempts,
                        message.id
                    );
                    return;
                }
                Err(error) => {
                    tracing::warn!(
                        outbox.id = message.id,
                        error = describe(&error),
                        "Could not settle message {}",
                        message.id
                    );
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }

    /// Sends a claimed message, if it is still worth sending.
    async fn attempt(&self, message: &ClaimedMessage) -> Outcome {
        if message.channel == NOBODY {
            return Outcome::Discarded;
        }
        match self.send(message).await {
            Ok(()) => Outcome::Delivered,
            Err(failure) => Outcome::Failed(failure),
        }
    }

    /// Opens the payload and hands it to the channel's provider, with no transaction open.
    async fn send(&self, message: &ClaimedMessage) -> Result<(), Failure> {
        let now = self.now();
        if message.attempts > self.retry.attempts {
            return Err(Failure::Interrupted);
        }
        if message.expires_at.is_some_and(|moment| moment <= now) {
            return Err(Failure::Expired);
        }
        let sealed = message.payload.as_deref().ok_or(Failure::Unreadable)?;
        let plain = self.app.shared.keys.open(Seal::Outbox, &message.id, sealed).ok_or(Failure::Unreadable)?;
        let payload: Payload = serde_json::from_slice(&plain).map_err(|_| Failure::Unreadable)?;
        let provider = self.providers.route(&message.channel).ok_or(Failure::NoProvider)?;
        let outgoing = Outgoing {
            id: &message.id,
            channel: &message.channel,
            to: &payload.to,
            subject: payload.subject.as_deref(),
            html: payload.html.as_deref(),
            text: &payload.text,
            data: &payload.data,
            template: &message.template,
            trigger_type: &message.trigger_type,
            receiver_id: message.receiver_id.as_deref(),
            idempotency_key: &message.idempotency_key,
            created_at: message.created_at,
            now,
        };
        self.app.shared.pass("send-message");
        let sent = tokio::time::timeout(SEND_TIMEOUT, provider.send(outgoing)).await.unwrap_or(Err(Failure::Timeout));
        self.app.shared.pass("message-sent");
        sent
    }

    /// Writes what came of an attempt. False: the lease ran out and the row is another worker's.
    async fn settle(&self, message: &ClaimedMessage, outcome: &Outcome) -> Result<bool, Error> {
        let (id, attempt) = (message.id.as_str(), message.attempts);
        let mut tx = self.app.db.single().await?;
        let now = self.now();
        self.app.shared.pass("settle-message");
        let settled = match outcome {
            Outcome::Discarded => cr_outbox::discard(&mut tx, id, attempt).await?,
            Outcome::Delivered => cr_outbox::mark_delivered(&mut tx, id, attempt, now).await?,
            Outcome::Failed(failure) => {
                let expires_at = message.expires_at;
                let jitter = u16::from_be_bytes(self.app.shared.env.bytes());
                match decide(self.retry, *failure, Attempt { number: attempt, now, expires_at, jitter }) {
                    Decision::Later(moment) => {
                        cr_outbox::retry_later(&mut tx, id, attempt, moment, &failure.to_string(), now).await?
                    }
                    Decision::Dead => cr_outbox::mark_dead(&mut tx, id, attempt, &failure.to_string(), now).await?,
                }
            }
        };
        tx.commit().await?;
        self.app.shared.pass("message-settled");
        if settled {
            self.report(message, outcome, now);
        }
        Ok(settled)
    }

    /// Logs what came of an attempt: ids and classes, no contact and no code.
    fn report(&self, message: &ClaimedMessage, outcome: &Outcome, now: Timestamp) {
        let ClaimedMessage { id, channel, attempts, expires_at, .. } = message;
        let failure = match outcome {
            Outcome::Discarded => return,
            Outcome::Delivered => {
                tracing::info!(outbox.id = id, channel, attempt = attempts, "Delivered message {id} by {channel}");
                return;
            }
            Outcome::Failed(failure) => *failure,
        };
        let again = Attempt { number: *attempts, now, expires_at: *expires_at, jitter: 0 };
        if decide(self.retry, failure, again) != Decision::Dead {
            tracing::warn!(
                outbox.id = id,
                channel,
                attempt = attempts,
                error = %failure,
                "Attempt {attempts} to deliver message {id} by {channel} failed, will try again: {failure}"
            );
            return;
        }
        // A recipient that does not exist is the customer's typing error; for everything else someone must look.
        if failure.is_of_recipient() {
            tracing::warn!(outbox.id = id, channel, attempt = attempts, error = %failure, "Gave up message {id}: {failure}");
        } else {
            tracing::error!(outbox.id = id, channel, attempt = attempts, error = %failure, "Gave up message {id}: {failure}");
        }
    }

    /// Removes settled rows that are older than [`KEEP_DAYS`]; the answer is when to do it again.
    async fn prune(&self) -> Timestamp {
        let now = self.now();
        let pruned = async {
            let mut tx = self.app.db.begin().await?;
            let rows = cr_outbox::prune(&mut tx, now.plus_seconds(-KEEP_DAYS * 86_400), PRUNE_ROWS).await?;
            self.app.shared.pass("prune-messages");
            tx.commit().await?;
            self.app.shared.pass("messages-pruned");
            Ok::<_, Error>(rows)
        };
        match pruned.await {
            Ok(rows) if i64::try_from(rows).is_ok_and(|rows| rows >= PRUNE_ROWS) => now.plus_seconds(1),
            Ok(_) => now.plus_seconds(PRUNE_SECONDS),
            Err(error) => {
                tracing::warn!(error = describe(&error), "Could not prune the outbox");
                now.plus_seconds(PRUNE_SECONDS)
            }
        }
    }
}

/// A panic in a send must not end the worker; the message's lease runs out.
fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "A delivery ended in a panic");
    }
}

/// An error with its causes, for the log.
fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
