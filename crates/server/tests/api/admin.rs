//! `GET /admin/account-deletion-requests`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use http::Method;
use serde_json::json;

use crate::stage::{request, schedule_deletion, stage, told, verified};
use crate::support::TestServer;

const PATH: &str = "/admin/account-deletion-requests";
const OUT: &str = r#"401 {"message":"Unauthorized"}"#;
const EMPTY: &str = r#"200 {"requests":[],"count":0,"offset":0,"limit":20}"#;

/// An administrator's token.
async fn admin(server: &TestServer) -> String {
    cr_core::workflows::create_user::run(&server.app, "admin@example.com", "Tr0ub4dor&3x".to_owned().into())
        .await
        .unwrap();
    let body = json!({"email": "admin@example.com", "password": "Tr0ub4dor&3x"});
    server.post("/auth/user/emailpass", None, body).await.field("/token")
}

cr_testkit::both! {
    async fn requests_are_listed_with_every_column(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        let token = admin(&server).await;
        assert_eq!(
            told(&server.get(PATH, Some(&token)).await),
            r#"200 {"requests":[{"id":"adr_1","customer_id":"<cus>","reason":null,"deletion_scheduled_at":"2026-01-09T03:04:05.678Z","status":"confirmed","cancelled_at":null,"held_at":null,"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z","deleted_at":null}],"count":1,"offset":0,"limit":20}"#
        );
        for (query, count, shown) in [
            ("status=confirmed", 1, 1), ("status=pending", 0, 0), ("limit=0", 1, 0), ("offset=1&limit=5", 1, 0),
            ("order=customer_id&order_direction=ASC", 1, 1), ("order=updated_at", 1, 1),
        ] {
            let body = server.get(&format!("{PATH}?{query}"), Some(&token)).await.json();
            assert_eq!((body["count"].as_i64(), body["requests"].as_array().unwrap().len()), (Some(count), shown), "{query}");
        }
        server.stop().await;
    }

    async fn a_query_that_is_wrong_is_told_in_medusas_words(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let token = admin(&server).await;
        for (query, refusal) in [
            ("status=x", "Expected: 'pending, confirmed, cancelled, completed' for field 'status', but got: 'x'"),
            ("order=id", "Expected: 'created_at, updated_at, customer_id' for field 'order', but got: 'id'"),
            ("order_direction=asc", "Expected: 'ASC, DESC' for field 'order_direction', but got: 'asc'"),
            ("limit=1001", "Value for field 'limit' too big, expected at most: '1000'"),
            ("limit=-1", "Value for field 'limit' too small, expected at least: '0'"),
            ("offset=1e", ""),
            ("offset=x", "Expected type: 'number' for field 'offset', got: 'nan'"),
            ("order=created_at;drop", "Expected: 'created_at, updated_at, customer_id' for field 'order', but got: 'created_at;drop'"),
            ("fields=id", "Unrecognized fields: 'fields'"),
        ] {
            let answer = server.get(&format!("{PATH}?{query}"), Some(&token)).await;
            if refusal.is_empty() {
                assert_eq!(answer.status.as_u16(), 200, "{query}");
            } else {
                assert_eq!(told(&answer), format!(r#"400 {{"type":"invalid_data","message":"Invalid request: {refusal}"}}"#), "{query}");
            }
        }
        server.stop().await;
    }

    /// A bearer token, the dashboard's session, or a secret API key; nothing else.
    async fn an_administrator_comes_in_three_ways(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let token = admin(&server).await;
        assert_eq!(told(&server.get(PATH, Some(&token)).await), EMPTY);
        let session = server.post("/auth/session", Some(&token), json!({})).await;
        let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(told(&server.raw(request(Method::GET, PATH, &[("cookie", &cookie)], None)).await), EMPTY);
        for (kind, answer) in [(ApiKeyType::Secret, EMPTY), (ApiKeyType::Publishable, OUT)] {
            let key = create_api_key::run(&server.app, kind, "Shop").await.unwrap();
            let basic = format!("Basic {}", STANDARD.encode(format!("{key}:")));
            assert_eq!(told(&server.raw(request(Method::GET, PATH, &[("authorization", &basic)], None)).await), answer);
        }
        let customer = verified(&server).await.login;
        assert_eq!(told(&server.get(PATH, Some(&customer)).await), OUT);
        assert_eq!(told(&server.get(PATH, None).await), OUT);
        server.stop().await;
    }
}
