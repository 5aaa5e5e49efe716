//! `cr_outbox`: messages that wait for delivery, and what became of them.
//!
//! A row is `pending` until a worker claims it, `sending` while that worker's lease holds, then `delivered` or `dead`. While
//! it is leased, `next_attempt_at` is the lease's end, so that one index a lane finds all that is due.
//! Claims and what comes of them are in [`cr_outbox_lease`](super::cr_outbox_lease).

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// A message to be written; `payload` is sealed already.
pub struct NewOutboxMessage<'a> {
    /// `msg_…`.
    pub id: &'a str,
    /// Notification channel; `none` for one that nobody shall get.
    pub channel: &'a str,
    /// Sealed JSON.
    pub payload: &'a str,
    /// Name of the template that it was rendered from.
    pub template: &'a str,
    /// OTP purpose or event.
    pub trigger_type: &'a str,
    /// The customer, if there is one.
    pub receiver_id: Option<&'a str>,
    /// Two messages under one key are one message.
    pub idempotency_key: &'a str,
    /// After this moment the message is of no use.
    pub expires_at: Option<Timestamp>,
    /// The operation's time: the message is due at once.
    pub now: Timestamp,
}

/// A row that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// `msg_…` or `evt_…`.
    pub id: String,
    /// Notification channel, or `event`.
    pub channel: String,
    /// OTP purpose or event.
    pub trigger_type: String,
    /// Attempts that were made.
    pub attempts: i64,
    /// The class of the last failure.
    pub last_error: Option<String>,
    /// Whether it can be sent again: the payload of a message is wiped, that of an event, which holds no secret, is not.
    pub is_kept: bool,
    /// When it was enqueued.
    pub created_at: Timestamp,
}

/// How a message to somebody fared; nothing of what it said, or where it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryTrace {
    /// Notification channel.
    pub channel: String,
    /// OTP purpose or event.
    pub trigger_type: String,
    /// `pending`, `sending`, `delivered` or `dead`.
    pub status: String,
    /// Attempts that were made.
    pub attempts: i64,
    /// The class of the last failure.
    pub last_error: Option<String>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
}

/// How the queue stands, for metrics and diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxSummary {
    /// Messages that wait or are being sent.
    pub pending: i64,
    /// Messages delivered and not pruned yet.
    pub delivered: i64,
    /// Messages given up and not pruned yet.
    pub dead: i64,
    /// When the oldest waiting one was enqueued.
    pub oldest_pending: Option<Timestamp>,
}

const INSERT: &str = "
insert into cr_outbox
  (id, channel, payload, template, trigger_type, receiver_id, idempotency_key, status, attempts,
   next_attempt_at, expires_at, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, 'pending', 0, $8, $9, $8, $8)
on conflict (idempotency_key) do nothing";

/// Writes a message, due at once. False: there is one under this key already, and nothing was written.
///
/// # Errors
/// When the statement fails.
pub async fn insert(tx: &mut Tx, message: &NewOutboxMessage<'_>) -> Result<bool, DbError> {
    let written = on!(tx, connection => sqlx::query(INSERT)
        .bind(message.id)
        .bind(message.channel)
        .bind(message.payload)
        .bind(message.template)
        .bind(message.trigger_type)
        .bind(message.receiver_id)
        .bind(message.idempotency_key)
        .bind(Stamp(message.now))
        .bind(message.expires_at.map(Stamp))
        .execute(connection).await?.rows_affected());
    Ok(written == 1)
}

/// Asked twice: what an operator made due again while this waited for it stays.
macro_rules! prune {
    ($begin:literal, $end:literal) => {
        concat!(
            "delete from cr_outbox where id ",
            $begin,
            "select id from cr_outbox where status in ('delivered', 'dead') and updated_at < $1 \
             order by updated_at, id limit $2",
            $end,
            " and status in ('delivered', 'dead') and updated_at < $1"
        )
    };
}
const PRUNE_SQLITE: &str = prune!("in (", ")");
/// PostgreSQL would rather go through all that are over to find what an `in` names.
const PRUNE_POSTGRES: &str = prune!("= any(array(", "))");

