//! The worker: claims due messages under a lease, sends them with no transaction open, settles each by itself; each by one statement.
//!
//! Any number of replicas may run one. A worker that dies leaves leases that run out, so a message is sent at least once
//! and at most once more per crash; its id and idempotency key let the other side see the repeat. There is no order among
//! messages beyond "the longest due first".

use std::sync::Arc;
use std::time::{Duration, Instant};

use cr_db::models::cr_outbox;
use cr_db::models::cr_outbox_lease::{self, ClaimedMessage, Lane, NextDue};
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
/// What has room of its own in flight, so that neither waits for the other.
const LANES: [Lane; 2] = [Lane::Messages, Lane::Events];
/// Seconds that a claimed message is this worker's; more than twice what a send may take.
const LEASE_SECONDS: i64 = 60;
/// The end of every send. Providers have shorter limits of their own; this one keeps a lease safe from all of them.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at the whole queue. What a commit leaves is claimed at once; what other replicas left, what comes due again and what
/// lost its worker is found by these.
const POLL: Duration = Duration::from_secs(1);
/// The shortest pause, so that what another worker has just taken is not asked for without end.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// Milliseconds that a claim begins before the last look, for transactions that were under way then. What a slower one writes is found by
/// the next look.
const OVERLAP_MILLIS: i64 = 2000;
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

/// What the worker knows of the queue between two looks at the whole of it.
struct Queue {
    /// Where claims begin: nothing of before waits, as far as the last look could see.
    from: Timestamp,
    /// Of [`LANES`]: something may be due, by a commit, by the last look, or because the last claim took as many as it might.
    may_be_due: [bool; 2],
    /// When the first of what was not due at the last look comes due.
    next: Option<Timestamp>,
    /// The last look.
    looked: Option<Instant>,
}

impl Queue {
    /// One that nobody has looked at.
    fn new(now: Timestamp) -> Self {
        Self { from: now, may_be_due: [false; 2], next: None, looked: None }
    }

    /// Whether it is time to look at all of it.
    fn wants_a_look(&self, now: Timestamp) -> bool {
        self.looked.is_none_or(|looked| looked.elapsed() >= POLL) || self.next.is_some_and(|next| next <= now)
    }

    /// Keeps what a look has found.
    fn note(&mut self, next_due: NextDue, now: Timestamp) {
        let moments = LANES.map(|lane| next_due.of(lane));
        self.looked = Some(Instant::now());
        self.from = next_due.first().map_or(now, |first| first.min(now)).plus_millis(-OVERLAP_MILLIS);
        self.next = moments.into_iter().flatten().filter(|moment| *moment > now).min();
        for (may_be_due, moment) in self.may_be_due.iter_mut().zip(moments) {
            *may_be_due |= moment.is_some_and(|moment| moment <= now);
        }
    }

