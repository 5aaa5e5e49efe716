//! `POST /store/customers`.

use serde_json::json;

use crate::stage::{EMAIL, PHONE, claims_of, masked, prove, schedule_deletion, stage, told, verified};
use crate::support::PASSWORD;

mod account_deletion;
mod change_password;
mod contact;
mod me;
mod otp;

const PATH: &str = "/store/customers";
const OUT: &str = r#"401 {"message":"Unauthorized"}"#;

cr_testkit::both! {
    /// The body is core's with two flags more, and flags come from codes alone.
    async fn a_registration_becomes_a_customer_once(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let token = server.register("Alice@Example.com").await;
        let body = json!({
            "email": " alice@example.com ", "phone": "+1 (555) 123-4567", "first_name": "Alice", "last_name": null,
            "company_name": "Wonder & Co", "metadata": {"bb": 1, "a": {"deep": [true]}},
        });
        let created = server.post(PATH, Some(&token), body.clone()).await;
        assert_eq!(
            told(&created),
            r#"200 {"customer":{"id":"<cus>","email":"alice@example.com","company_name":"Wonder & Co","first_name":"Alice","last_name":null,"phone":"+15551234567","metadata":{"a":{"deep":[true]},"bb":1},"has_account":true,"deleted_at":null,"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z","email_verified":false,"phone_verified":false,"addresses":[]}}"#
        );
        assert_eq!(
            told(&server.post(PATH, Some(&token), body.clone()).await),
            r#"422 {"code":"invalid_request_error","type":"duplicate_error","message":"Customer with this email already has an account"}"#
        );
        let login = prove(&server, &token, "email_verification", EMAIL).await.field("/token");
        assert_eq!(
            told(&server.post(PATH, Some(&login), body).await),
            r#"400 {"type":"invalid_data","message":"Request already authenticated as a customer."}"#
        );
        assert_eq!(database.rows("select id from customer").await.len(), 1);
        server.stop().await;
    }

    /// `?fields=` shapes this answer too.
    async fn the_answer_shows_the_fields_that_are_named(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let token = server.register(EMAIL).await;
        let path = format!("{PATH}?fields=id,phone_verified");
        let created = server.post(&path, Some(&token), json!({"email": EMAIL, "phone": PHONE})).await;
        assert_eq!(told(&created), r#"200 {"customer":{"id":"<cus>","phone_verified":false}}"#);
        server.stop().await;
    }

    /// Nobody becomes a customer without having registered, and nothing half right is stored.
    async fn what_is_wrong_with_a_body_is_told_and_stores_nothing(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let token = server.register(EMAIL).await;
        let good = json!({"email": EMAIL, "phone": PHONE});
        assert_eq!(told(&server.post(PATH, None, good.clone()).await), OUT);
        assert_eq!(told(&server.post(PATH, Some("x"), good).await), OUT);
        for (body, expected) in [
            (json!({}), "Email is required to create a customer"),
            (json!({"email": null, "phone": PHONE}), "Email is required to create a customer"),
            (json!({"email": EMAIL}), "Phone is required to create a customer"),
            (json!({"email": "no e-mail", "phone": PHONE}), "Invalid request: Invalid email"),
            (json!({"email": EMAIL, "phone": "abc"}), "Invalid request: Invalid phone. Send it in the international form, such as +15551234567"),
            (json!({"email": "bob@example.com", "phone": PHONE}), "The email must be the one that was registered"),
            (json!({"email": EMAIL, "phone": 5}), "Invalid request: Expected type: 'string' for field 'phone', got: 'number'"),
            (json!({"email": EMAIL, "phone": PHONE, "metadata": []}), "Invalid request: Expected type: 'object' for field 'metadata', got: 'array'"),
            (json!({"email": EMAIL, "phone": PHONE, "email_verified": true}), "Invalid request: Unrecognized fields: 'email_verified'"),
            (json!({"email": EMAIL, "phone": PHONE, "id": "cus_1", "has_account": false}), "Invalid request: Unrecognized fields: 'id, has_account'"),
            (json!([]), "Invalid request: Expected type: 'object' for field '', got: 'array'"),
        ] {
            let answer = server.post(PATH, Some(&token), body.clone()).await;
            let expected = format!(r#"400 {{"type":"invalid_data","message":"{expected}"}}"#);
            assert_eq!(told(&answer), expected, "{body}");
        }
        assert!(database.rows("select id from customer").await.is_empty());
        server.stop().await;
    }

    /// A contact that somebody has proven is theirs; one that somebody only claims is not.
    async fn a_contact_that_another_account_has_is_taken(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let token = server.register("bob@example.com").await;
        let body = json!({"email": "bob@example.com", "phone": PHONE});
        prove(&server, &known.login, "phone_verification", PHONE).await;
        assert_eq!(
            told(&server.post(PATH, Some(&token), body.clone()).await),
            r#"422 {"code":"invalid_request_error","type":"duplicate_error","message":"Customer with this phone already has an account"}"#
        );
        let other = json!({"email": "bob@example.com", "phone": "+15557654321"});
        assert_eq!(server.post(PATH, Some(&token), other).await.status.as_u16(), 200);
        // An unproven number blocks nobody.
        let token = server.register("carol@example.com").await;
        let same = json!({"email": "carol@example.com", "phone": "+15557654321"});
        assert_eq!(server.post(PATH, Some(&token), same).await.status.as_u16(), 200);
        server.stop().await;
    }

    /// Where nothing is verified, the number that logs somebody in is taken.
    async fn without_verification_a_phone_that_logs_in_is_taken(database: TestDatabase) {
        let edit = ("[options.registration]", "[options.registration]\nrequire_verification = false");
        let (server, _) = stage(&database, &[edit]).await;
        server.customer(EMAIL, PHONE).await;
        let token = server.register("bob@example.com").await;
        assert_eq!(
            told(&server.post(PATH, Some(&token), json!({"email": "bob@example.com", "phone": PHONE})).await),
            r#"422 {"code":"invalid_request_error","type":"duplicate_error","message":"Customer with this phone already has an account"}"#
        );
        server.stop().await;
    }

    /// The shop decides which contacts a customer must have.
    async fn the_identifier_decides_what_is_needed(database: TestDatabase) {
        let (server, _) = stage(&database, &[("identifier = \"both\"", "identifier = \"phone\"")]).await;
        let registered = json!({"phone": PHONE, "password": PASSWORD});
        let token = server.post("/auth/customer/emailpass/register", None, registered).await.field("/token");
        for (body, expected) in [
            (json!({"email": EMAIL}), r#"400 {"type":"invalid_data","message":"Phone is required to create a customer"}"#),
            (json!({"phone": "+15557654321"}), r#"400 {"type":"invalid_data","message":"The phone must be the one that was registered"}"#),
        ] {
            assert_eq!(told(&server.post(PATH, Some(&token), body.clone()).await), expected, "{body}");
        }
        let created = server.post(PATH, Some(&token), json!({"phone": "001 555 123 4567"})).await;
        assert_eq!(created.json()["customer"]["phone"], PHONE, "{}", created.text);
        assert_eq!(created.json()["customer"]["email"], json!(null));
        server.stop().await;
    }

    /// With `autoSendOnRegistration` the codes are on their way already.
    async fn codes_go_out_at_once_where_the_shop_wants_it(database: TestDatabase) {
        let (server, _) = stage(&database, &[("resendThrottleSeconds = 0 }", "autoSendOnRegistration = true }")]).await;
        let token = server.register(EMAIL).await;
        let created = server.post(PATH, Some(&token), json!({"email": EMAIL, "phone": PHONE})).await;
        let verifications = created.json()["verifications"].to_string();
        assert_eq!(
            masked(&verifications),
            r#"[{"type":"email_verification","token":"<token>","expires_at":"2026-01-02T03:19:05.678Z"},{"type":"phone_verification","token":"<token>","expires_at":"2026-01-02T03:19:05.678Z"}]"#
        );
        for (at, contact, flag) in [(0, EMAIL, "email_verified"), (1, PHONE, "phone_verified")] {
            let otp = created.field(&format!("/verifications/{at}/token"));
            let code = server.code_to(contact).await;
            let verified = server.post("/store/customers/otp/verify", Some(&token), json!({"token": otp, "code": code})).await;
            assert_eq!(verified.json()[flag], json!(true), "{}", verified.text);
        }
        server.stop().await;
    }

    /// A used-up limit costs a message, not the sign-up.
    async fn a_limit_of_sends_does_not_undo_a_registration(database: TestDatabase) {
        let edits = [
            ("resendThrottleSeconds = 0 }", "autoSendOnRegistration = true }"),
            ("sendsPerAddress = \"off\"", "sendsPerAddress = \"1/1h\""),
        ];
        let (server, _) = stage(&database, &edits).await;
        let token = server.register(EMAIL).await;
        let created = server.post(PATH, Some(&token), json!({"email": EMAIL, "phone": PHONE})).await;
        assert_eq!(created.status.as_u16(), 200, "{}", created.text);
        assert_eq!(created.json()["verifications"].as_array().unwrap().len(), 1);
        server.stop().await;
    }

    /// A customer who is about to go is told so wherever they act as one.
    async fn an_account_that_is_about_to_go_creates_nothing(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        let answer = server.post(PATH, Some(&known.login), json!({"email": EMAIL, "phone": PHONE})).await;
        assert_eq!(
            told(&answer),
            r#"403 {"code":"account_deletion_pending","type":"not_allowed","message":"Account deletion is scheduled","deletion_scheduled_at":"2026-01-09T03:04:05.678Z"}"#
        );
        server.stop().await;
    }

    /// A well-signed token of an identity that never was.
    async fn an_identity_that_is_gone_makes_no_customer(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let claims = claims_of("customer", "", "authid_00000000000000000000000000");
        let token = cr_core::modules::auth::token::issue(&server.app.shared.keys, &claims);
        assert_eq!(told(&server.post(PATH, Some(&token), json!({"email": EMAIL, "phone": PHONE})).await), OUT);
        server.stop().await;
    }
}