/// Removes up to `limit` messages that were settled before `before`; the answer is how many.
///
/// # Errors
/// When the statement fails.
pub async fn prune(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, DbError> {
    let sql = match tx.handle() {
        Handle::Sqlite(_) => PRUNE_SQLITE,
        Handle::Postgres(_) => PRUNE_POSTGRES,
    };
    Ok(on!(tx, connection => sqlx::query(sql)
        .bind(Stamp(before))
        .bind(limit)
        .execute(connection).await?.rows_affected()))
}

const LIST_DEAD: &str = "
select id, channel, trigger_type, cast(attempts as bigint) as attempts, last_error, created_at, payload is not null as is_kept
from cr_outbox
where status = 'dead'
order by payload is null, created_at desc, id desc
limit $1";

/// The rows that were given up: first those that can be sent again, the newest first.
///
/// # Errors
/// When the statement fails.
pub async fn list_dead(tx: &mut Tx, limit: i64) -> Result<Vec<DeadLetter>, DbError> {
    on!(tx, connection => sqlx::query(LIST_DEAD)
        .bind(limit)
        .fetch_all(connection)
        .await?
        .iter()
        .map(dead_letter)
        .collect())
}

/// Reads what `LIST_DEAD` returns.
fn dead_letter(row: &impl Columns) -> Result<DeadLetter, DbError> {
    Ok(DeadLetter {
        id: row.text("id")?,
        channel: row.text("channel")?,
        trigger_type: row.text("trigger_type")?,
        attempts: row.integer("attempts")?,
        last_error: row.optional_text("last_error")?,
        is_kept: row.boolean("is_kept")?,
        created_at: row.time("created_at")?,
    })
}

const LIST_OF_RECEIVER: &str = "
select channel, trigger_type, status, cast(attempts as bigint) as attempts, last_error, created_at, delivered_at
from cr_outbox
where receiver_id = $1 and channel not in ('event', 'none')
order by created_at desc, id desc
limit $2";

/// The messages to a customer that are still kept, the newest first; no events, which go to the shop.
///
/// # Errors
/// When the statement fails.
pub async fn list_of_receiver(tx: &mut Tx, customer: &CustomerId, limit: i64) -> Result<Vec<DeliveryTrace>, DbError> {
    on!(tx, connection => sqlx::query(LIST_OF_RECEIVER)
        .bind(customer.as_str())
        .bind(limit)
        .fetch_all(connection)
        .await?
        .iter()
        .map(delivery_trace)
        .collect())
}

/// Reads what `LIST_OF_RECEIVER` returns.
fn delivery_trace(row: &impl Columns) -> Result<DeliveryTrace, DbError> {
    Ok(DeliveryTrace {
        channel: row.text("channel")?,
        trigger_type: row.text("trigger_type")?,
        status: row.text("status")?,
        attempts: row.integer("attempts")?,
        last_error: row.optional_text("last_error")?,
        created_at: row.time("created_at")?,
        delivered_at: row.optional_time("delivered_at")?,
    })
}

const REVIVE: &str = "
update cr_outbox
set status = 'pending', attempts = 0, next_attempt_at = $2, updated_at = $2
where status = 'dead' and payload is not null and (cast($1 as text) is null or id = $1)";

/// Makes dead rows whose payload is kept due again, one or all; the answer is how many.
///
/// # Errors
/// When the statement fails.
pub async fn revive(tx: &mut Tx, id: Option<&str>, now: Timestamp) -> Result<u64, DbError> {
    Ok(on!(tx, connection => sqlx::query(REVIVE)
        .bind(id)
        .bind(Stamp(now))
        .execute(connection).await?.rows_affected()))
}

/// Each count by an index: what is kept of a month's messages is counted, and not read.
const SUMMARISE: &str = "
with waiting as (
  select created_at from cr_outbox where status in ('pending', 'sending') and channel <> 'event'
  union all
  select created_at from cr_outbox where status in ('pending', 'sending') and channel = 'event'
), settled as (
  select
    (select count(*) from cr_outbox where status in ('delivered', 'dead')) as all_of_them,
    (select count(*) from cr_outbox where status = 'dead') as dead
)
select
  (select count(*) from waiting) as pending,
  all_of_them - dead as delivered,
  dead,
  (select min(created_at) from waiting) as oldest_pending
from settled";

/// Counts the queue by status.
///
/// # Errors
/// When the statement fails.
pub async fn summarise(tx: &mut Tx) -> Result<OutboxSummary, DbError> {
    on!(tx, connection => {
        let row = sqlx::query(SUMMARISE).fetch_one(connection).await?;
        Ok(OutboxSummary {
            pending: row.integer("pending")?,
            delivered: row.integer("delivered")?,
            dead: row.integer("dead")?,
            oldest_pending: row.optional_time("oldest_pending")?,
        })
    })
}
