//! Medusa's `provider_identity`: one credential (an e-mail or a phone with a password) of an identity.

use std::fmt;

use cr_types::ids::{AuthIdentityId, CustomerId};
use cr_types::timestamp::Timestamp;
use serde_json::{Map, Value};

use crate::error::DbError;
use crate::models::auth_identity::AuthIdentity;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// The columns that [`ProviderIdentity`] reads, from `provider_identity p` and `auth_identity a`.
macro_rules! columns {
    () => {
        "p.id, p.entity_id, p.provider, p.auth_identity_id, p.user_metadata, p.provider_metadata, p.deleted_at, \
         a.app_metadata, a.deleted_at as identity_deleted_at"
    };
}

/// That `provider_identity p` is an e-mail that folds to `$1`.
macro_rules! is_of_email {
    () => {
        "p.provider = 'emailpass' and lower(p.entity_id) = $1"
    };
}
/// That it is the phone `$1` or `$2`.
macro_rules! is_of_phone {
    () => {
        "p.provider = 'phonepass' and p.entity_id in ($1, $2)"
    };
}
pub(crate) use {is_of_email, is_of_phone};

/// One credential with the identity it belongs to.
#[derive(Clone, PartialEq)]
pub struct ProviderIdentity {
    /// A bare ULID.
    pub id: String,
    /// The e-mail or phone, as stored.
    pub entity_id: String,
    /// `emailpass` or `phonepass`.
    pub provider: String,
    /// What tokens copy; empty where the column is null.
    pub user_metadata: Map<String, Value>,
    /// Holds the password's hash under `password`.
    pub provider_metadata: Map<String, Value>,
    /// Whether the row or its identity is soft-deleted.
    pub is_deleted: bool,
    /// Whose it is.
    pub identity: AuthIdentity,
}

impl fmt::Debug for ProviderIdentity {
    /// The id alone: the rest is secret or personal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ProviderIdentity").field("id", &self.id).finish_non_exhaustive()
    }
}

impl ProviderIdentity {
    /// The stored hash.
    pub fn password(&self) -> Option<&str> {
        self.provider_metadata.get("password").and_then(Value::as_str)
    }

    fn from_row(row: &impl Columns) -> Result<Self, DbError> {
        let is_deleted =
            row.optional_time("deleted_at")?.is_some() || row.optional_time("identity_deleted_at")?.is_some();
        Ok(Self {
            id: row.text("id")?,
            entity_id: row.text("entity_id")?,
            provider: row.text("provider")?,
            user_metadata: object(row.optional_json("user_metadata")?),
            provider_metadata: object(row.optional_json("provider_metadata")?),
            is_deleted,
            identity: AuthIdentity::from_columns(row, "auth_identity_id")?,
        })
    }
}

/// An object as it is; anything else reads as empty, as Medusa reads it.
fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

const LIST_BY_EMAIL: &str = concat!(
    "select ",
    columns!(),
    " from provider_identity p join auth_identity a on a.id = p.auth_identity_id where ",
    is_of_email!(),
    " order by p.entity_id, p.id limit 20"
);

/// Credentials whose e-mail folds to the one given (lower-case already), soft-deleted ones too, 20 at most.
///
/// # Errors
/// When the statement fails.
pub async fn list_by_email(tx: &mut Tx, folded: &str) -> Result<Vec<ProviderIdentity>, DbError> {
    on!(tx, connection => sqlx::query(LIST_BY_EMAIL)
        .bind(folded)
        .fetch_all(connection)
        .await?
        .iter()
        .map(ProviderIdentity::from_row)
        .collect())
}

const LIST_BY_PHONE: &str = concat!(
    "select ",
    columns!(),
    " from provider_identity p join auth_identity a on a.id = p.auth_identity_id where ",
    is_of_phone!(),
    " order by p.entity_id, p.id limit 2"
);

/// Credentials whose phone is the text as given or its E.164 form, soft-deleted ones too.
///
/// # Errors
/// When the statement fails.
pub async fn list_by_phone(tx: &mut Tx, raw: &str, e164: &str) -> Result<Vec<ProviderIdentity>, DbError> {
    on!(tx, connection => sqlx::query(LIST_BY_PHONE)
        .bind(raw)
        .bind(e164)
        .fetch_all(connection)
        .await?
        .iter()
        .map(ProviderIdentity::from_row)
        .collect())
}

const LIST_OF_IDENTITY: &str = concat!(
    "select ",
    columns!(),
    " from provider_identity p join auth_identity a on a.id = p.auth_identity_id \
     where p.auth_identity_id = $1 and p.deleted_at is null order by p.provider, p.id limit 100"
);

/// The live credentials of one identity, 100 at most.
///
/// # Errors
/// When the statement fails.
pub async fn list_of_identity(tx: &mut Tx, identity: &AuthIdentityId) -> Result<Vec<ProviderIdentity>, DbError> {
    on!(tx, connection => sqlx::query(LIST_OF_IDENTITY)
        .bind(identity.as_str())
        .fetch_all(connection)
        .await?
        .iter()
        .map(ProviderIdentity::from_row)
        .collect())
}

