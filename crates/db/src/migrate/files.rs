//! The plain SQL, embedded: two folders with the same file names, run by sqlx's `Migrator` and recorded in `cr_migrations`.

use std::borrow::Cow;

use sqlx::SqlStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};

use crate::error::DbError;
use crate::pool::DatabaseKind;

/// The table that `cr_migrations` is: sqlx's own is called otherwise, and another program of the shop may have one.
pub(super) const TABLE: &str = "cr_migrations";

/// Versions recorded without being run where Medusa's tables are already there: its own tables, and the look-ups that are
/// then built concurrently.
pub(super) const NOT_IN_MEDUSAS: [i64; 2] = [1, 6];

/// The file with Medusa's tables.
pub(super) const MEDUSA: i64 = 1;
/// The file that adds the two flags to `customer`.
pub(super) const CUSTOMER_FLAGS: i64 = 2;
/// The file that brings the plugin's tables to our columns.
pub(super) const REGISTRATION: i64 = 3;
/// The file with their unique indexes; doubles must be gone before it runs.
pub(super) const REGISTRATION_INDEXES: i64 = 4;

/// One migration on both databases.
pub(super) struct File {
    /// What its name begins with.
    pub(super) version: i64,
    /// The rest of its name, such as `customer_flags`.
    pub(super) name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

impl File {
    /// `0002_customer_flags`: what is printed.
    pub(super) fn title(&self) -> String {
        format!("{:04}_{}", self.version, self.name)
    }
}

macro_rules! files {
    ($(($version:literal, $name:literal, $file:literal)),* $(,)?) => {
        /// Every migration, oldest first.
        pub(super) const FILES: &[File] = &[$(File {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $file, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $file, ".sql")),
        }),*];
    };
}

files![
    (1, "medusa", "0001_medusa"),
    (2, "customer_flags", "0002_customer_flags"),
    (3, "registration", "0003_registration"),
    (4, "registration_indexes", "0004_registration_indexes"),
    (5, "own", "0005_own"),
    (6, "lookups", "0006_lookups"),
    (7, "erasure", "0007_erasure"),
    (8, "lists", "0008_lists"),
    (9, "lanes", "0009_lanes"),
    (10, "one_index_a_lane", "0010_one_index_a_lane"),
    (11, "orders", "0011_orders"),
    (12, "settled", "0012_settled"),
    (13, "dead", "0013_dead"),
    (14, "expired_tokens", "0014_expired_tokens"),
    (15, "live_rows", "0015_live_rows"),
    (16, "short_rows", "0016_short_rows"),
];

/// The migrations for one of the databases, checksummed. Its lock is off: we hold one of our own around more than this.
pub(super) fn migrator(kind: DatabaseKind) -> Migrator {
    let migrations = FILES
        .iter()
        .map(|file| {
            let sql = match kind {
                DatabaseKind::Sqlite => file.sqlite,
                DatabaseKind::Postgres => file.postgres,
            };
            let name = Cow::Borrowed(file.name);
            Migration::new(file.version, name, MigrationType::Simple, SqlStr::from_static(sql), false)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.dangerous_set_table_name(TABLE);
    migrator.set_locking(false);
    migrator
}

/// 16 hexadecimal digits that change when a file does.
pub(super) fn fingerprint() -> String {
    let checksums = migrator(DatabaseKind::Postgres);
    let bytes = checksums.iter().flat_map(|migration| migration.checksum.iter());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// Records migrations as done without running them, but for those already recorded.
///
/// # Errors
/// When the database refuses.
pub(super) async fn record<C: Migrate>(
    connection: &mut C,
    migrator: &Migrator,
    versions: &[i64],
) -> Result<(), DbError> {
    connection.ensure_migrations_table(TABLE).await.map_err(from_migrate)?;
    let applied = connection.list_applied_migrations(TABLE).await.map_err(from_migrate)?;
    let missing = migrator.iter().filter(|migration| {
        versions.contains(&migration.version) && applied.iter().all(|done| done.version != migration.version)
    });
    for migration in missing {
        connection.skip(TABLE, migration).await.map_err(from_migrate)?;
    }
    Ok(())
}

/// Runs what is not recorded yet, up to and with `target`.
///
/// # Errors
/// [`DbError::Migration`] when what is recorded does not fit this program; else what the statements met.
pub(super) async fn run_to<C: Migrate>(connection: &mut C, migrator: &Migrator, target: i64) -> Result<(), DbError> {
    migrator.run_direct(Some(target), connection, false).await.map_err(from_migrate)
}

/// In words that say what to do.
fn from_migrate(error: MigrateError) -> DbError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        MigrateError::VersionMissing(version) => DbError::Migration(format!(
            "the database has migration {version}, which this program does not know: run the newer program that made it"
        )),
        MigrateError::VersionMismatch(version) => DbError::Migration(format!(
            "migration {version} is not the one that this database was migrated with: run the program's released version"
        )),
        other => DbError::Migration(format!("could not migrate: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is not in the list would never run, on one database or on both.
    #[test]
    fn both_folders_hold_exactly_the_files_of_the_list() {
        let listed: Vec<_> = FILES.iter().map(|file| format!("{}.sql", file.title())).collect();
        for folder in ["sqlite", "postgres"] {
            let path = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let mut found: Vec<_> = std::fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            assert_eq!(found, listed, "{folder}");
        }
    }

    /// Counters and proofs move into tables in another order.
    #[tokio::test]
    async fn what_is_in_tables_that_are_made_anew_is_kept() {
        use sqlx::Connection as _;
        let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let migrator = migrator(DatabaseKind::Sqlite);
        run_to(&mut connection, &migrator, 15).await.unwrap();
        let rows = "insert into cr_proof values ('cus_2', 'phone', '+15551234567', '2026-01-02'), \
                    ('cus_2', 'email', 'bob@shop.test', '2026-01-01'), ('cus_1', 'email', 'ann@shop.test', '2026-01-03'); \
                    insert into cr_limit values ('b', 2, '2026-01-01', null, '2026-01-02'), \
                    ('a', 1, '2026-01-03', '2026-01-04', '2026-01-05')";
        sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
        sqlx::raw_sql("create view an_operators as select * from cr_proof").execute(&mut connection).await.unwrap();
        run_to(&mut connection, &migrator, 16).await.unwrap();
        let kept = "select customer_id || channel || value || proven_at from cr_proof \
                    union all select key || count || resets_at || coalesce(blocked_until, '-') || updated_at from cr_limit";
        let view = "select count(*) from an_operators";
        let viewed: i64 = sqlx::query_scalar(view).fetch_one(&mut connection).await.unwrap();
        assert_eq!(viewed, 3);
        let kept: Vec<String> = sqlx::query_scalar(kept).fetch_all(&mut connection).await.unwrap();
        assert_eq!(
            kept,
            [
                "cus_1emailann@shop.test2026-01-03",
                "cus_2emailbob@shop.test2026-01-01",
                "cus_2phone+155512345672026-01-02",
                "a12026-01-032026-01-042026-01-05",
                "b22026-01-01-2026-01-02",
            ]
        );
    }
}
