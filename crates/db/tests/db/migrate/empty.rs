//! Databases without a table, and what every kind has in common.

use cr_db::migrate;
use serde_json::json;

use super::{every_kind, start, texts};
use cr_testkit::{START, TestDatabase};

/// A shop that restarts its server must not find anything changed by the second `migrate`.
#[test]
fn a_second_run_does_nothing_on_any_kind() {
    cr_testkit::run(async {
        for (kind, test) in every_kind().await {
            let database = test.connect_as_is().await;
            let before = migrate::status(&database).await.unwrap();
            assert_eq!((before.applied.len(), before.pending.len()), (0, 16), "{kind}");
            assert!(!before.is_current(), "{kind}");
            let report = migrate::run(&database, start()).await.unwrap();
            assert_eq!(report.applied, before.pending, "{kind}");
            let dump = test.dump(&[]).await;
            let again = migrate::run(&database, start().plus_seconds(60)).await.unwrap();
            assert_eq!(again, migrate::Report::default(), "{kind}");
            assert_eq!(test.dump(&[]).await, dump, "{kind}");
            let after = migrate::status(&database).await.unwrap();
            assert!(after.is_current(), "{kind}: {after:?}");
            assert_eq!(after.adopts, migrate::Adoption::default(), "{kind}");
            assert!(migrate::check_medusa_schema(&database).await.unwrap().is_empty(), "{kind}");
        }
    });
}

/// `migrate --status` must be safe to run on a live shop.
#[test]
fn looking_changes_nothing_on_any_kind() {
    cr_testkit::run(async {
        for (kind, test) in every_kind().await {
            let database = test.connect_as_is().await;
            let dump = test.dump(&[]).await;
            migrate::status(&database).await.unwrap();
            assert_eq!(test.dump(&[]).await, dump, "{kind}");
        }
    });
}

cr_testkit::both! {
    async fn the_first_run_is_remembered(test: TestDatabase) {
        let later = start().plus_seconds(3600);
        migrate::run(&test.connect_as_is().await, later).await.unwrap();
        let rows = test.rows("select key, value from cr_state order by key").await;
        let expected = [("flags_adopted", START), ("medusa_made", "false"), ("verification_since", START)];
        assert_eq!(rows, expected.map(|(key, value)| json!({"key": key, "value": value})));
    }

    /// An older program on a newer database would write rows that the newer one does not understand.
    async fn a_database_of_a_newer_program_is_refused(test: TestDatabase) {
        let columns = "version, description, success, checksum, execution_time";
        let copy = format!("insert into cr_migrations ({columns}) select 99, 'newer', success, checksum, 0 from cr_migrations where version = 1");
        test.sql(&copy).await;
        let database = test.connect_as_is().await;
        let error = migrate::run(&database, start()).await.unwrap_err();
        assert!(error.to_string().contains("migration 99"), "{error}");
        let status = migrate::status(&database).await.unwrap();
        assert_eq!((status.unknown.as_slice(), status.is_current()), ([99].as_slice(), false));
    }
}

/// Another PostgreSQL schema than `public` is made where it is missing, and nothing lands beside it.
#[test]
fn a_schema_of_its_own_is_made() {
    cr_testkit::run(async {
        let test = TestDatabase::empty_postgres().await;
        let settings = cr_db::DatabaseSettings { schema: "own \"shop\"".to_owned(), ..test.settings() };
        let database = cr_db::Database::connect(&settings).await.unwrap();
        migrate::run(&database, start()).await.unwrap();
        let again = migrate::run(&database, start()).await.unwrap();
        assert_eq!(again, migrate::Report::default());
        let schemas =
            "select distinct table_schema as name from information_schema.tables where table_name = 'customer'";
        assert_eq!(texts(&test, schemas).await, ["own \"shop\""]);
    });
}
