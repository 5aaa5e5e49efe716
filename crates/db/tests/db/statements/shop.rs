//! `user` and `api_key`: the shop's own people and programs.

use cr_db::DbError;
use cr_db::models::api_key::{self, ApiKey};
use cr_db::models::auth_identity;
use cr_db::models::provider_identity::{self, NewProviderIdentity};
use cr_db::models::user::{self, User};
use cr_types::ids::AuthIdentityId;
use serde_json::json;

use super::{after, begin, now, open};

/// A key of a kind.
fn key(id: &str, kind: &str) -> ApiKey {
    ApiKey {
        id: id.to_owned(),
        token: format!("token of {id}"),
        salt: "salt".to_owned(),
        redacted: "sk_123***456".to_owned(),
        title: "Shöp".to_owned(),
        kind: kind.to_owned(),
        created_by: "user_1".to_owned(),
    }
}

cr_testkit::both! {
    async fn a_user_is_inserted_once_an_email_and_found_while_live(test: TestDatabase) {
        let database = open(&test, "").await;
        let ann = User { id: "user_1".to_owned(), email: "ann@shop.test".to_owned() };
        let mut tx = begin(&database).await;
        user::insert(&mut tx, &ann, now()).await.unwrap();
        assert_eq!(user::find(&mut tx, "user_1").await.unwrap(), Some(ann.clone()));
        assert_eq!(user::find(&mut tx, "user_2").await.unwrap(), None);
        tx.commit().await.unwrap();
        let select = "select id, email, created_at, updated_at, deleted_at from \"user\"";
        assert_eq!(test.rows(select).await, [json!({
            "id": "user_1", "email": "ann@shop.test", "created_at": now(), "updated_at": now(), "deleted_at": null,
        })]);
        let mut tx = begin(&database).await;
        let again = user::insert(&mut tx, &User { id: "user_2".to_owned(), ..ann }, now()).await;
        assert!(matches!(again, Err(DbError::NotUnique { constraint }) if constraint == "IDX_user_email_unique"));
        drop(tx);
        test.sql("update \"user\" set deleted_at = '2026-01-02T03:04:05.678Z'").await;
        let mut tx = begin(&database).await;
        assert_eq!(user::find(&mut tx, "user_1").await.unwrap(), None);
    }

    /// By the identity that is named, or where none is, by that of the user's e-mail; by neither once it or the user is gone.
    async fn a_user_is_found_with_an_identity_while_both_live(test: TestDatabase) {
        let database = open(&test, "").await;
        let (named, own) = (AuthIdentityId::from_stored("authid_1"), AuthIdentityId::from_stored("authid_2"));
        let mut tx = begin(&database).await;
        user::insert(&mut tx, &User { id: "user_1".to_owned(), email: "ann@shop.test".to_owned() }, now()).await.unwrap();
        for id in [&named, &own] {
            auth_identity::insert(&mut tx, id, Some(&json!({"user_id": "user_1"})), now()).await.unwrap();
        }
        let new = NewProviderIdentity {
            id: "1", entity_id: "ann@shop.test", provider: "emailpass", auth_identity_id: &own, password: "hash",
        };
        provider_identity::insert(&mut tx, &new, now()).await.unwrap();
        tx.commit().await.unwrap();
        let nameless = AuthIdentityId::from_stored("");
        let find = async |id: &str, identity: &AuthIdentityId| {
            let found = user::find_identity(&mut begin(&database).await, id, identity).await.unwrap();
            found.map(|found| { assert_eq!(found.actor_id("user"), Some("user_1")); found.id })
        };
        assert_eq!(find("user_1", &named).await, Some(named.clone()));
        assert_eq!(find("user_1", &nameless).await, Some(own.clone()));
        assert_eq!(find("user_2", &named).await, None);
        assert_eq!(find("user_1", &AuthIdentityId::from_stored("authid_3")).await, None);
        test.sql("update auth_identity set deleted_at = '2026-01-02T03:04:05.678Z' where id = 'authid_1'").await;
        assert_eq!(find("user_1", &named).await, None);
        test.sql("update provider_identity set deleted_at = '2026-01-02T03:04:05.678Z'").await;
        assert_eq!(find("user_1", &nameless).await, None);
        assert_eq!(find("user_1", &own).await, Some(own.clone()));
        test.sql("update \"user\" set deleted_at = '2026-01-02T03:04:05.678Z'").await;
        assert_eq!(find("user_1", &own).await, None);
    }

    async fn a_key_is_written_whole_and_its_token_is_unique(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        api_key::insert(&mut tx, &key("apk_1", "secret"), now()).await.unwrap();
        tx.commit().await.unwrap();
        let select = "select id, token, salt, redacted, title, type, created_by, created_at, updated_at, revoked_at from api_key";
        assert_eq!(test.rows(select).await, [json!({
            "id": "apk_1", "token": "token of apk_1", "salt": "salt", "redacted": "sk_123***456", "title": "Shöp",
            "type": "secret", "created_by": "user_1", "created_at": now(), "updated_at": now(), "revoked_at": null,
        })]);
        let mut tx = begin(&database).await;
        let same = ApiKey { token: "token of apk_1".to_owned(), ..key("apk_2", "secret") };
        let again = api_key::insert(&mut tx, &same, now()).await;
        assert!(matches!(again, Err(DbError::NotUnique { constraint }) if constraint == "IDX_api_key_token_unique"));
    }

    async fn keys_are_in_force_until_they_are_revoked_or_deleted(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        for row in [key("apk_1", "publishable"), key("apk_2", "secret"), key("apk_3", "secret"), key("apk_4", "secret")] {
            api_key::insert(&mut tx, &row, now()).await.unwrap();
        }
        tx.commit().await.unwrap();
        let revoked = after(10);
        test.sql(&format!("update api_key set revoked_at = '{revoked}' where id in ('apk_1', 'apk_2');
                           update api_key set deleted_at = '{revoked}' where id = 'apk_4'")).await;
        let mut tx = begin(&database).await;
        for (second, publishable, secret) in [(9, true, 2), (10, false, 1)] {
            let found = api_key::find_publishable(&mut tx, "token of apk_1", after(second)).await.unwrap();
            assert_eq!(found, publishable.then(|| key("apk_1", "publishable")), "at {second}");
            let listed = api_key::list_secret(&mut tx, "sk_123***456", after(second)).await.unwrap();
            assert_eq!(listed.len(), secret, "at {second}");
        }
        assert_eq!(api_key::find_publishable(&mut tx, "token of apk_3", now()).await.unwrap(), None, "a secret one");
        assert_eq!(api_key::list_secret(&mut tx, "sk_999***456", now()).await.unwrap(), []);
    }
}
