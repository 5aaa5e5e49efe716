//! `…/register`.

use http::Method;
use serde_json::json;

use crate::stage::{EMAIL, PHONE, good_login, login, request, stage, told, verified};
use crate::support::PASSWORD;

const DOOR: &str = "/auth/customer/emailpass/register";
const TOKEN: &str = r#"200 {"token":"<token>"}"#;
const NO_PASSWORD: &str = r#"401 {"type":"unauthorized","message":"Password should be a string"}"#;
const NO_EMAIL: &str = r#"401 {"type":"unauthorized","message":"Email should be a string"}"#;
const BAD_EMAIL: &str = r#"400 {"type":"invalid_data","message":"Invalid request: Invalid email"}"#;

cr_testkit::both! {
    /// Whoever cannot register must learn why.
    async fn a_registration_needs_an_email_and_a_password_that_pass(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let long = "x".repeat(129);
        for (body, expected) in [
            (json!({}), NO_PASSWORD),
            (json!({"email": EMAIL, "password": 1}), NO_PASSWORD),
            (json!({"password": PASSWORD}), NO_EMAIL),
            (json!({"password": PASSWORD, "email": ["a@b.co"]}), NO_EMAIL),
            (json!({"password": PASSWORD, "phone": PHONE}), NO_EMAIL),
            (json!({"password": PASSWORD, "email": "no e-mail"}), BAD_EMAIL),
            (json!({"password": "Short1!", "email": EMAIL}), r#"400 {"type":"invalid_data","message":"Password must be at least 8 bytes long"}"#),
            (json!({"password": long, "email": EMAIL}), r#"400 {"type":"invalid_data","message":"Password must be at most 128 bytes long"}"#),
            (json!({"password": "password123", "email": EMAIL}), r#"400 {"type":"invalid_data","message":"Password is too common"}"#),
            (json!({"password": PASSWORD, "email": EMAIL, "more": true}), TOKEN),
        ] {
            assert_eq!(told(&server.post(DOOR, None, body.clone()).await), expected, "{body}");
        }
        // Credentials of a registration never come from the query string.
        let query = format!("{DOOR}?email=bob%40example.com&password=Tr0ub4dor%263x");
        assert_eq!(told(&server.post(&query, None, json!({})).await), NO_PASSWORD);
        // No actor word is a way around what registrations take.
        for actor in ["customer", "user", "x"] {
            let door = format!("/auth/{actor}/phonepass/register");
            assert_eq!(
                told(&server.post(&door, None, json!({"phone": PHONE, "password": PASSWORD})).await),
                r#"400 {"type":"not_allowed","message":"Phone registration is not enabled"}"#,
                "{actor}"
            );
        }
        server.stop().await;
    }

    /// A long phrase is worth its length: nothing of it is cut off, trimmed or folded.
    async fn a_password_counts_whole_and_as_it_was_typed(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let password = format!(" Ä{}z ", "b".repeat(123));
        assert_eq!(password.len(), 128, "the longest that is taken");
        let registered = server.post(DOOR, None, json!({"email": EMAIL, "password": password})).await;
        assert_eq!(told(&registered), TOKEN);
        let (folded, longer) = (password.to_lowercase(), format!("{password}b"));
        for other in [password.trim(), &password[..127], &password[1..], folded.as_str(), longer.as_str()] {
            assert_eq!(login(&server, EMAIL, other).await.status.as_u16(), 401, "{other:?}");
        }
        assert_eq!(told(&login(&server, EMAIL, &password).await), TOKEN);
        server.stop().await;
    }

    /// Nobody registers over an account, and an unfinished attempt blocks nobody.
    async fn only_an_unclaimed_identity_is_made_anew(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let first = server.register(EMAIL).await;
        let second = server.register("ALICE@Example.com").await;
        let body = json!({"email": EMAIL, "phone": PHONE});
        assert_eq!(
            told(&server.post("/store/customers", Some(&first), body.clone()).await),
            r#"401 {"message":"Unauthorized"}"#
        );
        assert_eq!(server.post("/store/customers", Some(&second), body).await.status.as_u16(), 200);
        for actor in ["customer", "user"] {
            let again = server
                .post(&format!("/auth/{actor}/emailpass/register"), None, json!({"email": "Alice@example.com", "password": "An0ther-one"}))
                .await;
            assert_eq!(told(&again), r#"401 {"type":"unauthorized","message":"Identity with email already exists"}"#, "{actor}");
        }
        assert_eq!(good_login(&server).await.field("/code"), "verification_required");
        server.stop().await;
    }

    /// A shop that registers phones takes them at both doors, and no e-mail.
    async fn phones_register_where_the_shop_says_so(database: TestDatabase) {
        let (server, _) = stage(&database, &[("identifier = \"both\"", "identifier = \"phone\"")]).await;
        let no_phone = r#"401 {"type":"unauthorized","message":"Phone should be a string"}"#;
        for door in [DOOR, "/auth/customer/phonepass/register"] {
            for (body, expected) in [
                (json!({"password": PASSWORD, "email": EMAIL}), no_phone),
                (json!({"password": PASSWORD, "phone": "12"}), r#"400 {"type":"invalid_data","message":"Invalid request: Invalid phone. Send it in the international form, such as +15551234567"}"#),
                (json!({"password": PASSWORD, "phone": PHONE}), TOKEN),
            ] {
                assert_eq!(told(&server.post(door, None, body.clone()).await), expected, "{door} {body}");
            }
        }
        let token = server.post(DOOR, None, json!({"password": PASSWORD, "phone": "+1 555 123 4567"})).await.field("/token");
        assert_eq!(server.post("/store/customers", Some(&token), json!({"phone": PHONE})).await.status.as_u16(), 200);
        assert_eq!(
            told(&server.post(DOOR, None, json!({"password": PASSWORD, "phone": PHONE})).await),
            r#"401 {"type":"unauthorized","message":"Identity with phone already exists"}"#
        );
        server.stop().await;
    }

    /// A shop of e-mails alone makes customers without a phone.
    async fn emails_register_alone_where_the_shop_says_so(database: TestDatabase) {
        let (server, _) = stage(&database, &[("identifier = \"both\"", "identifier = \"email\"")]).await;
        let token = server.register(EMAIL).await;
        assert_eq!(server.post("/store/customers", Some(&token), json!({"email": EMAIL})).await.status.as_u16(), 200);
        server.stop().await;
    }

    /// A machine that makes accounts by the thousand is stopped by its address.
    async fn an_address_registers_so_often_and_no_more(database: TestDatabase) {
        let edits = [
            ("registrationsPerAddress = \"off\"", "registrationsPerAddress = \"2/1h\""),
            ("trustProxy = []", "trustProxy = [\"loopback\"]"),
        ];
        let (server, clock) = stage(&database, &edits).await;
        let register = async |number: u32, forwarded: &str| {
            let body = json!({"email": format!("a{number}@example.com"), "password": PASSWORD});
            server.raw(request(Method::POST, DOOR, &[("x-forwarded-for", forwarded)], Some(body))).await
        };
        assert_eq!(told(&register(1, "203.0.113.7").await), TOKEN);
        // What stands left of the last untrusted hop is the client's own invention.
        assert_eq!(told(&register(2, "1.2.3.4, 203.0.113.7, 127.0.0.1").await), TOKEN);
        let refused = register(3, "203.0.113.7").await;
        assert_eq!(told(&refused), r#"429 {"type":"too_many_requests","message":"Too many requests. Try again in 3600 seconds"}"#);
        assert_eq!(refused.headers["retry-after"], "3600");
        assert_eq!(told(&register(4, "203.0.113.8").await), TOKEN);
        clock.advance_seconds(3600);
        assert_eq!(told(&register(3, "203.0.113.7").await), TOKEN);
        server.stop().await;
    }

    /// Where no proxy is trusted, the header is nothing but a wish.
    async fn a_forwarded_address_of_a_stranger_is_not_believed(database: TestDatabase) {
        let (server, _) = stage(&database, &[("registrationsPerAddress = \"off\"", "registrationsPerAddress = \"1/1h\"")]).await;
        for (forwarded, status) in [("203.0.113.1", 200), ("203.0.113.2", 429)] {
            let body = json!({"email": EMAIL, "password": PASSWORD});
            let answer = server.raw(request(Method::POST, DOOR, &[("x-forwarded-for", forwarded)], Some(body))).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        }
        server.stop().await;
    }

    /// An account is there to stay, however its owner proved it.
    async fn a_proven_account_cannot_be_registered_over(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        verified(&server).await;
        let again = server.post(DOOR, None, json!({"email": EMAIL, "password": PASSWORD})).await;
        assert_eq!(told(&again), r#"401 {"type":"unauthorized","message":"Identity with email already exists"}"#);
        assert_eq!(told(&good_login(&server).await), TOKEN);
        server.stop().await;
    }
}
