//! The plugin's `otp_verification` with what makes a code belong to one asker and one contact.

use std::fmt;

use cr_types::ids::{CustomerId, OtpId};
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::models::cr_limit::on_conflict_take;
use crate::models::cr_outbox::NewOutboxMessage;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// One code that was sent, or a decoy that looks like one.
#[derive(Clone, PartialEq, Eq)]
pub struct OtpVerification {
    /// `otp_…`.
    pub id: OtpId,
    /// Whose; of a decoy, nobody's.
    pub customer_id: CustomerId,
    /// `email_verification`, `phone_verification`, `account_deletion_request`, `account_deletion_cancel`.
    pub purpose: String,
    /// Keyed HMAC over id and code, hexadecimal.
    pub hashed_code: String,
    /// When the code dies.
    pub expires_at: Timestamp,
    /// Guesses that were counted.
    pub attempts: i64,
    /// When the right code came.
    pub verified_at: Option<Timestamp>,
    /// When it was voided.
    pub deleted_at: Option<Timestamp>,
    /// `verify`, `contact_change`, `deletion`, `cancellation`; absent in the plugin's rows.
    pub kind: Option<String>,
    /// `bearer` or `anonymous`.
    pub origin: Option<String>,
    /// Keyed HMAC of what the request named, with the origin.
    pub subject_hmac: Option<String>,
    /// Keyed HMAC of the contact that the code went to.
    pub destination_hmac: Option<String>,
    /// A new contact or a reason, sealed.
    pub sealed: Option<String>,
}

impl fmt::Debug for OtpVerification {
    /// The id alone: the rest is secret or personal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OtpVerification").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The columns of [`OtpVerification`].
macro_rules! columns {
    () => {
        "id, customer_id, purpose, hashed_code, expires_at, cast(attempts as bigint) as attempts, verified_at, deleted_at, \
         kind, origin, subject_hmac, destination_hmac, sealed"
    };
}

fn from_row(row: &impl Columns) -> Result<OtpVerification, DbError> {
    Ok(OtpVerification {
        id: OtpId::from_stored(row.text("id")?),
        customer_id: CustomerId::from_stored(row.text("customer_id")?),
        purpose: row.text("purpose")?,
        hashed_code: row.text("hashed_code")?,
        expires_at: row.time("expires_at")?,
        attempts: row.integer("attempts")?,
        verified_at: row.optional_time("verified_at")?,
        deleted_at: row.optional_time("deleted_at")?,
        kind: row.optional_text("kind")?,
        origin: row.optional_text("origin")?,
        subject_hmac: row.optional_text("subject_hmac")?,
        destination_hmac: row.optional_text("destination_hmac")?,
        sealed: row.optional_text("sealed")?,
    })
}

/// A code takes the place of the live one of its subject and purpose: `$1` to `$11`.
macro_rules! replace {
    () => {
        "insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at, attempts, kind, origin, subject_hmac, \
         destination_hmac, sealed, created_at, updated_at) values ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11, $11) \
         on conflict (subject_hmac, purpose) where deleted_at is null and verified_at is null and subject_hmac is not null \
         do update set id = excluded.id, customer_id = excluded.customer_id, hashed_code = excluded.hashed_code, \
         expires_at = excluded.expires_at, attempts = 0, kind = excluded.kind, origin = excluded.origin, \
         destination_hmac = excluded.destination_hmac, sealed = excluded.sealed, created_at = excluded.created_at, \
         updated_at = excluded.updated_at"
    };
}
/// The message that carries it, due at once: `$12` to `$19`.
macro_rules! file_message {
    () => {
        "insert into cr_outbox (id, channel, payload, template, trigger_type, receiver_id, idempotency_key, status, attempts, \
         next_attempt_at, expires_at, created_at, updated_at) \
         values ($12, $13, $14, $15, $16, $17, $18, 'pending', 0, $11, $19, $11, $11) \
         on conflict (idempotency_key) do nothing"
    };
}

const REPLACE: &str = replace!();
const REPLACE_WITH_MESSAGE_SQLITE: &str = concat!(replace!(), "; ", file_message!());
const REPLACE_WITH_MESSAGE_POSTGRES: &str = concat!("with code as (", replace!(), ") ", file_message!());

/// What [`REPLACE`] and those that begin with it are told of a code.
macro_rules! bind_code {
    ($query:expr, $otp:ident, $now:ident) => {
        $query
            .bind($otp.id.as_str())
            .bind($otp.customer_id.as_str())
            .bind(&$otp.purpose)
            .bind(&$otp.hashed_code)
            .bind(Stamp($otp.expires_at))
            .bind($otp.kind.as_deref())
            .bind($otp.origin.as_deref())
            .bind($otp.subject_hmac.as_deref())
            .bind($otp.destination_hmac.as_deref())
            .bind($otp.sealed.as_deref())
            .bind(Stamp($now))
    };
}

/// Stores a code in the place of the live one of the same subject and purpose, whose token then opens nothing.
///
/// # Errors
/// When the statement fails.
pub async fn replace(tx: &mut Tx, otp: &OtpVerification, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => bind_code!(sqlx::query(REPLACE), otp, now).execute(connection).await.map(|_| ()))?;
    Ok(())
}

