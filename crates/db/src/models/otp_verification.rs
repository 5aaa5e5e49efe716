//! The plugin's `otp_verification` with what makes a code belong to one asker and one contact.

use std::fmt;

use cr_types::ids::{CustomerId, OtpId};
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

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

const REPLACE: &str = "insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at, attempts, kind, \
     origin, subject_hmac, destination_hmac, sealed, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, $10, $11, $11) \
     on conflict (subject_hmac, purpose) where deleted_at is null and verified_at is null and subject_hmac is not null \
     do update set id = excluded.id, customer_id = excluded.customer_id, hashed_code = excluded.hashed_code, \
     expires_at = excluded.expires_at, attempts = 0, kind = excluded.kind, origin = excluded.origin, \
     destination_hmac = excluded.destination_hmac, sealed = excluded.sealed, created_at = excluded.created_at, \
     updated_at = excluded.updated_at";

/// Stores a code in the place of the live one of the same subject and purpose, whose token then opens nothing.
///
/// # Errors
/// When the statement fails.
pub async fn replace(tx: &mut Tx, otp: &OtpVerification, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(REPLACE)
        .bind(otp.id.as_str())
        .bind(otp.customer_id.as_str())
        .bind(&otp.purpose)
        .bind(&otp.hashed_code)
        .bind(Stamp(otp.expires_at))
        .bind(otp.kind.as_deref())
        .bind(otp.origin.as_deref())
        .bind(otp.subject_hmac.as_deref())
        .bind(otp.destination_hmac.as_deref())
        .bind(otp.sealed.as_deref())
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
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

const TAKE_ATTEMPT: &str = concat!(
    "update otp_verification set attempts = attempts + 1, updated_at = $3 \
     where id = $1 and attempts < $2 and expires_at > $3 and verified_at is null and deleted_at is null returning ",
    columns!()
);

/// Counts one guess, if one is left: the statement itself decides, so that a thousand parallel guesses get `max` of them.
///
/// # Errors
/// When the statement fails.
pub async fn take_attempt(
    tx: &mut Tx,
    id: &OtpId,
    max: i64,
    now: Timestamp,
) -> Result<Option<OtpVerification>, DbError> {
    on!(tx, connection => sqlx::query(TAKE_ATTEMPT)
        .bind(id.as_str())
        .bind(max)
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const CONSUME: &str = "update otp_verification set verified_at = $2, updated_at = $2, sealed = null \
     where id = $1 and verified_at is null and deleted_at is null";

/// Uses a code up; false when it was used, replaced or voided meanwhile. Of parallel callers one gets true.
///
/// # Errors
/// When the statement fails.
pub async fn consume(tx: &mut Tx, id: &OtpId, now: Timestamp) -> Result<bool, DbError> {
    let touched = on!(tx, connection => sqlx::query(CONSUME)
        .bind(id.as_str())
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(touched > 0)
}

const PRUNE: &str = "delete from otp_verification where id in \
     (select id from otp_verification where expires_at < $1 order by expires_at, id limit 1000)";

/// Deletes up to 1000 codes that expired before the moment given; tells how many.
///
/// # Errors
/// When the statement fails.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, DbError> {
    Ok(on!(tx, connection => sqlx::query(PRUNE)
        .bind(Stamp(before))
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))?)
}
