//! `POST /store/customers/change-password`.

use serde_json::{Value, json};

use crate::stage::{EMAIL, login, stage, told, verified};
use crate::support::PASSWORD;

const PATH: &str = "/store/customers/change-password";
const NEW: &str = "C0rrect-horse-battery";

/// A change.
fn change(old: &str, new: &str, confirm: &str) -> Value {
    json!({"old_password": old, "new_password": new, "confirm_password": confirm})
}

cr_testkit::both! {
    async fn the_caller_gets_a_fresh_token_and_all_others_end(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let changed = server.post(PATH, Some(&known.login), change(PASSWORD, NEW, NEW)).await;
        assert_eq!(told(&changed), r#"200 {"message":"Password changed successfully","customer_id":"<cus>","token":"<token>"}"#);
        assert_eq!(server.get("/store/customers/me", Some(&known.login)).await.status.as_u16(), 401);
        assert_eq!(server.get("/store/customers/me", Some(&changed.field("/token"))).await.status.as_u16(), 200);
        assert_eq!(login(&server, EMAIL, PASSWORD).await.status.as_u16(), 401);
        assert_eq!(login(&server, EMAIL, NEW).await.status.as_u16(), 200);
        server.stop().await;
    }

    async fn what_is_wrong_is_told_and_changes_nothing(database: TestDatabase) {
        let (server, _) = stage(&database, &[("passwordChanges = \"off\"", "passwordChanges = \"2/15m\"")]).await;
        let token = verified(&server).await.login;
        assert_eq!(told(&server.post(PATH, None, change(PASSWORD, NEW, NEW)).await), r#"401 {"message":"Unauthorized"}"#);
        let long = "x".repeat(129);
        for (body, refusal) in [
            (change(PASSWORD, NEW, "x"), r#"400 {"type":"invalid_data","message":"Passwords do not match"}"#),
            (change(PASSWORD, PASSWORD, PASSWORD), r#"400 {"type":"invalid_data","message":"New password must differ from the old one"}"#),
            (change(PASSWORD, "short", "short"), r#"400 {"type":"invalid_data","message":"Password must be at least 8 bytes long"}"#),
            (change(PASSWORD, &long, &long), r#"400 {"type":"invalid_data","message":"Password must be at most 128 bytes long"}"#),
            (change(PASSWORD, "password123", "password123"), r#"400 {"type":"invalid_data","message":"Password is too common"}"#),
            (json!({"old_password": 1, "new_password": NEW, "confirm_password": NEW}), r#"400 {"type":"invalid_data","message":"Invalid request: Expected type: 'string' for field 'old_password', got: 'number'"}"#),
            (change("wrong", NEW, NEW), r#"401 {"type":"unauthorized","message":"Invalid password"}"#),
            (change("wrong", NEW, NEW), r#"401 {"type":"unauthorized","message":"Invalid password"}"#),
            (change(PASSWORD, NEW, NEW), r#"429 {"type":"too_many_requests","message":"Too many requests. Try again in 900 seconds"}"#),
        ] {
            assert_eq!(told(&server.post(PATH, Some(&token), body.clone()).await), refusal, "{body}");
        }
        assert_eq!(login(&server, EMAIL, PASSWORD).await.status.as_u16(), 200);
        server.stop().await;
    }
}