/// The same, and writes the message that carries the code: one way to the database. False: there is a message under its key already, and
/// the code alone was stored.
///
/// # Errors
/// When the statement fails.
pub async fn replace_with_message(
    tx: &mut Tx,
    otp: &OtpVerification,
    message: &NewOutboxMessage<'_>,
) -> Result<bool, DbError> {
    let now = message.now;
    // SQLite tells of both statements, PostgreSQL of the last.
    let (sql, all) = match tx.handle() {
        Handle::Sqlite(_) => (REPLACE_WITH_MESSAGE_SQLITE, 2),
        Handle::Postgres(_) => (REPLACE_WITH_MESSAGE_POSTGRES, 1),
    };
    let written = on!(tx, connection => bind_code!(sqlx::query(sql), otp, now)
        .bind(message.id)
        .bind(message.channel)
        .bind(message.payload)
        .bind(message.template)
        .bind(message.trigger_type)
        .bind(message.receiver_id)
        .bind(message.idempotency_key)
        .bind(message.expires_at.map(Stamp))
        .execute(connection)
        .await?
        .rows_affected());
    Ok(written == all)
}

const FIND: &str = concat!("select ", columns!(), " from otp_verification where id = $1");

/// A code by id, used and voided ones too.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, id: &OtpId) -> Result<Option<OtpVerification>, DbError> {
    on!(tx, connection => sqlx::query(FIND)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const FIND_LIVE: &str = concat!(
    "select ",
    columns!(),
    " from otp_verification where subject_hmac = $1 and purpose = $2 and deleted_at is null and verified_at is null"
);

/// The live code of a subject and purpose; it may have expired.
///
/// # Errors
/// When the statement fails.
pub async fn find_live(tx: &mut Tx, subject_hmac: &str, purpose: &str) -> Result<Option<OtpVerification>, DbError> {
    on!(tx, connection => sqlx::query(FIND_LIVE)
        .bind(subject_hmac)
        .bind(purpose)
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

/// A guess may be taken at the code `$1` of the kind `$2`: it lives at `$4`, and fewer than `$3` were.
macro_rules! is_open {
    () => {
        "otp_verification.id = $1 and kind = $2 and attempts < $3 and expires_at > $4 and verified_at is null \
         and deleted_at is null"
    };
}

/// What follows [`GuessCounter::start`] in the key of a counter.
macro_rules! subject {
    () => {
        "purpose || ':' || coalesce(subject_hmac, customer_id)"
    };
}

/// What a guess brings: the code's row, and the contact that is to be verified as its customer has it at that moment.
macro_rules! guessed {
    () => {
        concat!(
            columns!(),
            ", (select case otp_verification.purpose when 'email_verification' then c.email when 'phone_verification' then c.phone end \
             from customer c where c.id = otp_verification.customer_id and c.deleted_at is null) as contact"
        )
    };
}

/// SQLite runs one after the other; the second sees how many counters had room.
const TAKE_ATTEMPT_SQLITE: &str = concat!(
    "insert into cr_limit (key, count, resets_at, updated_at) select (c.value ->> 'start') || ",
    subject!(),
    ", 1, c.value ->> 'ends', $4 from otp_verification join json_each($5) c where ",
    is_open!(),
    on_conflict_take!(
        "$4",
        "(select m.value ->> 'most' from json_each($5) m \
         where substr(excluded.key, 1, length(m.value ->> 'start')) = m.value ->> 'start')"
    ),
    "; update otp_verification set attempts = attempts + 1, updated_at = $4 where ",
    is_open!(),
    " and changes() = json_array_length($5) returning ",
    guessed!()
);
/// PostgreSQL does it all at once: the code is held before its counters, as whoever uses it up does.
const TAKE_ATTEMPT_POSTGRES: &str = concat!(
    "with code as (select ",
    subject!(),
    " as subject from otp_verification where ",
    is_open!(),
    " for update), counted as (insert into cr_limit (key, count, resets_at, updated_at) \
     select t.start || code.subject, 1, t.ends, $4 from code \
     cross join rows from (jsonb_to_recordset($5) as (start text, ends timestamptz)) \
     with ordinality as t (start, ends, place) order by t.place",
    on_conflict_take!(
        "$4",
        "(select m.most from jsonb_to_recordset($5) as m (start text, most bigint) where starts_with(excluded.key, m.start))"
    ),
    " returning key) update otp_verification set attempts = attempts + 1, updated_at = $4 where ",
    is_open!(),
    " and exists (select 1 from code) and (select count(*) from counted) = jsonb_array_length($5) returning ",
    guessed!()
);

/// A rate that guesses at a subject's codes are counted by, however many codes they are.
pub struct GuessCounter {
    /// The key, up to the subject, which the code's row has; no other of the same statement begins so.
    pub start: String,
    /// How many the window has room for.
    pub most: i64,
    /// When it ends, if it begins now.
    pub window_ends: Timestamp,
}

/// A code that a guess was counted for.
pub struct GuessedCode {
    /// The code.
    pub otp: OtpVerification,
    /// The contact that its purpose verifies, as its customer has it; it may be another once the customer is held.
    pub contact: Option<String>,
}

/// Reads what `TAKE_ATTEMPT_…` return.
fn guessed(row: &impl Columns) -> Result<GuessedCode, DbError> {
    Ok(GuessedCode { otp: from_row(row)?, contact: row.optional_text("contact")? })
}

/// Counts one guess at a code of this kind, if one of `max` is left, and by all `counters`, if each has room. The statement itself
/// decides, so that a thousand parallel guesses get no more than that. `None`: it is no such code, or nothing is left; then the caller
/// rolls back where there are several counters, of which some may have been taken.
///
/// # Errors
/// When the statement fails.
pub async fn take_attempt(
    tx: &mut Tx,
    id: &OtpId,
    kind: &str,
    max: i64,
    counters: &[GuessCounter],
    now: Timestamp,
) -> Result<Option<GuessedCode>, DbError> {
    let counters: serde_json::Value = counters
        .iter()
        .map(|it| serde_json::json!({ "start": it.start, "most": it.most, "ends": it.window_ends.to_string() }))
        .collect();
    /// Binds what both databases get.
    macro_rules! run {
        ($connection:expr, $sql:expr) => {
            sqlx::query($sql)
                .bind(id.as_str())
                .bind(kind)
                .bind(max)
                .bind(Stamp(now))
                .bind(counters)
                .fetch_optional($connection)
                .await?
                .map(|row| guessed(&row))
                .transpose()
        };
    }
    match tx.handle() {
        Handle::Sqlite(connection) => run!(connection, TAKE_ATTEMPT_SQLITE),
        Handle::Postgres(connection) => run!(connection, TAKE_ATTEMPT_POSTGRES),
    }
}

macro_rules! consume {
    () => {
        "update otp_verification set verified_at = $2, updated_at = $2, sealed = null \
         where id = $1 and verified_at is null and deleted_at is null"
    };
}

/// SQLite runs one after the other; the second, if the first found its row.
const CONSUME_SQLITE: &str = concat!(
    consume!(),
    "; update cr_limit set count = count - 1, updated_at = $2 \
     where changes() = 1 and key in (select value from json_each($3)) and count > 0"
);
/// PostgreSQL does the same at once, and looks for the watched counters: the code is held before its counters. How many they are it does
/// not see when it plans, which it would do anew each time.
const CONSUME_POSTGRES: &str = concat!(
    "with consumed as (",
    consume!(),
    " returning id), given_back as (update cr_limit set count = count - 1, updated_at = $2 \
     where key = any(array(select unnest($3::text[]))) and count > 0 and exists (select 1 from consumed)) \
     select exists (select 1 from cr_limit w where w.key = any(array(select unnest($4::text[])))) as has_watched from consumed"
);

/// A code that was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// Whether there may be one of the watched counters.
    pub has_watched: bool,
}

/// Uses a code up, takes one back from each of the counters `given_back`, and tells whether there is one of `watched`; `None`, and nothing
/// is done, when it was used, replaced or voided meanwhile. Of parallel callers one gets it.
///
/// # Errors
/// When the statement fails.
pub async fn consume(
    tx: &mut Tx,
    id: &OtpId,
    given_back: &[String],
    watched: &[String],
    now: Timestamp,
) -> Result<Option<Consumed>, DbError> {
    match tx.handle() {
        Handle::Sqlite(connection) => {
            let query = sqlx::query(CONSUME_SQLITE).bind(id.as_str()).bind(Stamp(now));
            let done = query.bind(serde_json::Value::from(given_back)).execute(connection).await?;
            // To look for them would be a statement, as it is to delete them unseen.
            Ok((done.rows_affected() > 0).then_some(Consumed { has_watched: !watched.is_empty() }))
        }
        Handle::Postgres(connection) => {
            let query = sqlx::query(CONSUME_POSTGRES).bind(id.as_str()).bind(Stamp(now));
            let row = query.bind(given_back).bind(watched).fetch_optional(connection).await?;
            row.map(|row| Ok(Consumed { has_watched: row.boolean("has_watched")? })).transpose()
        }
    }
}

macro_rules! prune {
    ($begin:literal, $end:literal) => {
        concat!(
            "delete from otp_verification where id ",
            $begin,
            "select id from otp_verification where expires_at < $1 order by expires_at limit 1000",
            $end
        )
    };
}
const PRUNE_SQLITE: &str = prune!("in (", ")");
/// PostgreSQL would rather go through the whole table to find what an `in` names.
const PRUNE_POSTGRES: &str = prune!("= any(array(", "))");

/// Deletes up to 1000 codes that expired before the moment given; tells how many.
///
/// # Errors
/// When the statement fails.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, DbError> {
    let sql = match tx.handle() {
        Handle::Sqlite(_) => PRUNE_SQLITE,
        Handle::Postgres(_) => PRUNE_POSTGRES,
    };
    Ok(on!(tx, connection => sqlx::query(sql)
        .bind(Stamp(before))
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))?)
}
