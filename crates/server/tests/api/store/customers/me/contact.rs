//! `POST /store/customers/me/contact`.

use serde_json::json;

use crate::stage::{EMAIL, prove, stage, told, verified};

mod verify;

const PATH: &str = "/store/customers/me/contact";
const OUT: &str = r#"401 {"message":"Unauthorized"}"#;

cr_testkit::both! {
    async fn a_code_goes_to_the_new_contact(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let login = verified(&server).await.login;
        for (body, contact) in [(json!({"email": " New@Example.com"}), "new@example.com"), (json!({"phone": "+1 555 765 4321"}), "+15557654321")] {
            let sent = server.post(PATH, Some(&login), body).await;
            assert_eq!(told(&sent), r#"200 {"token":"<token>","expires_at":"2026-01-02T03:19:05.678Z"}"#);
            server.code_to(contact).await;
        }
        server.stop().await;
    }

    async fn what_cannot_be_had_is_told(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let login = verified(&server).await.login;
        let other = server.register("bob@example.com").await;
        server.post("/store/customers", Some(&other), json!({"email": "bob@example.com", "phone": "+15550000001"})).await;
        prove(&server, &other, "email_verification", "bob@example.com").await;
        assert_eq!(told(&server.post(PATH, None, json!({"email": "a@example.com"})).await), OUT);
        for (body, refusal) in [
            (json!({"email": "ALICE@example.com"}), r#"400 {"type":"not_allowed","message":"This is already your verified email"}"#),
            (json!({"email": "bob@example.com"}), r#"422 {"code":"invalid_request_error","type":"duplicate_error","message":"Customer with this email already has an account"}"#),
            (json!({}), r#"400 {"type":"invalid_data","message":"Provide exactly one of: email, phone"}"#),
            (json!({"email": "a@example.com", "phone": "+15550000002"}), r#"400 {"type":"invalid_data","message":"Provide exactly one of: email, phone"}"#),
            (json!({"email": "a"}), r#"400 {"type":"invalid_data","message":"Invalid request: Invalid email"}"#),
            (json!({"email": 7}), r#"400 {"type":"invalid_data","message":"Invalid request: Expected type: 'string' for field 'email', got: 'number'"}"#),
            (json!({"email": "a@example.com", "x": 1}), r#"400 {"type":"invalid_data","message":"Invalid request: Unrecognized fields: 'x'"}"#),
        ] {
            assert_eq!(told(&server.post(PATH, Some(&login), body.clone()).await), refusal, "{body}");
        }
        server.stop().await;
    }

    async fn without_a_section_there_is_no_change(database: TestDatabase) {
        let (server, _) = stage(&database, &[
            ("phone_verification = { channel = \"sms\", resendThrottleSeconds = 0 }\n", ""),
            ("email_verification = { channel = \"email\", resendThrottleSeconds = 0 }", "email_verification = { channel = \"email\", resendThrottleSeconds = 90 }"),
            ("identifier = \"both\"\n\n[options.login]\nidentifier = \"both\"", "identifier = \"email\"\n\n[options.login]\nidentifier = \"email\""),
        ]).await;
        let login = verified(&server).await.login;
        assert_eq!(
            told(&server.post(PATH, Some(&login), json!({"phone": "+15557654321"})).await),
            r#"400 {"type":"not_allowed","message":"OTP channel configuration not found for phone_verification"}"#
        );
        let first = server.post(PATH, Some(&login), json!({"email": "new@example.com"})).await;
        assert_eq!((first.status.as_u16(), told(&first).contains("Please wait")), (429, true), "the code of the verification was sent just now: {}", told(&first));
        assert_eq!(first.headers["retry-after"], "90");
        assert_eq!(server.get("/store/customers/me", Some(&login)).await.field("/customer/email"), EMAIL);
        server.stop().await;
    }
}
