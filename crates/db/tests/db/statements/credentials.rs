//! `provider_identity` and the reset tokens that replace its password.

use cr_db::DbError;
use cr_db::models::auth_identity::{self, AuthIdentity};
use cr_db::models::cr_reset_token;
use cr_db::models::provider_identity::{self, NewProviderIdentity, ProviderIdentity};
use serde_json::json;
use tokio::task::JoinSet;

use super::{after, begin, customer_id, identity_id, now, open};

/// One identity with both credentials, another whose credential is deleted, a third that is deleted itself.
const CREDENTIALS: &str = r#"
insert into auth_identity (id, app_metadata) values ('authid_1', '{"customer_id": "cus_1"}');
insert into auth_identity (id) values ('authid_2');
insert into auth_identity (id, app_metadata, deleted_at) values ('authid_3', '{"customer_id": "cus_1"}', '2026-01-01T00:00:00.000Z');
insert into provider_identity (id, entity_id, provider, auth_identity_id, provider_metadata, user_metadata)
values ('p1', 'Ann@shop.test', 'emailpass', 'authid_1', '{"password": "hash", "other": 1}', '{"name": "Ann"}');
insert into provider_identity (id, entity_id, provider, auth_identity_id, provider_metadata)
values ('p2', '+15551234567', 'phonepass', 'authid_1', '{"password": "hash"}');
insert into provider_identity (id, entity_id, provider, auth_identity_id, deleted_at)
values ('p3', 'ann@shop.test', 'emailpass', 'authid_2', '2026-01-01T00:00:00.000Z');
insert into provider_identity (id, entity_id, provider, auth_identity_id) values ('p4', '5551234567', 'phonepass', 'authid_3');
"#;

/// What is compared of a list: id, deleted or not.
fn seen(rows: &[ProviderIdentity]) -> Vec<(&str, bool)> {
    rows.iter().map(|row| (row.id.as_str(), row.is_deleted)).collect()
}

