//! Both sides' migrations on one database, in any order.

use cr_core::storage::migrate;
use cr_testkit::{Stage, TestDatabase, add_plugin, real_medusa};
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

/// The rows of a table, by id.
async fn rows(database: &TestDatabase, table: &str) -> Vec<Value> {
    database.rows(&format!("select * from {table} order by id")).await
}

crate::each_version! {
    /// A shop that comes from the Node plugin must keep its codes, requests, links and flags, and its Medusa must not notice.
    async fn what_the_plugin_left_in_a_real_database_is_taken_over(version: Version) {
        let database = real_medusa::database(version).await;
        database.sql(
            "insert into customer (id, email, phone, has_account) values ('cus_alice', 'alice@example.com', '+15551230001', true), \
             ('cus_bob', 'bob@example.com', '+15551230002', true), ('cus_carol', 'carol@example.com', null, true)"
        ).await;
        add_plugin(&database, Stage::Whole).await;
        let tables = ["otp_verification", "account_deletion_request", "referral_link"];
        let mut before = Vec::new();
        for table in tables {
            before.push(rows(&database, table).await.len());
        }
        let said = real_medusa::migrate(version, &database).await;
        assert!(!said.to_lowercase().contains("error"), "{said}");
        let ours = database.connect_as_is().await;
        let adopted = migrate::run(&ours, "2026-01-02T03:04:05.678Z".parse().unwrap()).await.unwrap().adopted;
        assert_eq!(
            (adopted.codes_voided, adopted.requests_cancelled, adopted.links_removed, adopted.proofs_written),
            (1, 1, 1, 4)
        );
        let both = shape(&database).await;
        let said = real_medusa::migrate(version, &database).await;
        assert!(!said.to_lowercase().contains("error"), "{said}");
        assert_eq!(shape(&database).await, both, "Medusa's second run changed something");
        for (table, before) in tables.iter().zip(before) {
            assert_eq!(rows(&database, table).await.len(), before, "{table}");
        }
        let flags = database.rows("select id from customer where email_verified order by id").await;
        assert_eq!(flags, [serde_json::json!({"id": "cus_alice"}), serde_json::json!({"id": "cus_carol"})]);
        ours.close().await;
    }
}