    /// How long to wait for the next look, unless woken.
    fn pause(&self, now: Timestamp) -> Duration {
        let until_poll = self.looked.map_or(POLL, |looked| POLL.saturating_sub(looked.elapsed()));
        let until_next = self.next.map_or(POLL, |next| {
            Duration::from_millis(u64::try_from(next.millis().saturating_sub(now.millis())).unwrap_or(0))
        });
        until_poll.min(until_next).max(SHORTEST_PAUSE)
    }
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
        let mut queue = Queue::new(inner.now());
        let wake = &inner.app.shared.wake;
        let mut database_fails = false;
        let mut next_pruning = inner.now();
        while !stop.is_cancelled() {
            let free = [&messages, &events].map(|lane| CONCURRENCY.saturating_sub(lane.len()));
            match inner.take(&mut queue, free).await {
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
            let is_full = messages.len() >= CONCURRENCY && events.len() >= CONCURRENCY;
            let pause = if database_fails || is_full { POLL } else { queue.pause(inner.now()) };
            tokio::select! {
                () = stop.cancelled() => {}
                () = wake.messages.notified(), if !database_fails => queue.may_be_due[0] = true,
                () = wake.events.notified(), if !database_fails => queue.may_be_due[1] = true,
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
            let messages = self.inner.take(&mut Queue::new(self.inner.now()), [CONCURRENCY; 2]).await?;
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

    /// Claims up to `free` due messages and events: of a lane in which something may be due, and of none otherwise, so that an idle
    /// worker takes nobody's turn to write.
    async fn take(&self, queue: &mut Queue, free: [usize; 2]) -> Result<Vec<ClaimedMessage>, Error> {
        if free == [0, 0] {
            return Ok(Vec::new());
        }
        if queue.wants_a_look(self.now()) {
            let mut tx = self.app.db.read().await?;
            let now = self.now();
            queue.note(cr_outbox_lease::find_next_due(&mut tx).await?, now);
        }
        let mut claimed = Vec::new();
        for ((lane, free), may_be_due) in LANES.into_iter().zip(free).zip(&mut queue.may_be_due) {
            if free == 0 || !*may_be_due {
                continue;
            }
            match self.claim(lane, free, queue.from).await {
                Ok(rows) => {
                    // Who took as many as it might has left some, perhaps.
                    *may_be_due = rows.len() == free;
                    claimed.extend(rows);
                }
                // What is held already is sent; the next claim meets the same trouble.
                Err(_) if !claimed.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(claimed)
    }

    /// Claims up to `free` rows of a lane that came due since `from`.
    async fn claim(&self, lane: Lane, free: usize, from: Timestamp) -> Result<Vec<ClaimedMessage>, Error> {
        let limit = i64::try_from(free).unwrap_or(1);
        let mut tx = self.app.db.single().await?;
        let now = self.now();
        self.app.shared.pass("claim-messages");
        let claimed =
            cr_outbox_lease::claim(&mut tx, [from, now], now.plus_seconds(LEASE_SECONDS), lane, limit).await?;
        tx.commit().await?;
        self.app.shared.pass("messages-claimed");
        Ok(claimed)
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
            Outcome::Discarded => cr_outbox_lease::discard(&mut tx, id, attempt).await?,
            Outcome::Delivered => cr_outbox_lease::mark_delivered(&mut tx, id, attempt, now).await?,
            Outcome::Failed(failure) => {
                let expires_at = message.expires_at;
                let jitter = u16::from_be_bytes(self.app.shared.env.bytes());
                match decide(self.retry, *failure, Attempt { number: attempt, now, expires_at, jitter }) {
                    Decision::Later(moment) => {
                        cr_outbox_lease::retry_later(&mut tx, id, attempt, moment, &failure.to_string(), now).await?
                    }
                    Decision::Dead => {
                        cr_outbox_lease::mark_dead(&mut tx, id, attempt, &failure.to_string(), now).await?
                    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment some milliseconds after the start.
    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis).unwrap()
    }

    #[test]
    fn a_look_tells_what_is_due_where_claims_begin_and_when_to_look_again() {
        let mut queue = Queue::new(at(0));
        assert!(queue.wants_a_look(at(0)), "nobody has looked yet");

        queue.note(NextDue { messages: Some(at(-5000)), events: Some(at(300)) }, at(0));
        assert_eq!((queue.may_be_due, queue.from, queue.next), ([true, false], at(-7000), Some(at(300))));
        assert!(!queue.wants_a_look(at(299)));
        assert!(queue.wants_a_look(at(300)), "the event is due");
        assert_eq!(queue.pause(at(290)), SHORTEST_PAUSE);
        assert!(queue.pause(at(0)) <= Duration::from_millis(300));

        queue.may_be_due[0] = false;
        queue.note(NextDue { messages: None, events: Some(at(300)) }, at(300));
        assert_eq!((queue.may_be_due, queue.from, queue.next), ([false, true], at(-1700), None));
        assert!(queue.pause(at(300)) > Duration::from_millis(500), "only the poll is left to wait for");

        queue.looked = queue.looked.and_then(|looked| looked.checked_sub(POLL));
        assert!(queue.wants_a_look(at(300)));
        assert_eq!(queue.pause(at(300)), SHORTEST_PAUSE);
    }

    /// What was told of a lane stays until it was claimed, whatever a look sees.
    #[test]
    fn a_look_takes_no_wake_back() {
        let mut queue = Queue::new(at(0));
        queue.may_be_due[1] = true;
        queue.note(NextDue { messages: None, events: None }, at(0));
        assert_eq!(queue.may_be_due, [false, true]);
        assert_eq!(queue.from, at(-OVERLAP_MILLIS));
    }
}
