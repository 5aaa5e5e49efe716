//! Medusa's `auth_identity`: who a set of credentials is, for every kind of actor.

use cr_types::ids::{AuthIdentityId, CustomerId};
use cr_types::timestamp::Timestamp;
use serde_json::{Map, Value};

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// One identity.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthIdentity {
    /// `authid_…`.
    pub id: AuthIdentityId,
    /// Whom it belongs to: `customer_id`, `user_id`, … and our `cr_not_before`; empty where the column is null.
    pub app_metadata: Map<String, Value>,
}

impl AuthIdentity {
    /// The customer that this identity logs in.
    pub fn customer_id(&self) -> Option<CustomerId> {
        self.actor_id("customer").map(CustomerId::from_stored)
    }

    /// The actor of one kind: `<actor_type>_id` in the metadata, when it is a non-empty text.
    pub fn actor_id(&self, actor_type: &str) -> Option<&str> {
        self.app_metadata.get(&format!("{actor_type}_id")).and_then(Value::as_str).filter(|id| !id.is_empty())
    }

    /// Whether any actor owns it: a key that ends in `_id` with a value that is not null.
    pub fn is_claimed(&self) -> bool {
        self.app_metadata.iter().any(|(key, value)| key.ends_with("_id") && !value.is_null())
    }

    /// Whether an actor other than a customer shares it.
    pub fn is_shared(&self) -> bool {
        self.app_metadata.iter().any(|(key, value)| key.ends_with("_id") && key != "customer_id" && !value.is_null())
    }

    /// Seconds since 1970 before which no token of this identity counts.
    pub fn not_before(&self) -> Option<i64> {
        self.app_metadata.get("cr_not_before").and_then(Value::as_i64)
    }

    /// Reads the row under another name of its id column, as joins have it.
    ///
    /// # Errors
    /// [`DbError::Inconsistent`] when `app_metadata` is no object.
    pub(crate) fn from_columns(row: &impl Columns, id: &str) -> Result<Self, DbError> {
        let app_metadata = match row.optional_json("app_metadata")? {
            Some(Value::Object(map)) => map,
            None => Map::new(),
            Some(_) => return Err(DbError::Inconsistent("auth_identity.app_metadata is no object".to_owned())),
        };
        Ok(Self { id: AuthIdentityId::from_stored(row.text(id)?), app_metadata })
    }
}

const INSERT: &str = "insert into auth_identity (id, app_metadata, created_at, updated_at) values ($1, $2, $3, $3)";

/// Makes an identity; `app_metadata` null is one that nobody owns yet.
///
/// # Errors
/// When the statement fails.
pub async fn insert(
    tx: &mut Tx,
    id: &AuthIdentityId,
    app_metadata: Option<&Value>,
    now: Timestamp,
) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(INSERT)
        .bind(id.as_str())
        .bind(app_metadata)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const FIND: &str = "select id, app_metadata from auth_identity where id = $1 and deleted_at is null";

/// A live identity by id.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, id: &AuthIdentityId) -> Result<Option<AuthIdentity>, DbError> {
    on!(tx, connection => sqlx::query(FIND)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| AuthIdentity::from_columns(&row, "id"))
        .transpose())
}

/// As an `update` would hold it, without a new version of the row.
const LOCK_POSTGRES: &str =
    "select id, app_metadata from auth_identity where id = $1 and deleted_at is null for no key update";

/// A live identity by id, held until the transaction ends: what is read here cannot change under the caller. On SQLite a transaction
/// is the only writer, and holds everything.
///
/// # Errors
/// When the statement fails.
pub async fn lock(tx: &mut Tx, id: &AuthIdentityId) -> Result<Option<AuthIdentity>, DbError> {
    match tx.handle() {
        Handle::Sqlite(_) => find(tx, id).await,
        Handle::Postgres(connection) => sqlx::query(LOCK_POSTGRES)
            .bind(id.as_str())
            .fetch_optional(connection)
            .await?
            .map(|row| AuthIdentity::from_columns(&row, "id"))
            .transpose(),
    }
}

const LIST_OF_CUSTOMER: &str = "select id, app_metadata from auth_identity \
     where app_metadata ->> 'customer_id' = $1 and deleted_at is null order by id limit 100";

/// The live identities that log in a customer, 100 at most.
///
/// # Errors
/// When the statement fails.
pub async fn list_of_customer(tx: &mut Tx, customer: &CustomerId) -> Result<Vec<AuthIdentity>, DbError> {
    on!(tx, connection => sqlx::query(LIST_OF_CUSTOMER)
        .bind(customer.as_str())
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| AuthIdentity::from_columns(row, "id"))
        .collect())
}

const UPDATE_APP_METADATA: &str = "update auth_identity set app_metadata = $2, updated_at = $3 where id = $1";

/// Writes the whole of `app_metadata`; the caller locked the row and merged.
///
/// # Errors
/// When the statement fails.
pub async fn update_app_metadata(tx: &mut Tx, identity: &AuthIdentity, now: Timestamp) -> Result<(), DbError> {
    let metadata = Value::Object(identity.app_metadata.clone());
    on!(tx, connection => sqlx::query(UPDATE_APP_METADATA)
        .bind(identity.id.as_str())
        .bind(&metadata)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// SQLite runs several statements at once.
const DELETE_SQLITE: &str = "\
delete from cr_reset_token where auth_identity_id = $1;
delete from auth_identity where id = $1";
/// PostgreSQL does the same as parts of one.
const DELETE_POSTGRES: &str = "\
with tokens as (delete from cr_reset_token where auth_identity_id = $1)
delete from auth_identity where id = $1";

/// Deletes an identity for good with its reset token; its provider identities go with it (foreign key). Only a hard delete
/// frees an e-mail, since the unique index of `provider_identity` is not partial.
///
/// # Errors
/// When the statement fails.
pub async fn delete(tx: &mut Tx, id: &AuthIdentityId) -> Result<(), DbError> {
    match tx.handle() {
        Handle::Sqlite(connection) => {
            sqlx::query(DELETE_SQLITE).bind(id.as_str()).execute(connection).await.map(|_| ())?;
        }
        Handle::Postgres(connection) => {
            sqlx::query(DELETE_POSTGRES).bind(id.as_str()).execute(connection).await.map(|_| ())?;
        }
    }
    Ok(())
}
