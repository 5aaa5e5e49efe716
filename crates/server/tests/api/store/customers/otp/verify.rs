//! `POST /store/customers/otp/verify`.

use serde_json::{Value, json};

use crate::stage::{EMAIL, PHONE, claims, prove, schedule_deletion, stage, told, verified};
use crate::support::{Answer, PASSWORD, TestServer};

const PATH: &str = "/store/customers/otp/verify";
const WRONG: &str = r#"400 {"type":"invalid_data","message":"Invalid OTP code"}"#;
const LOCKED: &str =
    r#"400 {"code":"otp_locked","type":"not_allowed","message":"Too many attempts. Request a new code."}"#;
const OVER: &str = r#"400 {"type":"invalid_data","message":"OTP is no longer valid"}"#;

/// Asks for a code: its token and the code itself.
async fn ask(server: &TestServer, bearer: Option<&str>, body: Value, contact: &str) -> (String, String) {
    server.clear_inbox();
    let sent = server.post("/store/customers/otp/send", bearer, body).await;
    (sent.field("/token"), server.code_to(contact).await)
}

/// Brings a code back.
async fn bring(server: &TestServer, bearer: Option<&str>, token: &str, code: &str) -> Answer {
    server.post(PATH, bearer, json!({"token": token, "code": code})).await
}

/// A code that is not the right one.
fn other_than(code: &str) -> &'static str {
    if code == "000000" { "111111" } else { "000000" }
}