cr_testkit::both! {
    async fn credentials_are_listed_by_contact_deleted_ones_too(test: TestDatabase) {
        let database = open(&test, CREDENTIALS).await;
        let mut tx = begin(&database).await;
        let mut by_email = provider_identity::list_by_email(&mut tx, "ann@shop.test").await.unwrap();
        by_email.sort_by(|left, right| left.id.cmp(&right.id));
        assert_eq!(seen(&by_email), [("p1", false), ("p3", true)]);
        assert_eq!(by_email[0].password(), Some("hash"));
        assert_eq!(json!(by_email[0].user_metadata), json!({"name": "Ann"}));
        assert_eq!(by_email[0].identity.customer_id(), Some(customer_id("cus_1")));
        for (raw, e164, expected) in [
            ("5551234567", "+15551234567", vec![("p2", false), ("p4", true)]),
            ("x", "+15551234567", vec![("p2", false)]),
            ("x", "y", vec![]),
        ] {
            let mut found = provider_identity::list_by_phone(&mut tx, raw, e164).await.unwrap();
            found.sort_by(|left, right| left.id.cmp(&right.id));
            assert_eq!(seen(&found), expected, "{raw} {e164}");
        }
    }

    async fn live_credentials_are_listed_by_owner(test: TestDatabase) {
        let database = open(&test, CREDENTIALS).await;
        let mut tx = begin(&database).await;
        for (identity, expected) in [("authid_1", vec![("p1", false), ("p2", false)]), ("authid_2", vec![])] {
            let found = provider_identity::list_of_identity(&mut tx, &identity_id(identity)).await.unwrap();
            assert_eq!(seen(&found), expected, "{identity}");
        }
        let found = provider_identity::list_of_customer(&mut tx, &customer_id("cus_1")).await.unwrap();
        assert_eq!(seen(&found), [("p1", false), ("p2", false)]);
    }

    /// Whoever copies a password waits for whoever changes it, and sees it as it was left, with the identity.
    async fn credentials_that_are_held_are_read_as_they_were_left(test: TestDatabase) {
        let database = open(&test, CREDENTIALS).await;
        let mut tx = begin(&database).await;
        let found = provider_identity::lock_of_customer(&mut tx, &customer_id("cus_1")).await.unwrap();
        assert_eq!(seen(&found), [("p1", false), ("p2", false)]);
        let mut waiting = JoinSet::new();
        let other = database.clone();
        waiting.spawn(async move {
            let mut tx = begin(&other).await;
            provider_identity::lock_of_customer(&mut tx, &customer_id("cus_1")).await.unwrap()
        });
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert!(waiting.try_join_next().is_none(), "the credentials are not held");
        assert!(provider_identity::update_password(&mut tx, &found[0], "new", after(1)).await.unwrap());
        let metadata = json!({"customer_id": "cus_1", "cr_not_before": 5}).as_object().unwrap().clone();
        let identity = AuthIdentity { id: identity_id("authid_1"), app_metadata: metadata };
        auth_identity::update_app_metadata(&mut tx, &identity, after(1)).await.unwrap();
        provider_identity::delete(&mut tx, "p2").await.unwrap();
        tx.commit().await.unwrap();
        let found = waiting.join_next().await.unwrap().unwrap();
        assert_eq!(seen(&found), [("p1", false)]);
        assert_eq!((found[0].password(), found[0].identity.not_before()), (Some("new"), Some(5)));
    }

    async fn a_contact_is_one_credential(test: TestDatabase) {
        let database = open(&test, "insert into auth_identity (id) values ('authid_1')").await;
        let owner = identity_id("authid_1");
        let new = NewProviderIdentity {
            id: "p1",
            entity_id: "ann@shop.test",
            provider: "emailpass",
            auth_identity_id: &owner,
            password: "hash",
        };
        let mut tx = begin(&database).await;
        provider_identity::insert(&mut tx, &new, now()).await.unwrap();
        tx.commit().await.unwrap();
        let columns = "id, entity_id, provider, auth_identity_id, user_metadata, provider_metadata, created_at, updated_at";
        assert_eq!(test.rows(&format!("select {columns} from provider_identity")).await, [json!({
            "id": "p1", "entity_id": "ann@shop.test", "provider": "emailpass", "auth_identity_id": "authid_1",
            "user_metadata": null, "provider_metadata": {"password": "hash"}, "created_at": now(), "updated_at": now(),
        })]);
        let mut tx = begin(&database).await;
        let again = provider_identity::insert(&mut tx, &NewProviderIdentity { id: "p2", ..new }, now()).await;
        assert!(matches!(again, Err(DbError::NotUnique { constraint }) if constraint == "IDX_provider_identity_provider_entity_id"));
    }

    /// Of two writers that read the same hash, the second must not overwrite what it never saw.
    async fn a_password_is_replaced_only_over_the_hash_that_was_read(test: TestDatabase) {
        let database = open(&test, CREDENTIALS).await;
        let mut tx = begin(&database).await;
        let found = provider_identity::list_of_identity(&mut tx, &identity_id("authid_1")).await.unwrap();
        assert!(provider_identity::update_password(&mut tx, &found[0], "new", after(1)).await.unwrap());
        assert!(!provider_identity::update_password(&mut tx, &found[0], "late", after(2)).await.unwrap());
        tx.commit().await.unwrap();
        let select = "select provider_metadata, user_metadata, updated_at from provider_identity where id = 'p1'";
        assert_eq!(test.rows(select).await, [json!({
            "provider_metadata": {"password": "new", "other": 1}, "user_metadata": {"name": "Ann"}, "updated_at": after(1),
        })]);
    }

    async fn a_credential_moves_to_a_free_contact_alone(test: TestDatabase) {
        let database = open(&test, CREDENTIALS).await;
        let mut tx = begin(&database).await;
        provider_identity::update_entity_id(&mut tx, "p2", "+15550000000", after(1)).await.unwrap();
        tx.commit().await.unwrap();
        let select = "select entity_id, updated_at from provider_identity where id = 'p2'";
        assert_eq!(test.rows(select).await, [json!({"entity_id": "+15550000000", "updated_at": after(1)})]);
        let mut tx = begin(&database).await;
        let taken = provider_identity::update_entity_id(&mut tx, "p4", "+15550000000", after(1)).await;
        assert!(matches!(taken, Err(DbError::NotUnique { .. })), "{taken:?}");
    }

    async fn a_deleted_credential_leaves_its_identity(test: TestDatabase) {
        let database = open(&test, CREDENTIALS).await;
        let mut tx = begin(&database).await;
        provider_identity::delete(&mut tx, "p1").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(test.rows("select id from provider_identity where auth_identity_id = 'authid_1'").await, [json!({"id": "p2"})]);
        assert_eq!(test.rows("select id from auth_identity where id = 'authid_1'").await.len(), 1);
    }

    async fn a_credential_that_moved_on_is_not_deleted_for_what_it_was(test: TestDatabase) {
        let database = open(&test, CREDENTIALS).await;
        let mut tx = begin(&database).await;
        let seen = provider_identity::list_of_identity(&mut tx, &identity_id("authid_1")).await.unwrap();
        let [first, second] = seen.as_slice() else { panic!("{seen:?}") };
        provider_identity::update_entity_id(&mut tx, &first.id, "elsewhere@shop.test", after(1)).await.unwrap();
        assert!(!provider_identity::delete_as_seen(&mut tx, first).await.unwrap());
        assert!(provider_identity::delete_as_seen(&mut tx, second).await.unwrap());
        assert!(!provider_identity::delete_as_seen(&mut tx, second).await.unwrap());
        tx.commit().await.unwrap();
        let left = test.rows("select id from provider_identity where auth_identity_id = 'authid_1'").await;
        assert_eq!(left, [json!({ "id": first.id })]);
    }

    async fn only_the_newest_reset_token_counts_and_only_once(test: TestDatabase) {
        let database = open(&test, "").await;
        let owner = identity_id("authid_1");
        let mut tx = begin(&database).await;
        cr_reset_token::replace(&mut tx, &owner, "old", after(900), now()).await.unwrap();
        cr_reset_token::replace(&mut tx, &owner, "new", after(900), now()).await.unwrap();
        for (jti, moment, consumed) in
            [("old", 0, false), ("new", 900, false), ("new", 899, true), ("new", 899, false)]
        {
            let result = cr_reset_token::consume(&mut tx, &owner, jti, after(moment)).await.unwrap();
            assert_eq!(result, consumed, "{jti} at {moment}");
        }
    }

    async fn expired_reset_tokens_are_pruned(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        cr_reset_token::replace(&mut tx, &identity_id("early"), "j", after(10), now()).await.unwrap();
        cr_reset_token::replace(&mut tx, &identity_id("late"), "j", after(11), now()).await.unwrap();
        assert_eq!(cr_reset_token::prune(&mut tx, after(11)).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let rows = test.rows("select auth_identity_id, jti, expires_at, created_at from cr_reset_token").await;
        assert_eq!(rows, [json!({"auth_identity_id": "late", "jti": "j", "expires_at": after(11), "created_at": now()})]);
    }
}
