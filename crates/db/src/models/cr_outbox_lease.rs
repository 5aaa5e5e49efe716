//! `cr_outbox` as its worker sees it: what is due is claimed under a lease, and what came of the attempt is settled.
//!
//! Claiming counts an attempt, and settling names the attempt it settles: a worker that was too slow, so that another
//! claimed the row meanwhile, changes nothing. What may be retried and when is the caller's.

use std::fmt;

use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// What is delivered without waiting for the other: a slow receiver of events must not hold up a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Messages to people, and those to nobody.
    Messages,
    /// Events, which have the channel `event`.
    Events,
}

/// A row that a worker holds under a lease.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimedMessage {
    /// `msg_…`.
    pub id: String,
    /// Notification channel.
    pub channel: String,
    /// Sealed JSON; only a row that somebody tampered with has none.
    pub payload: Option<String>,
    /// Name of the template.
    pub template: String,
    /// OTP purpose or event.
    pub trigger_type: String,
    /// The customer, if there is one.
    pub receiver_id: Option<String>,
    /// For the receiving side to recognise a repeat by.
    pub idempotency_key: String,
    /// Which attempt this is, from 1; settling must name it.
    pub attempts: i64,
    /// After this moment the message is of no use.
    pub expires_at: Option<Timestamp>,
    /// When it was enqueued.
    pub created_at: Timestamp,
}

impl fmt::Debug for ClaimedMessage {
    /// The id alone: the rest is secret or personal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClaimedMessage").field("id", &self.id).finish_non_exhaustive()
    }
}