cr_testkit::both! {
    /// With the registration token the customer is logged in and sees everything.
    async fn the_owner_is_logged_in_by_their_code(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        let by_email = prove(&server, &registration, "email_verification", EMAIL).await;
        assert_eq!(
            told(&by_email),
            r#"200 {"verified":true,"customer":{"id":"<cus>","email":"alice@example.com","company_name":null,"first_name":null,"last_name":null,"phone":"+15551234567","metadata":null,"has_account":true,"deleted_at":null,"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z","email_verified":true,"phone_verified":false,"addresses":[]},"email_verified":true,"token":"<token>","needs_login":false}"#
        );
        assert_eq!(claims(&by_email.field("/token"))["actor_id"], json!(id));
        let by_phone = prove(&server, &registration, "phone_verification", PHONE).await.json();
        assert_eq!((&by_phone["phone_verified"], &by_phone["needs_login"]), (&json!(true), &json!(false)));
        assert_eq!(by_phone.get("email_verified"), None);
        assert_eq!(claims(by_phone["token"].as_str().unwrap())["auth_provider"], "phonepass");
        server.stop().await;
    }

    /// A code alone opens no session and shows nothing but flags.
    async fn a_code_without_a_token_proves_and_no_more(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        server.customer(EMAIL, PHONE).await;
        let stranger = server.register("mallory@example.com").await;
        let (token, code) = ask(&server, None, json!({"type": "email_verification", "email": EMAIL}), EMAIL).await;
        let proven = bring(&server, Some(&stranger), &token, &code).await;
        assert_eq!(
            told(&proven),
            r#"200 {"verified":true,"customer":{"id":"<cus>","email_verified":true,"phone_verified":false},"email_verified":true,"token":null,"needs_login":true}"#
        );
        server.stop().await;
    }

    /// A channel that does not log in proves, but opens no session.
    async fn a_channel_without_login_needs_a_login(database: TestDatabase) {
        let (server, _) = stage(&database, &[("[options.login]\nidentifier = \"both\"", "[options.login]\nidentifier = \"email\"")]).await;
        let (registration, _) = server.customer(EMAIL, PHONE).await;
        let proven = prove(&server, &registration, "phone_verification", PHONE).await.json();
        assert_eq!((&proven["token"], &proven["needs_login"]), (&json!(null), &json!(true)));
        server.stop().await;
    }

    /// The body must be what it is.
    async fn a_body_needs_token_and_code(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        for (body, message) in [
            (json!({}), "Field 'token' is required; Field 'code' is required"),
            (json!({"token": "x"}), "Field 'code' is required"),
            (json!({"token": "x", "code": 123_456}), "Expected type: 'string' for field 'code', got: 'number'"),
            (json!({"token": "x", "code": "1", "email": EMAIL}), "Unrecognized fields: 'email'"),
        ] {
            let expected = format!(r#"400 {{"type":"invalid_data","message":"Invalid request: {message}"}}"#);
            assert_eq!(told(&server.post(PATH, None, body.clone()).await), expected, "{body}");
        }
        server.stop().await;
    }

    /// A guesser has five tries, and the right code is worth nothing after them.
    async fn a_code_is_locked_after_so_many_guesses(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        let body = json!({"type": "email_verification", "customer_id": id});
        let (token, code) = ask(&server, Some(&registration), body.clone(), EMAIL).await;
        for _ in 0..5 {
            assert_eq!(told(&bring(&server, Some(&registration), &token, other_than(&code)).await), WRONG);
        }
        for guess in [code.as_str(), other_than(&code)] {
            assert_eq!(told(&bring(&server, Some(&registration), &token, guess).await), LOCKED);
        }
        let (token, code) = ask(&server, Some(&registration), body, EMAIL).await;
        assert_eq!(bring(&server, Some(&registration), &token, &code).await.status.as_u16(), 200);
        server.stop().await;
    }

    /// The fifth guess may still be right, and blanks around a code are no mistake.
    async fn the_last_try_counts_and_codes_are_read_kindly(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        let body = json!({"type": "email_verification", "customer_id": id});
        let (token, code) = ask(&server, Some(&registration), body, EMAIL).await;
        for _ in 0..4 {
            assert_eq!(told(&bring(&server, None, &token, other_than(&code)).await), WRONG);
        }
        assert_eq!(bring(&server, None, &token, &format!(" {code} ")).await.status.as_u16(), 200);
        assert_eq!(told(&bring(&server, None, &token, &code).await), OVER);
        server.stop().await;
    }

    /// A code dies with its time, with the next one, and with its contact.
    async fn a_code_that_is_over_is_refused(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        let body = json!({"type": "email_verification", "customer_id": id});
        let (replaced, first) = ask(&server, Some(&registration), body.clone(), EMAIL).await;
        let (token, code) = ask(&server, Some(&registration), body.clone(), EMAIL).await;
        assert_eq!(told(&bring(&server, None, &replaced, &first).await), OVER);
        assert_eq!(told(&bring(&server, None, &replaced, &code).await), OVER);
        clock.advance_seconds(900);
        assert_eq!(
            told(&bring(&server, None, &token, &code).await),
            r#"400 {"type":"invalid_data","message":"OTP has expired"}"#
        );
        let (token, code) = ask(&server, Some(&registration), body.clone(), EMAIL).await;
        database.sql(&format!("update customer set email = 'other@example.com' where id = '{id}'")).await;
        assert_eq!(told(&bring(&server, None, &token, &code).await), OVER);
        server.stop().await;
    }

    /// A stranger's code does not replace the owner's, and the other way round.
    async fn origins_stay_apart(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        let (own, own_code) = ask(&server, Some(&registration), json!({"type": "email_verification", "customer_id": id}), EMAIL).await;
        let (foreign, foreign_code) = ask(&server, None, json!({"type": "email_verification", "customer_id": id}), EMAIL).await;
        for _ in 0..5 {
            bring(&server, None, &foreign, other_than(&foreign_code)).await;
        }
        assert_eq!(told(&bring(&server, None, &foreign, &foreign_code).await), LOCKED);
        assert_eq!(bring(&server, Some(&registration), &own, &own_code).await.status.as_u16(), 200);
        server.stop().await;
    }

    /// Forged and foreign tokens say nothing about any code.
    async fn a_token_that_is_none_is_refused(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let decoy = server
            .post("/store/customers/otp/send", None, json!({"type": "email_verification", "email": "nobody@example.com"}))
            .await
            .field("/token");
        let forged = format!("{}x", decoy.trim_end_matches(|last: char| last.is_ascii_alphanumeric()));
        for token in ["", "x", "a.b.c", forged.as_str(), known.login.as_str(), known.registration.as_str()] {
            assert_eq!(
                told(&bring(&server, None, token, "123456").await),
                r#"401 {"type":"unauthorized","message":"Invalid or expired token"}"#,
                "{token}"
            );
        }
        assert_eq!(told(&bring(&server, None, &decoy, "123456").await), WRONG, "a decoy looks like any other");
        for _ in 0..4 {
            bring(&server, None, &decoy, "123456").await;
        }
        assert_eq!(told(&bring(&server, None, &decoy, "123456").await), LOCKED);
        server.stop().await;
    }

    /// A phone that only stands in an account with a proven e-mail is verified by its owner alone.
    async fn a_strangers_code_adds_nothing_to_a_proven_account(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let body = json!({"type": "phone_verification", "customer_id": known.id});
        let (token, code) = ask(&server, None, body, PHONE).await;
        assert_eq!(
            told(&bring(&server, None, &token, &code).await),
            r#"400 {"type":"not_allowed","message":"Log in to verify this contact"}"#
        );
        server.stop().await;
    }

    /// Whoever is about to go is told so first, whatever the body says, and no code is used up; a token that counts no more is nobody's.
    async fn an_account_that_is_about_to_go_is_told_so(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let (bob, bobs_id) = server.customer("bob@example.com", "+15557654321").await;
        let body = json!({"type": "phone_verification", "customer_id": known.id});
        let (own, own_code) = ask(&server, Some(&known.login), body, PHONE).await;
        let body = json!({"type": "email_verification", "customer_id": bobs_id});
        let (bobs, bobs_code) = ask(&server, Some(&bob), body, "bob@example.com").await;
        schedule_deletion(&database, &known.id).await;
        for body in [
            json!({}),
            json!({"token": "x", "code": "1"}),
            json!({"token": own, "code": other_than(&own_code)}),
            json!({"token": own, "code": own_code}),
            json!({"token": bobs, "code": bobs_code}),
        ] {
            let answer = server.post(PATH, Some(&known.login), body.clone()).await;
            assert_eq!((answer.status.as_u16(), answer.field("/code").as_str()), (403, "account_deletion_pending"), "{body}");
        }
        let ended = json!({"customer_id": known.id, "cr_not_before": 99_999_999_999_i64});
        let identity = claims(&known.login)["auth_identity_id"].as_str().unwrap().to_owned();
        database.sql(&format!("update auth_identity set app_metadata = '{ended}' where id = '{identity}'")).await;
        for (otp, code) in [(bobs, bobs_code), (own, own_code)] {
            let proven = bring(&server, Some(&known.login), &otp, &code).await;
            assert_eq!(proven.status.as_u16(), 200, "{}", proven.text);
            let body = proven.json();
            assert_eq!((&body["token"], &body["customer"]["email"]), (&json!(null), &json!(null)), "{body}");
        }
        server.stop().await;
    }

    /// Proof wins: whoever receives the code has the number, whoever only claimed it has not.
    async fn a_number_belongs_to_whoever_proves_it_first(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let (alice, _) = server.customer(EMAIL, PHONE).await;
        let (bob, bobs_id) = server.customer("bob@example.com", PHONE).await;
        let body = json!({"type": "phone_verification", "customer_id": bobs_id});
        let (token, code) = ask(&server, Some(&bob), body, PHONE).await;
        assert_eq!(prove(&server, &alice, "phone_verification", PHONE).await.status.as_u16(), 200);
        assert_eq!(
            told(&bring(&server, Some(&bob), &token, &code).await),
            r#"422 {"code":"invalid_request_error","type":"duplicate_error","message":"Customer with this phone already has an account"}"#
        );
        let login = json!({"phone": PHONE, "password": PASSWORD});
        let token = server.post("/auth/customer/phonepass", None, login).await.field("/token");
        let me = server.get("/store/customers/me", Some(&token)).await;
        assert_eq!(me.field("/customer/email"), EMAIL);
        server.stop().await;
    }

    /// Letters in any case are the same code.
    async fn an_alphanumeric_code_is_compared_without_case(database: TestDatabase) {
        let (server, _) = stage(&database, &[("[options.registration]", "otpCharset = \"alphanumeric\"\notpLength = 8\n\n[options.registration]")]).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        let sent = server
            .post("/store/customers/otp/send", Some(&registration), json!({"type": "email_verification", "customer_id": id}))
            .await;
        let code = server.code_to(EMAIL).await;
        assert_eq!(code.len(), 8);
        let answer = bring(&server, None, &sent.field("/token"), &code.to_lowercase()).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        server.stop().await;
    }
}
