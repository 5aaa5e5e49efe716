//! Brings any of the four kinds of database to our tables, however often and from however many processes at once: an
//! empty SQLite file, an empty PostgreSQL database, Medusa's, and Medusa's with what the Node plugin left.
//!
//! The plain SQL is in `migrations/`, one folder a database, with the same file names. Around it, on PostgreSQL alone:
//! adoption of the plugin's tables, and indexes on Medusa's that are built while the shop goes on. On SQLite everything
//! is one transaction under the file's write lock.

use cr_types::timestamp::Timestamp;
use sqlx::{Acquire, PgConnection};

use crate::error::DbError;
use crate::pool::{Database, DatabaseKind};
use crate::tx::Tx;

mod adopt;
mod files;
mod flags;
mod lookups;
mod schema;
mod session;
pub mod state;
mod status;

pub use adopt::Adoption;
pub use schema::check_medusa_schema;
pub use status::{Status, status};

use session::patiently;

/// A connection to PostgreSQL outside the pool, without time limits, under the lock that keeps `migrate` and copies apart; `None` on
/// SQLite.
///
/// # Errors
/// As [`session::open`].
pub(crate) async fn open_dedicated(database: &Database) -> Result<Option<PgConnection>, DbError> {
    session::open(database).await
}

/// What a run did; all empty when there was nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The migrations that ran, such as `0002_customer_flags`.
    pub applied: Vec<String>,
    /// What became ours of the Node plugin's.
    pub adopted: Adoption,
    /// Look-up indexes built on Medusa's tables.
    pub indexes_built: u64,
    /// Those of them that could not be built and that nothing waits for, each with the reason: the next run tries again.
    pub indexes_not_built: Vec<String>,
}

/// Runs what is missing and returns what it did. `now` is what rows changed by the adoption carry.
///
/// # Errors
/// [`DbError::Migration`] with what to do when the database does not fit: Medusa's tables are half there, or a newer
/// program migrated it. [`DbError::Busy`] when another transaction stood in the way for all the tries. Whatever was done
/// until then stays, and the next run goes on from there.
pub async fn run(database: &Database, now: Timestamp) -> Result<Report, DbError> {
    let before = status::list_applied(&mut database.read().await?).await?;
    let mut report = Report::default();
    match session::open(database).await? {
        None => patiently!(run_sqlite(database))?,
        Some(mut connection) => {
            let result = run_postgres(database, &mut connection, now, &mut report).await;
            let closed = session::close(connection).await;
            result?;
            closed?;
        }
    }
    report.adopted.proofs_written = patiently!(remember(database, now))?;
    // What may be missing comes when all else is there.
    if let Some(mut connection) = session::open(database).await? {
        let cascades = lookups::build_for_cascades(&mut connection).await;
        let closed = session::close(connection).await;
        let cascades = cascades?;
        closed?;
        report.indexes_built += cascades.built;
        report.indexes_not_built = cascades.not_built;
    }
    let after = status::list_applied(&mut database.read().await?).await?;
    report.applied = files::FILES
        .iter()
        .filter(|file| after.contains(&file.version) && !before.contains(&file.version))
        .map(files::File::title)
        .collect();
    Ok(report)
}

/// The indexes that the next run would build and that nothing waits for; they are not looked for by [`status`], which each start asks.
///
/// # Errors
/// When the database cannot be read.
pub async fn list_optional_indexes(database: &Database) -> Result<Vec<String>, DbError> {
    let mut tx = database.read().await?;
    let crate::tx::Handle::Postgres(connection) = tx.handle() else { return Ok(Vec::new()) };
    let found = lookups::list_cascades(connection.without_end()?).await?;
    Ok(found.into_iter().map(|(name, _)| name).collect())
}

/// Some letters that change when a migration file does: what a test's template database is named after.
pub fn fingerprint() -> String {
    files::fingerprint()
}

/// Gives true flags without a proof theirs, however often that happened before; returns how many were written.
///
/// # Errors
/// When `migrate` has not run, or a statement fails.
pub async fn adopt_flags(database: &Database, now: Timestamp) -> Result<u64, DbError> {
    let mut tx = begin_long(database).await?;
    let written = flags::adopt(&mut tx, now).await?;
    tx.commit().await?;
    Ok(written)
}

