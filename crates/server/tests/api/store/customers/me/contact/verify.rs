//! `POST /store/customers/me/contact/verify`.

use serde_json::json;

use crate::stage::{EMAIL, asked, login, prove, refuses_codes, stage, told, verified};
use crate::support::{PASSWORD, TestServer};

const PATH: &str = "/store/customers/me/contact/verify";
const CHANGE: &str = "/store/customers/me/contact";

/// Somebody else with a proven e-mail: a login token.
async fn bob(server: &TestServer) -> String {
    let token = server.register("bob@example.com").await;
    let body = json!({"email": "bob@example.com", "phone": "+15550000001"});
    server.post("/store/customers", Some(&token), body).await;
    prove(server, &token, "email_verification", "bob@example.com").await.field("/token")
}

cr_testkit::both! {
    async fn the_contact_changes_and_the_new_one_logs_in(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let (token, code) = asked(&server, CHANGE, Some(&known.login), json!({"email": "new@example.com"}), "new@example.com").await;
        let body = json!({"token": token, "code": code});
        let changed = server.post(PATH, Some(&known.login), body.clone()).await;
        assert_eq!(
            told(&changed),
            r#"200 {"customer":{"id":"<cus>","email":"new@example.com","company_name":null,"first_name":null,"last_name":null,"phone":"+15551234567","metadata":null,"has_account":true,"deleted_at":null,"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z","email_verified":true,"phone_verified":false,"addresses":[]},"token":"<token>"}"#
        );
        assert_eq!(server.get("/store/customers/me", Some(&changed.field("/token"))).await.status.as_u16(), 200);
        assert_eq!(login(&server, EMAIL, PASSWORD).await.status.as_u16(), 401);
        assert_eq!(login(&server, "new@example.com", PASSWORD).await.status.as_u16(), 200);
        assert_eq!(
            told(&server.post(PATH, Some(&known.login), body).await),
            r#"400 {"type":"invalid_data","message":"OTP is no longer valid"}"#
        );
        server.stop().await;
    }

    async fn a_bad_code_or_token_is_told(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let (token, code) = asked(&server, CHANGE, Some(&known.login), json!({"email": "new@example.com"}), "new@example.com").await;
        let bob = bob(&server).await;
        let body = json!({"token": token, "code": code});
        assert_eq!(
            told(&server.post(PATH, Some(&bob), body.clone()).await),
            r#"401 {"type":"unauthorized","message":"Token does not belong to this customer"}"#
        );
        assert_eq!(told(&server.post(PATH, None, body).await), r#"401 {"message":"Unauthorized"}"#);
        refuses_codes(&server, &clock, PATH, Some(&known.login), (&token, &code)).await;
        server.stop().await;
    }

    /// Between the code and its return somebody else proved the address.
    async fn what_another_proved_meanwhile_is_taken(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let (token, code) = asked(&server, CHANGE, Some(&known.login), json!({"email": "bob@example.com"}), "bob@example.com").await;
        bob(&server).await;
        assert_eq!(
            told(&server.post(PATH, Some(&known.login), json!({"token": token, "code": code})).await),
            r#"422 {"code":"invalid_request_error","type":"duplicate_error","message":"Customer with this email already has an account"}"#
        );
        server.stop().await;
    }
}
