//! The one reset token of an identity that still counts.

use cr_types::ids::AuthIdentityId;
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

const REPLACE: &str = "insert into cr_reset_token (auth_identity_id, jti, expires_at, created_at) values ($1, $2, $3, $4) \
     on conflict (auth_identity_id) do update set jti = excluded.jti, expires_at = excluded.expires_at, \
     created_at = excluded.created_at";

/// Records a token as the newest of its identity; the former one is dead.
///
/// # Errors
/// When the statement fails.
pub async fn replace(
    tx: &mut Tx,
    identity: &AuthIdentityId,
    jti: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(REPLACE)
        .bind(identity.as_str())
        .bind(jti)
        .bind(Stamp(expires_at))
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const CONSUME: &str = "delete from cr_reset_token where auth_identity_id = $1 and jti = $2 and expires_at > $3";

/// Uses a token up; false when it is not the newest, expired, or used already. Of parallel callers one gets true.
///
/// # Errors
/// When the statement fails.
pub async fn consume(tx: &mut Tx, identity: &AuthIdentityId, jti: &str, now: Timestamp) -> Result<bool, DbError> {
    let touched = on!(tx, connection => sqlx::query(CONSUME)
        .bind(identity.as_str())
        .bind(jti)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(touched > 0)
}

const PRUNE: &str = "delete from cr_reset_token where expires_at < $1";

/// Deletes tokens that expired before the moment given; tells how many.
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

const DELETE: &str = "delete from cr_reset_token where auth_identity_id = $1";

/// Forgets an identity's token.
///
/// # Errors
/// When the statement fails.
pub async fn delete(tx: &mut Tx, identity: &AuthIdentityId) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(DELETE).bind(identity.as_str()).execute(connection).await.map(|_| ()))?;
    Ok(())
}