/// All files in one transaction, which holds the file's write lock from its start.
async fn run_sqlite(database: &Database) -> Result<(), DbError> {
    if let Some(mut writer) = database.write_alone().await? {
        let mut transaction = sqlx::Connection::begin_with(writer.connection()?, "begin immediate").await?;
        files::run_to(&mut *transaction, &files::migrator(DatabaseKind::Sqlite), i64::MAX).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// The files, with the adoption at its place between them, and the concurrent indexes.
async fn run_postgres(
    database: &Database,
    connection: &mut PgConnection,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), DbError> {
    let migrator = files::migrator(DatabaseKind::Postgres);
    let applied = status::list_applied(&mut database.read().await?).await?;
    if !applied.contains(&files::MEDUSA) {
        let columns = schema::list_columns(&mut database.read().await?).await?;
        if schema::has_medusa_tables(&columns) {
            refuse_missing(&schema::list_missing(&columns, DatabaseKind::Postgres))?;
            patiently!(record_medusas(connection, &migrator))?;
        }
    }
    if !applied.contains(&files::CUSTOMER_FLAGS) {
        report.adopted.objects_changed += patiently!(adopt::flag_columns(connection))?;
    }
    patiently!(files::run_to(connection, &migrator, files::CUSTOMER_FLAGS))?;
    if !applied.contains(&files::REGISTRATION_INDEXES) {
        let objects_changed = report.adopted.objects_changed;
        report.adopted = patiently!(adopt_plugin(connection, &migrator, now))?;
        report.adopted.objects_changed += objects_changed;
    }
    patiently!(files::run_to(connection, &migrator, i64::MAX))?;
    report.indexes_built = lookups::build(connection).await?;
    refuse_missing(&check_medusa_schema(database).await?)
}

/// Records the files that are not for a database with Medusa's tables, all or none.
async fn record_medusas(connection: &mut PgConnection, migrator: &sqlx::migrate::Migrator) -> Result<(), DbError> {
    let mut transaction = connection.begin().await?;
    files::record(&mut *transaction, migrator, &files::NOT_IN_MEDUSAS).await?;
    transaction.commit().await?;
    Ok(())
}

/// The plugin's tables in one transaction that keeps its writers out, so that no double appears before the unique rule.
async fn adopt_plugin(
    connection: &mut PgConnection,
    migrator: &sqlx::migrate::Migrator,
    now: Timestamp,
) -> Result<Adoption, DbError> {
    let mut transaction = connection.begin().await?;
    let objects_changed = adopt::objects(&mut transaction).await?;
    files::run_to(&mut *transaction, migrator, files::REGISTRATION).await?;
    let rows = adopt::rows(&mut transaction, now).await?;
    files::run_to(&mut *transaction, migrator, files::REGISTRATION_INDEXES).await?;
    transaction.commit().await?;
    Ok(Adoption { objects_changed, ..rows })
}

/// Writes `cr_state` and, once, the proofs of true flags; returns how many proofs.
async fn remember(database: &Database, now: Timestamp) -> Result<u64, DbError> {
    let mut tx = begin_long(database).await?;
    state::keep_first(&mut tx, state::VERIFICATION_SINCE, &now.to_string(), now).await?;
    let medusa_made = status::is_medusa_made(&mut tx).await?;
    state::set(&mut tx, state::MEDUSA_MADE, if medusa_made { "true" } else { "false" }, now).await?;
    let written = flags::adopt_once(&mut tx, now).await?;
    tx.commit().await?;
    Ok(written)
}

/// A transaction without the pool's limit on a statement: a large shop has many flags.
async fn begin_long(database: &Database) -> Result<Tx, DbError> {
    let mut tx = database.begin().await?;
    tx.wait_without_end().await?;
    Ok(tx)
}

/// Refuses a database whose Medusa tables are half there.
fn refuse_missing(missing: &[String]) -> Result<(), DbError> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(DbError::Migration(format!(
        "this database has Medusa's tables, but not all that we read: {}; run Medusa's own `db:migrate` first, with Medusa 2.11.2 or newer",
        missing.join("; ")
    )))
}
