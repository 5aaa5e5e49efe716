//! `auth_identity`: who a set of credentials is.

use cr_db::models::auth_identity::{self, AuthIdentity};
use serde_json::{Value, json};

use super::{after, begin, customer_id, identity_id, now, open};

/// Two identities of one customer, one of another's, one of nobody's, one deleted.
const IDENTITIES: &str = r#"
insert into auth_identity (id, app_metadata) values ('authid_2', '{"customer_id": "cus_1", "user_id": "user_1"}');
insert into auth_identity (id, app_metadata) values ('authid_1', '{"customer_id": "cus_1"}');
insert into auth_identity (id, app_metadata) values ('authid_3', '{"customer_id": "cus_2"}');
insert into auth_identity (id, app_metadata) values ('authid_4', null);
insert into auth_identity (id, app_metadata, deleted_at) values ('authid_5', '{"customer_id": "cus_1"}', '2026-01-01T00:00:00.000Z');
"#;

/// The metadata of an identity as found.
fn metadata(found: Option<AuthIdentity>) -> Option<Value> {
    found.map(|identity| Value::Object(identity.app_metadata))
}

cr_testkit::both! {
    async fn an_identity_is_inserted_with_metadata_or_null(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let claimed = json!({"user_id": "user_1"});
        auth_identity::insert(&mut tx, &identity_id("authid_1"), Some(&claimed), now()).await.unwrap();
        auth_identity::insert(&mut tx, &identity_id("authid_2"), None, now()).await.unwrap();
        tx.commit().await.unwrap();
        let select = "select id, app_metadata, created_at, updated_at, deleted_at from auth_identity order by id";
        assert_eq!(test.rows(select).await, [
            json!({"id": "authid_1", "app_metadata": claimed, "created_at": now(), "updated_at": now(), "deleted_at": null}),
            json!({"id": "authid_2", "app_metadata": null, "created_at": now(), "updated_at": now(), "deleted_at": null}),
        ]);
    }

    async fn only_live_identities_are_found_and_locked(test: TestDatabase) {
        let database = open(&test, IDENTITIES).await;
        let before = test.dump(&[]).await;
        let mut tx = begin(&database).await;
        for (id, expected) in [
            ("authid_1", Some(json!({"customer_id": "cus_1"}))),
            ("authid_4", Some(json!({}))),
            ("authid_5", None),
            ("authid_6", None),
        ] {
            let id = identity_id(id);
            assert_eq!(metadata(auth_identity::find(&mut tx, &id).await.unwrap()), expected, "{id}");
            assert_eq!(metadata(auth_identity::lock(&mut tx, &id).await.unwrap()), expected, "{id}");
        }
        tx.commit().await.unwrap();
        assert_eq!(test.dump(&[]).await, before);
    }

    async fn a_customers_identities_are_found_by_their_metadata(test: TestDatabase) {
        let database = open(&test, IDENTITIES).await;
        let mut tx = begin(&database).await;
        for (customer, expected) in [("cus_1", vec!["authid_1", "authid_2"]), ("cus_2", vec!["authid_3"]), ("cus_3", vec![])] {
            let found = auth_identity::list_of_customer(&mut tx, &customer_id(customer)).await.unwrap();
            assert_eq!(found.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), expected, "{customer}");
        }
    }

    async fn metadata_is_written_whole(test: TestDatabase) {
        let database = open(&test, IDENTITIES).await;
        let mut tx = begin(&database).await;
        let mut identity = auth_identity::find(&mut tx, &identity_id("authid_2")).await.unwrap().unwrap();
        identity.app_metadata.remove("user_id");
        identity.app_metadata.insert("cr_not_before".to_owned(), json!(1_767_323_046));
        auth_identity::update_app_metadata(&mut tx, &identity, after(1)).await.unwrap();
        tx.commit().await.unwrap();
        let select = "select app_metadata, updated_at from auth_identity where id = 'authid_2'";
        let expected = json!({"customer_id": "cus_1", "cr_not_before": 1_767_323_046});
        assert_eq!(test.rows(select).await, [json!({"app_metadata": expected, "updated_at": after(1)})]);
    }

    async fn a_deleted_identity_takes_its_credentials_with_it(test: TestDatabase) {
        let database = open(&test, IDENTITIES).await;
        test.sql("insert into provider_identity (id, entity_id, provider, auth_identity_id) values ('p1', 'x', 'emailpass', 'authid_1');
                  insert into provider_identity (id, entity_id, provider, auth_identity_id) values ('p3', 'y', 'emailpass', 'authid_3');
                  insert into cr_reset_token (auth_identity_id, jti, expires_at, created_at) values
                    ('authid_1', 'j', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'), ('authid_3', 'j', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')").await;
        let mut tx = begin(&database).await;
        auth_identity::delete(&mut tx, &identity_id("authid_1")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(test.rows("select id from provider_identity").await, [json!({"id": "p3"})]);
        assert_eq!(test.rows("select id from auth_identity where id = 'authid_1'").await, [] as [Value; 0]);
        assert_eq!(test.rows("select auth_identity_id from cr_reset_token").await, [json!({"auth_identity_id": "authid_3"})]);
    }
}
