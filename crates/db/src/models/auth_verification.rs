//! Medusa's `auth_verification`: contacts that its own verification has confirmed, or was asked to. Only databases of Medusa 2.16
//! and newer have it; see [`MedusaTables`](super::medusa_tables::MedusaTables).

use cr_types::ids::{AuthIdentityId, CustomerId};
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::row::Columns as _;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

/// What Medusa knows to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The e-mail or phone as the credential has it.
    pub entity_id: String,
    /// A word of the shop's configuration: `email`, `phone_number`, …
    pub entity_type: String,
}

const LIST_VERIFIED: &str = "select v.entity_id, v.entity_type \
     from auth_identity a join auth_verification v on v.auth_identity_id = a.id \
     where a.app_metadata ->> 'customer_id' = $1 and a.deleted_at is null and v.verified_at is not null \
     and v.deleted_at is null order by v.entity_id, v.entity_type limit 100";

/// What Medusa has verified for any identity of a customer, 100 at most.
///
/// # Errors
/// When the statement fails, as where there is no such table.
pub async fn list_verified(tx: &mut Tx, customer: &CustomerId) -> Result<Vec<Verified>, DbError> {
    on!(tx, connection => sqlx::query(LIST_VERIFIED)
        .bind(customer.as_str())
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| Ok(Verified { entity_id: row.text("entity_id")?, entity_type: row.text("entity_type")? }))
        .collect())
}

/// A verification that was made here.
#[derive(Clone, Copy, Debug)]
pub struct NewVerification<'a> {
    /// `authver_…`.
    pub id: &'a str,
    /// Whose.
    pub identity: &'a AuthIdentityId,
    /// The contact as the credential has it.
    pub entity_id: &'a str,
    /// Medusa's word for its kind.
    pub entity_type: &'a str,
    /// Whose code it was.
    pub code_provider: &'a str,
}

const CONFIRM: &str = "insert into auth_verification \
     (id, auth_identity_id, entity_id, entity_type, code_provider, verified_at, requested_at, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, $6, $6, $6, $6) \
     on conflict (auth_identity_id, entity_id, entity_type) where deleted_at is null \
     do update set verified_at = excluded.verified_at, updated_at = excluded.updated_at \
     where auth_verification.verified_at is null";

/// Makes a contact verified: a new row, or the one that was waiting for its code. One that is verified already stays as it is.
///
/// # Errors
/// When the statement fails, as where there is no such table.
pub async fn confirm(tx: &mut Tx, new: NewVerification<'_>, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(CONFIRM)
        .bind(new.id)
        .bind(new.identity.as_str())
        .bind(new.entity_id)
        .bind(new.entity_type)
        .bind(new.code_provider)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const FORGET: &str = "delete from auth_verification \
     where auth_identity_id in (select id from auth_identity where app_metadata ->> 'customer_id' = $1) \
     and entity_type = $2 and entity_id <> $3 and verified_at is not null and deleted_at is null";

/// Deletes what Medusa has verified for a customer in one kind of contact, but for one value: empty spares nothing. Rows that were
/// soft-deleted say nothing any more, and are in none of Medusa's indexes; [`delete_left`] takes them, too.
///
/// # Errors
/// When the statement fails, as where there is no such table.
pub async fn forget_but(tx: &mut Tx, customer: &CustomerId, entity_type: &str, entity_id: &str) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(FORGET)
        .bind(customer.as_str())
        .bind(entity_type)
        .bind(entity_id)
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const DELETE_LEFT: &str = "delete from auth_verification where auth_identity_id = $1 and entity_id not in \
     (select entity_id from provider_identity where auth_identity_id = $1 and deleted_at is null)";

/// Deletes every row of an identity about a contact that none of its credentials has any more, verified or not, soft-deleted or not.
///
/// # Errors
/// When the statement fails, as where there is no such table.
pub async fn delete_left(tx: &mut Tx, identity: &AuthIdentityId) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(DELETE_LEFT).bind(identity.as_str()).execute(connection).await.map(|_| ()))?;
    Ok(())
}
