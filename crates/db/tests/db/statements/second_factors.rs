//! `auth_mfa_factor`, which only a newer Medusa makes.

use cr_db::models::auth_mfa_factor;
use cr_db::models::medusa_tables::{self, MedusaTables};
use cr_types::ids::AuthIdentityId;

use super::{begin, open};

const TABLE: &str = "create table auth_mfa_factor (id text primary key, auth_identity_id text not null, \
                     status text not null, deleted_at text)";
const FACTORS: &str = "insert into auth_mfa_factor (id, auth_identity_id, status, deleted_at) values \
                       ('1', 'authid_enabled', 'enabled', null), ('2', 'authid_pending', 'pending', null), \
                       ('3', 'authid_removed', 'enabled', '2026-01-01T00:00:00.000Z')";

cr_testkit::both! {
    async fn the_table_is_noticed_when_the_database_is_opened(test: TestDatabase) {
        let database = open(&test, "").await;
        assert_eq!(database.medusa_tables(), MedusaTables::default());
        let database = { database.close().await; test.sql(TABLE).await; open(&test, "").await };
        assert!(medusa_tables::has(&mut begin(&database).await, "auth_mfa_factor").await.unwrap());
        let expected = MedusaTables { mfa_factors: true, ..MedusaTables::default() };
        assert_eq!(database.medusa_tables(), expected);
        assert_eq!(medusa_tables::find(&mut begin(&database).await).await.unwrap(), expected);
    }

    async fn only_an_enabled_factor_that_is_there_counts(test: TestDatabase) {
        test.sql(TABLE).await;
        let database = open(&test, FACTORS).await;
        let mut tx = begin(&database).await;
        for (id, counts) in [("enabled", true), ("pending", false), ("removed", false), ("other", false)] {
            let id = AuthIdentityId::from_stored(format!("authid_{id}"));
            assert_eq!(auth_mfa_factor::has_enabled(&mut tx, &id).await.unwrap(), counts, "{id}");
        }
    }
}
