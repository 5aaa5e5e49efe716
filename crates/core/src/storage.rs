//! What the programs around the rules need of the database: opening it, migrating it. Statements stay in `cr-db`.

pub use cr_db::copy;
pub use cr_db::migrate::{self, Report, Status};
pub use cr_db::{Database, DatabaseKind, DatabaseSettings, DbError, PLACE_TIMEOUT};

use cr_types::timestamp::Timestamp;

/// When `migrate` first ran: accounts older than that may log in unverified.
///
/// # Errors
/// When the database was not migrated.
pub async fn verification_since(db: &Database) -> Result<Option<Timestamp>, DbError> {
    let mut tx = db.read().await?;
    let found = cr_db::models::cr_state::find(&mut tx, migrate::state::VERIFICATION_SINCE).await?;
    tx.commit().await?;
    match found.map(|text| text.parse()) {
        None => Ok(None),
        Some(Ok(moment)) => Ok(Some(moment)),
        Some(Err(_)) => Err(DbError::Inconsistent("cr_state.verification_since is no moment".to_owned())),
    }
}

/// Whether Medusa made the database; what `publishableKey: auto` asks.
///
/// # Errors
/// When the database was not migrated.
pub async fn is_medusa_made(db: &Database) -> Result<bool, DbError> {
    let mut tx = db.read().await?;
    let found = cr_db::models::cr_state::find(&mut tx, migrate::state::MEDUSA_MADE).await?;
    tx.commit().await?;
    Ok(found.as_deref() == Some("true"))
}

/// The outbox as an operator sees it.
pub mod outbox {
    use cr_db::models::cr_outbox;
    use cr_db::{Database, DbError};
    use cr_types::timestamp::Timestamp;

    pub use cr_db::models::cr_outbox::{DeadLetter, OutboxSummary};

    /// How the queue stands, and the newest `limit` rows that were given up.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn look(db: &Database, limit: i64) -> Result<(OutboxSummary, Vec<DeadLetter>), DbError> {
        let mut tx = db.read().await?;
        Ok((cr_outbox::summarise(&mut tx).await?, cr_outbox::list_dead(&mut tx, limit).await?))
    }

    /// Makes events that were given up due again, one or all; the answer is how many.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn resend(db: &Database, id: Option<&str>, now: Timestamp) -> Result<u64, DbError> {
        let mut tx = db.begin().await?;
        let count = cr_outbox::revive(&mut tx, id, now).await?;
        tx.commit().await?;
        Ok(count)
    }
}
