//! The first five minutes of a shop, through the router.

use http::StatusCode;
use serde_json::json;

use crate::support::{PASSWORD, TestServer};

cr_testkit::both! {
    /// If this fails, nobody can sign up.
    async fn register_create_verify_and_log_in_by_email_and_phone(database: TestDatabase) {
        let (server, _) = TestServer::frozen(&database).await;
        let (token, id) = server.customer("alice@example.com", "+15551234567").await;
        let refused = server
            .post("/auth/customer/emailpass", None, json!({"email": "alice@example.com", "password": PASSWORD}))
            .await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert_eq!(refused.field("/code"), "verification_required");

        let sent = server
            .post("/store/customers/otp/send", Some(&token), json!({"customer_id": id, "type": "email_verification"}))
            .await;
        assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
        let code = server.code_to("alice@example.com").await;
        let verified = server
            .post("/store/customers/otp/verify", Some(&token), json!({"token": sent.field("/token"), "code": code}))
            .await;
        assert_eq!(verified.status, StatusCode::OK, "{}", verified.text);
        let login = verified.field("/token");

        let sent = server
            .post("/store/customers/otp/send", Some(&login), json!({"phone": "+15551234567", "type": "phone_verification"}))
            .await;
        let code = server.code_to("+15551234567").await;
        let verified = server
            .post("/store/customers/otp/verify", Some(&login), json!({"token": sent.field("/token"), "code": code}))
            .await;
        assert_eq!(verified.status, StatusCode::OK, "{}", verified.text);

        let by_phone = server
            .post("/auth/customer/emailpass", None, json!({"phone": "+1 (555) 123-4567", "password": PASSWORD}))
            .await;
        assert_eq!(by_phone.status, StatusCode::OK, "{}", by_phone.text);
        let me = server.get("/store/customers/me", Some(&by_phone.field("/token"))).await.json();
        assert_eq!((&me["customer"]["email_verified"], &me["customer"]["phone_verified"]), (&json!(true), &json!(true)));
        server.stop().await;
    }
}
