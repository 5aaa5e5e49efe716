//! `migrate` on every kind of database it may meet.

use cr_db::migrate;
use cr_testkit::{START, TestDatabase};
use cr_types::timestamp::Timestamp;

/// The moment of a first run.
fn start() -> Timestamp {
    START.parse().unwrap()
}

#[test]
fn an_empty_sqlite_file_gets_every_table() {
    cr_testkit::run(async { an_empty_database_gets_every_table(TestDatabase::empty_sqlite()).await });
}

#[test]
fn an_empty_postgresql_database_gets_every_table() {
    cr_testkit::run(async { an_empty_database_gets_every_table(TestDatabase::empty_postgres().await).await });
}

/// Everything pending before, everything applied after, nothing to do the second time, nothing written the second time.
async fn an_empty_database_gets_every_table(test: TestDatabase) {
    let database = test.connect_as_is().await;
    let before = migrate::status(&database).await.unwrap();
    assert_eq!((before.applied.len(), before.pending.len(), before.medusa_made), (0, 6, false));
    let report = migrate::run(&database, start()).await.unwrap();
    assert_eq!(report.applied, before.pending);
    let dump = test.dump(&[]).await;
    let again = migrate::run(&database, start().plus_seconds(60)).await.unwrap();
    assert_eq!(again, migrate::Report::default());
    assert_eq!(test.dump(&[]).await, dump);
    assert!(migrate::status(&database).await.unwrap().is_current());
    assert!(migrate::check_medusa_schema(&database).await.unwrap().is_empty());
}

cr_testkit::both! {
    async fn the_first_run_is_remembered(test: TestDatabase) {
        let rows = test.rows("select key, value from cr_state order by key").await;
        let expected = [("flags_adopted", START), ("medusa_made", "false"), ("verification_since", START)];
        let expected = expected.map(|(key, value)| serde_json::json!({"key": key, "value": value}));
        assert_eq!(rows, expected);
    }
}