/// The live credentials of the customer `$1`.
macro_rules! list_of_customer {
    () => {
        concat!(
            "select ",
            columns!(),
            " from auth_identity a join provider_identity p on p.auth_identity_id = a.id \
             where a.app_metadata ->> 'customer_id' = $1 and a.deleted_at is null and p.deleted_at is null \
             order by p.provider, p.id limit 100"
        )
    };
}
const LIST_OF_CUSTOMER: &str = list_of_customer!();
/// As an `update` would hold them, the identity before its credential. Whoever was waited for is seen as they left it: PostgreSQL reads
/// rows that it locks again.
const LOCK_OF_CUSTOMER_POSTGRES: &str = concat!(list_of_customer!(), " for no key update of a, p");

/// The live credentials of every identity of a customer, 100 at most.
///
/// # Errors
/// When the statement fails.
pub async fn list_of_customer(tx: &mut Tx, customer: &CustomerId) -> Result<Vec<ProviderIdentity>, DbError> {
    on!(tx, connection => sqlx::query(LIST_OF_CUSTOMER)
        .bind(customer.as_str())
        .fetch_all(connection)
        .await?
        .iter()
        .map(ProviderIdentity::from_row)
        .collect())
}

/// The same, held with their identities until the transaction ends. On SQLite a transaction is the only writer, and holds everything.
///
/// # Errors
/// When the statement fails.
pub async fn lock_of_customer(tx: &mut Tx, customer: &CustomerId) -> Result<Vec<ProviderIdentity>, DbError> {
    match tx.handle() {
        Handle::Sqlite(_) => list_of_customer(tx, customer).await,
        Handle::Postgres(connection) => sqlx::query(LOCK_OF_CUSTOMER_POSTGRES)
            .bind(customer.as_str())
            .fetch_all(connection)
            .await?
            .iter()
            .map(ProviderIdentity::from_row)
            .collect(),
    }
}

const INSERT: &str = "insert into provider_identity (id, entity_id, provider, auth_identity_id, provider_metadata, \
     created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $6)";

/// What a new credential is made of.
#[derive(Clone)]
pub struct NewProviderIdentity<'a> {
    /// A bare ULID.
    pub id: &'a str,
    /// The parsed e-mail or phone.
    pub entity_id: &'a str,
    /// `emailpass` or `phonepass`.
    pub provider: &'a str,
    /// Whose it is.
    pub auth_identity_id: &'a AuthIdentityId,
    /// The hash.
    pub password: &'a str,
}

impl fmt::Debug for NewProviderIdentity<'_> {
    /// The id alone: the rest is secret or personal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewProviderIdentity").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes a credential.
///
/// # Errors
/// [`DbError::NotUnique`] by `IDX_provider_identity_provider_entity_id` when the contact is taken.
pub async fn insert(tx: &mut Tx, new: &NewProviderIdentity<'_>, now: Timestamp) -> Result<(), DbError> {
    let metadata = serde_json::json!({ "password": new.password });
    on!(tx, connection => sqlx::query(INSERT)
        .bind(new.id)
        .bind(new.entity_id)
        .bind(new.provider)
        .bind(new.auth_identity_id.as_str())
        .bind(&metadata)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const UPDATE_PASSWORD: &str = "update provider_identity set provider_metadata = $2, updated_at = $3 \
     where id = $1 and coalesce(provider_metadata ->> 'password', '') = coalesce($4, '')";

/// Replaces the hash, keeping the other keys of `provider_metadata`, if the stored one is still the one that was read.
/// False: somebody else was quicker.
///
/// # Errors
/// When the statement fails.
pub async fn update_password(
    tx: &mut Tx,
    read: &ProviderIdentity,
    hash: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let mut metadata = read.provider_metadata.clone();
    metadata.insert("password".to_owned(), Value::from(hash));
    let metadata = Value::Object(metadata);
    let touched = on!(tx, connection => sqlx::query(UPDATE_PASSWORD)
        .bind(&read.id)
        .bind(&metadata)
        .bind(Stamp(now))
        .bind(read.password())
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(touched > 0)
}

const UPDATE_ENTITY_ID: &str = "update provider_identity set entity_id = $2, updated_at = $3 where id = $1";

/// Moves a credential to another contact.
///
/// # Errors
/// [`DbError::NotUnique`] by `IDX_provider_identity_provider_entity_id` when the contact is taken.
pub async fn update_entity_id(tx: &mut Tx, id: &str, entity_id: &str, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(UPDATE_ENTITY_ID)
        .bind(id)
        .bind(entity_id)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const DELETE_AS_SEEN: &str = "delete from provider_identity where id = $1 and entity_id = $2";

/// Removes a credential, if it is still that of the contact that it was read with; false when it has moved on or is gone.
///
/// # Errors
/// When the statement fails.
pub async fn delete_as_seen(tx: &mut Tx, seen: &ProviderIdentity) -> Result<bool, DbError> {
    let deleted = on!(tx, connection => sqlx::query(DELETE_AS_SEEN)
        .bind(&seen.id)
        .bind(&seen.entity_id)
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(deleted > 0)
}

const DELETE: &str = "delete from provider_identity where id = $1";

/// Deletes one credential for good.
///
/// # Errors
/// When the statement fails.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(DELETE).bind(id).execute(connection).await.map(|_| ()))?;
    Ok(())
}
