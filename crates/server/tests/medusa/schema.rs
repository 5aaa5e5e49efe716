//! Both sides' migrations on one database, in any order.

use cr_core::storage::migrate;
use cr_testkit::{TestDatabase, real_medusa};
use serde_json::Value;

/// Every column and index of a database but those of a side's own book-keeping.
async fn shape(database: &TestDatabase) -> Vec<Value> {
    let mut shape = database
        .rows(
            "select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns \
             where table_schema = 'public' order by table_name, column_name",
        )
        .await;
    shape.extend(
        database
            .rows("select indexname, indexdef from pg_indexes where schemaname = 'public' order by indexname")
            .await,
    );
    shape
}

crate::each_version! {
    /// An upgrade of either side would break the other.
    async fn medusas_migrations_and_ours_leave_each_other_alone(version: Version) {
        let database = real_medusa::database(version).await;
        let before = shape(&database).await;
        let ours = database.connect_as_is().await;
        migrate::run(&ours, "2026-01-02T03:04:05.678Z".parse().unwrap()).await.unwrap();
        let both = shape(&database).await;
        let lost: Vec<_> = before.iter().filter(|part| !both.contains(part)).collect();
        assert!(lost.is_empty(), "ours took away or changed: {lost:?}");
        let said = real_medusa::migrate(version, &database).await;
        let trouble: Vec<_> = said.lines().filter(|line| line.to_lowercase().contains("error")).collect();
        assert!(trouble.is_empty(), "{trouble:?}");
        assert_eq!(shape(&database).await, both, "Medusa's second run changed something");
        migrate::run(&ours, "2026-01-02T03:04:05.678Z".parse().unwrap()).await.unwrap();
        assert_eq!(shape(&database).await, both, "our second run changed something");
        ours.close().await;
    }
}
