//! Medusa's `api_key`: publishable keys in the clear, secret keys as a scrypt hash.

use std::fmt;

use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// One key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// `apk_…`.
    pub id: String,
    /// A publishable key itself, or the hexadecimal hash of a secret one.
    pub token: String,
    /// The salt of a secret key's hash; empty for a publishable one.
    pub salt: String,
    /// First six characters, three stars, last three.
    pub redacted: String,
    /// What the shop calls it.
    pub title: String,
    /// `publishable` or `secret`.
    pub kind: String,
    /// Whose key it is.
    pub created_by: String,
}

impl fmt::Debug for ApiKey {
    /// The id alone: the rest is secret or personal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whether `api_key k` is the publishable key with a token, and in force at a moment: the names of both parameters.
/// The type is written so that no index is asked for it: among few keys PostgreSQL would take that index and look at each.
macro_rules! is_publishable {
    ($token:literal, $now:literal) => {
        concat!(
            "k.token = ",
            $token,
            " and k.type || '' = 'publishable' and k.deleted_at is null and (k.revoked_at is null or k.revoked_at > ",
            $now,
            ")"
        )
    };
}
pub(crate) use is_publishable;

const HAS_PUBLISHABLE: &str = concat!(
    "select k.id, k.token, k.salt, k.redacted, k.title, k.type, k.created_by from api_key k where ",
    is_publishable!("$1", "$2")
);

/// A publishable key that is in force.
///
/// # Errors
/// When the statement fails.
pub async fn find_publishable(tx: &mut Tx, token: &str, now: Timestamp) -> Result<Option<ApiKey>, DbError> {
    on!(tx, connection => sqlx::query(HAS_PUBLISHABLE)
        .bind(token)
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

macro_rules! list_secret {
    ($index:literal) => {
        concat!(
            "select id, token, salt, redacted, title, type, created_by from api_key",
            $index,
            " where redacted = $1 and type = 'secret' and deleted_at is null and (revoked_at is null or revoked_at > $2) \
             order by id limit 20"
        )
    };
}
/// SQLite would rather go through all keys that are not deleted.
const LIST_SECRET_SQLITE: &str = list_secret!(" indexed by \"IDX_api_key_redacted\"");
const LIST_SECRET_POSTGRES: &str = list_secret!("");

/// Secret keys in force that read the same when redacted, 20 at most: the caller compares the hash.
///
/// # Errors
/// When the statement fails.
pub async fn list_secret(tx: &mut Tx, redacted: &str, now: Timestamp) -> Result<Vec<ApiKey>, DbError> {
    let sql = match tx.handle() {
        Handle::Sqlite(_) => LIST_SECRET_SQLITE,
        Handle::Postgres(_) => LIST_SECRET_POSTGRES,
    };
    on!(tx, connection => sqlx::query(sql)
        .bind(redacted)
        .bind(Stamp(now))
        .fetch_all(connection)
        .await?
        .iter()
        .map(from_row)
        .collect())
}

fn from_row(row: &impl Columns) -> Result<ApiKey, DbError> {
    Ok(ApiKey {
        id: row.text("id")?,
        token: row.text("token")?,
        salt: row.text("salt")?,
        redacted: row.text("redacted")?,
        title: row.text("title")?,
        kind: row.text("type")?,
        created_by: row.text("created_by")?,
    })
}

const INSERT: &str = "insert into api_key (id, token, salt, redacted, title, type, created_by, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $8)";

/// Makes a key.
///
/// # Errors
/// [`DbError::NotUnique`] by `IDX_api_key_token_unique` when the token exists.
pub async fn insert(tx: &mut Tx, key: &ApiKey, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(INSERT)
        .bind(&key.id)
        .bind(&key.token)
        .bind(&key.salt)
        .bind(&key.redacted)
        .bind(&key.title)
        .bind(&key.kind)
        .bind(&key.created_by)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}