impl ClaimedMessage {
    /// Reads what `CLAIM_…` return.
    fn from_row(row: &impl Columns) -> Result<Self, DbError> {
        Ok(Self {
            id: row.text("id")?,
            channel: row.text("channel")?,
            payload: row.optional_text("payload")?,
            template: row.text("template")?,
            trigger_type: row.text("trigger_type")?,
            receiver_id: row.optional_text("receiver_id")?,
            idempotency_key: row.text("idempotency_key")?,
            attempts: row.integer("attempts")?,
            expires_at: row.optional_time("expires_at")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// What a worker takes of one lane: which channels that is, and how rows are held. Each lane has an index of its own, so that nobody
/// who looks for the one goes through what waits in the other.
macro_rules! claim {
    ($channels:literal, $lock:literal) => {
        concat!(
            "with due as materialized (select id from cr_outbox where status in ('pending', 'sending') and ",
            $channels,
            " and next_attempt_at <= $1 and next_attempt_at >= $4 order by next_attempt_at, id limit $3",
            $lock,
            ") update cr_outbox \
             set status = 'sending', attempts = attempts + 1, next_attempt_at = $2, lease_until = $2, updated_at = $1 \
             where id in (select id from due) \
             returning id, channel, payload, template, trigger_type, receiver_id, idempotency_key, \
             cast(attempts as bigint) as attempts, expires_at, created_at"
        )
    };
}
/// SQLite: the transaction is the only writer, so nobody else can hold these rows.
const CLAIM_MESSAGES_SQLITE: &str = claim!("channel <> 'event'", "");
const CLAIM_EVENTS_SQLITE: &str = claim!("channel = 'event'", "");
/// PostgreSQL: rows that another worker is claiming at this moment are passed over.
const CLAIM_MESSAGES_POSTGRES: &str = claim!("channel <> 'event'", " for update skip locked");
const CLAIM_EVENTS_POSTGRES: &str = claim!("channel = 'event'", " for update skip locked");

/// Takes up to `limit` rows of a lane that came due since `from`, under a lease until `lease_until`, the longest due first, and counts
/// an attempt on each. Due are also those whose worker let its lease run out.
///
/// PostgreSQL's index keeps an entry for each message that was settled since the last vacuum, and whoever begins before them goes
/// through all of them.
///
/// # Errors
/// When the statement fails.
pub async fn claim(
    tx: &mut Tx,
    [from, now]: [Timestamp; 2],
    lease_until: Timestamp,
    lane: Lane,
    limit: i64,
) -> Result<Vec<ClaimedMessage>, DbError> {
    let sql = match (tx.handle(), lane) {
        (Handle::Sqlite(_), Lane::Messages) => CLAIM_MESSAGES_SQLITE,
        (Handle::Sqlite(_), Lane::Events) => CLAIM_EVENTS_SQLITE,
        (Handle::Postgres(_), Lane::Messages) => CLAIM_MESSAGES_POSTGRES,
        (Handle::Postgres(_), Lane::Events) => CLAIM_EVENTS_POSTGRES,
    };
    on!(tx, connection => sqlx::query(sql)
        .bind(Stamp(now))
        .bind(Stamp(lease_until))
        .bind(limit)
        .bind(Stamp(from))
        .fetch_all(connection)
        .await?
        .iter()
        .map(ClaimedMessage::from_row)
        .collect())
}

/// When a lane has something to do next; `None` for one that is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextDue {
    /// Of messages.
    pub messages: Option<Timestamp>,
    /// Of events.
    pub events: Option<Timestamp>,
}

impl NextDue {
    /// Of a lane.
    pub fn of(self, lane: Lane) -> Option<Timestamp> {
        match lane {
            Lane::Messages => self.messages,
            Lane::Events => self.events,
        }
    }

    /// Of either.
    pub fn first(self) -> Option<Timestamp> {
        self.messages.into_iter().chain(self.events).min()
    }
}

/// The first of each lane's index: `min` would go through all that waits while PostgreSQL believes that little does.
const NEXT_DUE: &str = "
select
  (select next_attempt_at from cr_outbox where status in ('pending', 'sending') and channel <> 'event'
   order by next_attempt_at, id limit 1) as messages,
  (select next_attempt_at from cr_outbox where status in ('pending', 'sending') and channel = 'event'
   order by next_attempt_at, id limit 1) as events";

/// When the next message comes due, or a lease runs out. Needs no lock, so that an idle worker's look takes nobody's turn to write.
///
/// # Errors
/// When the statement fails.
pub async fn find_next_due(tx: &mut Tx) -> Result<NextDue, DbError> {
    on!(tx, connection => {
        let row = sqlx::query(NEXT_DUE).fetch_one(connection).await?;
        Ok(NextDue { messages: row.optional_time("messages")?, events: row.optional_time("events")? })
    })
}

const MARK_DELIVERED: &str = "
update cr_outbox
set status = 'delivered', payload = null, lease_until = null, last_error = null, delivered_at = $3, updated_at = $3
where id = $1 and attempts = $2 and status = 'sending'";

/// Settles an attempt as delivered and wipes the payload. False: the lease ran out and the row is another's by now.
///
/// # Errors
/// When the statement fails.
pub async fn mark_delivered(tx: &mut Tx, id: &str, attempt: i64, now: Timestamp) -> Result<bool, DbError> {
    let settled = on!(tx, connection => sqlx::query(MARK_DELIVERED)
        .bind(id)
        .bind(attempt)
        .bind(Stamp(now))
        .execute(connection).await?.rows_affected());
    Ok(settled == 1)
}

const MARK_DEAD: &str = "
update cr_outbox
set status = 'dead', payload = case when channel = 'event' then payload end, lease_until = null, last_error = $3, updated_at = $4
where id = $1 and attempts = $2 and status = 'sending'";

/// Settles an attempt as the last one and wipes the payload, but an event's, which can be sent again. `last_error` names a class of failure, never an address or
/// a code. False: the row is another's by now.
///
/// # Errors
/// When the statement fails.
pub async fn mark_dead(tx: &mut Tx, id: &str, attempt: i64, last_error: &str, now: Timestamp) -> Result<bool, DbError> {
    let settled = on!(tx, connection => sqlx::query(MARK_DEAD)
        .bind(id)
        .bind(attempt)
        .bind(last_error)
        .bind(Stamp(now))
        .execute(connection).await?.rows_affected());
    Ok(settled == 1)
}

const RETRY_LATER: &str = "
update cr_outbox
set status = 'pending', lease_until = null, next_attempt_at = $3, last_error = $4, updated_at = $5
where id = $1 and attempts = $2 and status = 'sending'";

/// Settles an attempt as failed and makes the message due again at `next_attempt_at`. False: the row is another's by now.
///
/// # Errors
/// When the statement fails.
pub async fn retry_later(
    tx: &mut Tx,
    id: &str,
    attempt: i64,
    next_attempt_at: Timestamp,
    last_error: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let settled = on!(tx, connection => sqlx::query(RETRY_LATER)
        .bind(id)
        .bind(attempt)
        .bind(Stamp(next_attempt_at))
        .bind(last_error)
        .bind(Stamp(now))
        .execute(connection).await?.rows_affected());
    Ok(settled == 1)
}

const DISCARD: &str = "
delete from cr_outbox
where id = $1 and attempts = $2 and status = 'sending'";

/// Removes a message that nobody shall get (channel `none`): nothing remains that tells an unknown account from a known
/// one. False: the row is another's by now.
///
/// # Errors
/// When the statement fails.
pub async fn discard(tx: &mut Tx, id: &str, attempt: i64) -> Result<bool, DbError> {
    let settled = on!(tx, connection => sqlx::query(DISCARD)
        .bind(id)
        .bind(attempt)
        .execute(connection).await?.rows_affected());
    Ok(settled == 1)
}
