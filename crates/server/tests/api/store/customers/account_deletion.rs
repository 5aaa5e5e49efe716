//! `/store/customers/account-deletion/…`: request, confirm, cancel-request, cancel-confirm; and the guard in between.

mod refusals;

use http::Method;
use serde_json::json;

use crate::stage::{EMAIL, PHONE, asked, good_login, login, refuses_codes, stage, told, verified};
use crate::support::{PASSWORD, TestServer};

const REQUEST: &str = "/store/customers/account-deletion/request";
const CONFIRM: &str = "/store/customers/account-deletion/confirm";
const CANCEL_REQUEST: &str = "/store/customers/account-deletion/cancel-request";
const CANCEL_CONFIRM: &str = "/store/customers/account-deletion/cancel-confirm";
const SENT: &str = r#"200 {"token":"<token>","expires_at":"2026-01-02T03:19:05.678Z"}"#;
const PENDING: &str = r#"403 {"code":"account_deletion_pending","type":"not_allowed","message":"Account deletion is scheduled","deletion_scheduled_at":"2026-01-09T03:04:05.678Z"}"#;

/// Asks for the deletion and confirms it.
async fn leave(server: &TestServer, login: &str) {
    let (token, code) = asked(server, REQUEST, Some(login), json!({"reason": "Too many mails"}), EMAIL).await;
    let confirmed = server.post(CONFIRM, None, json!({"token": token, "code": code})).await;
    assert_eq!(
        told(&confirmed),
        r#"200 {"request":{"id":"<adr>","customer_id":"<cus>","reason":"Too many mails","deletion_scheduled_at":"2026-01-09T03:04:05.678Z","status":"confirmed"}}"#
    );
}

