//! `migrate` on every kind of database it may meet.

use cr_testkit::{START, Stage, TestDatabase, medusa_database, plugin_database};
use cr_types::timestamp::Timestamp;

mod adoption;
mod concurrency;
mod constraints;
mod empty;
mod medusa;
mod schema;

/// The moment of a first run.
fn start() -> Timestamp {
    START.parse().unwrap()
}

/// One database of each kind that `migrate` may meet, with a name for failure messages; none was migrated.
async fn every_kind() -> Vec<(String, TestDatabase)> {
    let mut kinds = vec![
        ("empty SQLite".to_owned(), TestDatabase::empty_sqlite()),
        ("empty PostgreSQL".to_owned(), TestDatabase::empty_postgres().await),
        ("Medusa's".to_owned(), medusa_database().await),
    ];
    for stage in Stage::ALL {
        kinds.push((format!("the plugin's, {stage:?}"), plugin_database(stage).await));
    }
    kinds
}

/// One text column of a statement's rows.
async fn texts(test: &TestDatabase, sql: &str) -> Vec<String> {
    let rows = test.rows(sql).await;
    rows.iter().map(|row| row.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()).collect()
}
