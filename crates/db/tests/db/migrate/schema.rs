//! The final schemas of both databases, compared with each other.

use std::collections::BTreeSet;

use cr_db::{DatabaseKind, migrate};
use cr_testkit::{Stage, TestDatabase, medusa_database, plugin_database};

use super::{start, texts};

/// `table.column null|not null` of our tables; the types differ by design.
async fn columns(test: &TestDatabase) -> BTreeSet<String> {
    let sql = match test.kind() {
        DatabaseKind::Sqlite => {
            "select tables.name || '.' || columns.name || case when columns.\"notnull\" = 1 then ' not null' else ' null' end as line
             from sqlite_master as tables join pragma_table_info(tables.name) as columns
             where tables.type = 'table' and tables.name <> 'cr_migrations'"
        }
        DatabaseKind::Postgres => {
            "select table_name || '.' || column_name || case when is_nullable = 'NO' then ' not null' else ' null' end as line
             from information_schema.columns where table_schema = 'public' and table_name <> 'cr_migrations'"
        }
    };
    texts(test, sql).await.into_iter().collect()
}

/// The names of all indexes but those of primary keys.
async fn indexes(test: &TestDatabase) -> BTreeSet<String> {
    let sql = match test.kind() {
        DatabaseKind::Sqlite => "select name from sqlite_master where type = 'index' and name not like 'sqlite_%'",
        DatabaseKind::Postgres => {
            "select indexname as name from pg_indexes where schemaname = 'public' and indexname not like '%\\_pkey'"
        }
    };
    texts(test, sql).await.into_iter().collect()
}

/// Of Medusa's and the Node plugin's tables, the indexes of what lives, which nobody can look anything up in: where there is no Medusa
/// they only cost.
const OF_MEDUSA_ALONE: [&str; 8] = [
    "IDX_account_deletion_request_deleted_at",
    "IDX_api_key_deleted_at",
    "IDX_auth_identity_deleted_at",
    "IDX_customer_address_deleted_at",
    "IDX_customer_deleted_at",
    "IDX_otp_verification_deleted_at",
    "IDX_provider_identity_deleted_at",
    "IDX_referral_link_deleted_at",
];

/// A statement is written once for both: every column and every index that serves one must be there on both.
#[test]
fn both_databases_have_the_same_columns_and_indexes() {
    cr_testkit::run(async {
        let (sqlite, postgres) = (TestDatabase::sqlite().await, TestDatabase::postgres().await);
        assert_eq!(columns(&sqlite).await, columns(&postgres).await);
        let (on_sqlite, on_postgres) = (indexes(&sqlite).await, indexes(&postgres).await);
        assert_eq!(on_sqlite.difference(&on_postgres).collect::<Vec<_>>(), Vec::<&String>::new());
        assert_eq!(on_postgres.difference(&on_sqlite).collect::<Vec<_>>(), OF_MEDUSA_ALONE);
    });
}

/// Whatever was there before, a migrated database has at least the columns and indexes of one made from nothing.
#[test]
fn an_adopted_database_has_all_that_a_new_one_has() {
    cr_testkit::run(async {
        let new = TestDatabase::postgres().await;
        let (new_columns, new_indexes) = (columns(&new).await, indexes(&new).await);
        let mut kinds = vec![("Medusa's".to_owned(), medusa_database().await)];
        for stage in Stage::ALL {
            kinds.push((format!("{stage:?}"), plugin_database(stage).await));
        }
        for (kind, test) in kinds {
            migrate::run(&test.connect_as_is().await, start()).await.unwrap();
            let (columns, indexes) = (columns(&test).await, indexes(&test).await);
            assert_eq!(new_columns.difference(&columns).collect::<Vec<_>>(), Vec::<&String>::new(), "{kind}");
            assert_eq!(new_indexes.difference(&indexes).collect::<Vec<_>>(), Vec::<&String>::new(), "{kind}");
        }
    });
}