cr_testkit::both! {
    /// The whole way there and back.
    async fn a_customer_leaves_and_comes_back(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        leave(&server, &known.login).await;
        assert_eq!(told(&good_login(&server).await), PENDING);
        let (token, code) = asked(&server, CANCEL_REQUEST, None, json!({"email": EMAIL}), EMAIL).await;
        let cancelled = server.post(CANCEL_CONFIRM, None, json!({"token": token, "code": code})).await;
        assert_eq!(
            told(&cancelled),
            r#"200 {"cancelled":true,"request":{"id":"<adr>","customer_id":"<cus>","status":"cancelled","cancelled_at":"2026-01-02T03:04:05.678Z"}}"#
        );
        assert_eq!(login(&server, EMAIL, PASSWORD).await.status.as_u16(), 200);
        server.stop().await;
    }

    async fn a_request_says_what_is_wrong(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        assert_eq!(told(&server.post(REQUEST, None, json!({})).await), r#"401 {"message":"Unauthorized"}"#);
        for (body, answer) in [
            (json!({}), SENT),
            (json!({"reason": null}), SENT),
            (json!({"reason": "é".repeat(1000)}), SENT),
            (json!({"reason": "é".repeat(1001)}), r#"400 {"type":"invalid_data","message":"Invalid request: Value for field 'reason' too big, expected at most: '1000'"}"#),
            (json!({"reason": 1}), r#"400 {"type":"invalid_data","message":"Invalid request: Expected type: 'string' for field 'reason', got: 'number'"}"#),
            (json!({"why": "x"}), r#"400 {"type":"invalid_data","message":"Invalid request: Unrecognized fields: 'why'"}"#),
        ] {
            assert_eq!(told(&server.post(REQUEST, Some(&known.login), body.clone()).await), answer, "{body}");
        }
        let (token, code) = asked(&server, REQUEST, Some(&known.login), json!({}), EMAIL).await;
        refuses_codes(&server, &clock, CONFIRM, None, (&token, &code)).await;
        server.stop().await;
    }

    /// A request that is active: the routes of its own group still answer, whoever holds a token from before or after.
    async fn an_active_request_shuts_the_store_and_opens_the_way_back(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        leave(&server, &known.login).await;
        // Sessions ended; a token of the same second after the end is what a login would give, if it gave one.
        clock.advance_seconds(5);
        let now = server.app.shared.env.clock.now().seconds();
        let mut claims: cr_core::modules::auth::token::AuthClaims =
            serde_json::from_value(crate::stage::claims(&known.login)).unwrap();
        (claims.iat, claims.exp) = (now, now + 3600);
        let token = cr_core::modules::auth::token::issue(&server.app.shared.keys, &claims);
        for (method, path) in [
            (Method::GET, "/store/customers/me"),
            (Method::POST, "/store/customers/me"),
            (Method::POST, "/store/customers/me/contact"),
            (Method::POST, "/store/customers/change-password"),
            (Method::GET, "/store/my-referrals"),
            (Method::GET, "/STORE/Customers/Me/"),
        ] {
            let answer = server.send(method.clone(), path, Some(&token), Some(json!({}))).await;
            assert_eq!(told(&answer), PENDING, "{method} {path}");
        }
        assert_eq!(
            told(&server.post(REQUEST, Some(&token), json!({})).await),
            r#"400 {"type":"not_allowed","message":"An account deletion request is already active"}"#
        );
        assert_eq!(server.post("/auth/token/refresh", Some(&token), json!({})).await.status.as_u16(), 403);
        assert_eq!(server.post("/auth/session", Some(&token), json!({})).await.status.as_u16(), 403);
        server.stop().await;
    }

    /// Whoever asks learns nothing: the same answer, whether or not anybody is leaving.
    async fn a_cancellation_is_answered_alike_for_everybody(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        for body in [json!({"email": EMAIL}), json!({"phone": PHONE}), json!({"email": "nobody@example.com"}), json!({"phone": "+15550000009"})] {
            assert_eq!(told(&server.post(CANCEL_REQUEST, None, body.clone()).await), SENT, "{body}");
        }
        for (body, refusal) in [
            (json!({}), r#"400 {"type":"invalid_data","message":"Provide exactly one of: email, phone"}"#),
            (json!({"email": EMAIL, "phone": PHONE}), r#"400 {"type":"invalid_data","message":"Provide exactly one of: email, phone"}"#),
            (json!({"email": "x"}), r#"400 {"type":"invalid_data","message":"Invalid request: Invalid email"}"#),
            (json!({"email": ["x"]}), r#"400 {"type":"invalid_data","message":"Invalid request: Expected type: 'string' for field 'email', got: 'array'"}"#),
        ] {
            assert_eq!(told(&server.post(CANCEL_REQUEST, None, body.clone()).await), refusal, "{body}");
        }
        leave(&server, &known.login).await;
        let (token, code) = asked(&server, CANCEL_REQUEST, None, json!({"email": EMAIL}), EMAIL).await;
        database.sql("update account_deletion_request set status = 'completed'").await;
        assert_eq!(
            told(&server.post(CANCEL_CONFIRM, None, json!({"token": token, "code": code})).await),
            r#"400 {"type":"not_allowed","message":"No active account deletion request"}"#
        );
        database.sql("update account_deletion_request set status = 'confirmed'").await;
        let (token, code) = asked(&server, CANCEL_REQUEST, None, json!({"email": EMAIL}), EMAIL).await;
        refuses_codes(&server, &clock, CANCEL_CONFIRM, None, (&token, &code)).await;
        server.stop().await;
    }

    async fn without_their_sections_nobody_leaves(database: TestDatabase) {
        let (server, _) = stage(&database, &[
            ("account_deletion_request = { resendThrottleSeconds = 0, template = \"builtin\" }\n", ""),
            ("account_deletion_cancel = { resendThrottleSeconds = 0, template = \"builtin\" }\n", ""),
        ]).await;
        let known = verified(&server).await;
        for (path, body, purpose) in [(REQUEST, json!({}), "account_deletion_request"), (CANCEL_REQUEST, json!({"email": EMAIL}), "account_deletion_cancel")] {
            assert_eq!(
                told(&server.post(path, Some(&known.login), body).await),
                format!(r#"400 {{"type":"not_allowed","message":"OTP channel configuration not found for {purpose}"}}"#)
            );
        }
        server.stop().await;
    }
}
