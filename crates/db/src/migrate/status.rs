//! What `migrate` has done and would do, without doing it.

use std::collections::BTreeSet;

use super::adopt::{self, Adoption};
use super::{files, lookups, schema, state};
use crate::error::DbError;
use crate::pool::{Database, DatabaseKind};
use crate::tx::{Handle, Tx, on};

/// What `migrate --status` prints; works before anything was migrated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The migrations that ran, oldest first.
    pub applied: Vec<String>,
    /// Those that would run.
    pub pending: Vec<String>,
    /// Migrations in the database that this program does not know: a newer program made it.
    pub unknown: Vec<i64>,
    /// Whether Medusa made the database.
    pub medusa_made: bool,
    /// What Medusa's tables lack, a sentence each; `migrate` refuses until Medusa's own has run.
    pub missing: Vec<String>,
    /// What would be adopted of the Node plugin's; `objects_changed` is only known afterwards and 0 here.
    pub adopts: Adoption,
    /// Look-up indexes that would be built concurrently.
    pub indexes: Vec<String>,
}

impl Status {
    /// Whether `migrate` has nothing to do.
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.unknown.is_empty() && self.missing.is_empty() && self.indexes.is_empty()
    }
}

/// Looks, and changes nothing.
///
/// # Errors
/// When the database cannot be read.
pub async fn status(database: &Database) -> Result<Status, DbError> {
    let mut tx = match database.kind() {
        DatabaseKind::Sqlite => database.read().await?,
        // The limit on a statement's time is lifted in a transaction: what a large shop would have adopted takes long to count.
        DatabaseKind::Postgres => {
            let mut tx = database.begin().await?;
            tx.wait_without_end().await?;
            tx
        }
    };
    let applied = list_applied(&mut tx).await?;
    let columns = schema::list_columns(&mut tx).await?;
    let has_medusa_tables = schema::has_medusa_tables(&columns);
    let (mut adopts, mut indexes) = (Adoption::default(), Vec::new());
    let has_state = schema::has_column(&columns, "cr_state", "key");
    let flags_adopted = has_state && state::find(&mut tx, state::FLAGS_ADOPTED).await?.is_some();
    let missing = if has_medusa_tables { schema::list_missing(&columns, database.kind()) } else { Vec::new() };
    // What is adopted is counted by columns that may be among the missing.
    if let (Handle::Postgres(connection), true) = (tx.handle(), missing.is_empty()) {
        let connection = connection.without_end()?;
        if has_medusa_tables {
            indexes = lookups::list_missing(connection).await?.into_iter().map(str::to_owned).collect();
        }
        // Every start asks for the status: what was adopted already is not counted again.
        if !applied.contains(&files::REGISTRATION_INDEXES) {
            adopts = adopt::foresee_rows(connection).await?;
        }
        if !flags_adopted {
            adopts.proofs_written = adopt::foresee_proofs(connection).await?;
        }
    }
    let titles = |wanted: bool| {
        let chosen = files::FILES.iter().filter(|file| applied.contains(&file.version) == wanted);
        chosen.map(files::File::title).collect()
    };
    let medusa_made = is_medusa_made(&mut tx).await?;
    tx.commit().await?;
    Ok(Status {
        applied: titles(true),
        pending: titles(false),
        unknown: applied
            .iter()
            .copied()
            .filter(|version| files::FILES.iter().all(|file| file.version != *version))
            .collect(),
        medusa_made,
        missing,
        adopts,
        indexes,
    })
}

/// The versions recorded in `cr_migrations`; none where the table is not there yet.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn list_applied(tx: &mut Tx) -> Result<BTreeSet<i64>, DbError> {
    let columns = schema::list_columns(tx).await?;
    if !schema::has_column(&columns, files::TABLE, "version") {
        return Ok(BTreeSet::new());
    }
    let sql = "select version from cr_migrations where success = true order by version";
    let versions: Vec<i64> = on!(tx, connection => sqlx::query_scalar(sql).fetch_all(connection).await?);
    Ok(versions.into_iter().collect())
}

/// Whether Medusa's own migrations are recorded here: then its API keys are, too.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn is_medusa_made(tx: &mut Tx) -> Result<bool, DbError> {
    let columns = schema::list_columns(tx).await?;
    if !schema::has_column(&columns, "mikro_orm_migrations", "name") {
        return Ok(false);
    }
    let sql = "select exists (select 1 from mikro_orm_migrations)";
    Ok(on!(tx, connection => sqlx::query_scalar(sql).fetch_one(connection).await?))
}
