//! `POST` and `GET /auth/{actor_type}/{auth_provider}`.

use http::Method;
use serde_json::{Value, json};

use crate::stage::{
    EMAIL, PHONE, claims, good_login, login, masked, prove, request, schedule_deletion, stage, told, verified,
};
use crate::support::{PASSWORD, TestServer};

mod callback;
mod register;
mod reset_password;
mod update;

const DOOR: &str = "/auth/customer/emailpass";
const UNKNOWN_EMAIL: &str = r#"401 {"type":"unauthorized","message":"Invalid email or password"}"#;
const UNKNOWN_PHONE: &str = r#"401 {"type":"unauthorized","message":"Invalid phone or password"}"#;
const SEVERAL: &str = r#"400 {"type":"invalid_data","message":"Provide exactly one of: email, phone, email_or_phone"}"#;
const NO_PASSWORD: &str = r#"401 {"type":"unauthorized","message":"Password should be a string"}"#;
const TOKEN: &str = r#"200 {"token":"<token>"}"#;

cr_testkit::both! {
    /// A client must be able to tell its own mistake from a wrong password.
    async fn the_first_thing_that_is_wrong_answers(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        verified(&server).await;
        let missing = r#"401 {"type":"unauthorized","message":"Email or phone should be a string"}"#;
        for (body, expected) in [
            (json!({}), NO_PASSWORD),
            (json!([]), NO_PASSWORD),
            (json!({"email": EMAIL}), NO_PASSWORD),
            (json!({"email": EMAIL, "password": 5}), NO_PASSWORD),
            (json!({"email": EMAIL, "password": null}), NO_PASSWORD),
            (json!({"password": PASSWORD}), missing),
            (json!({"password": PASSWORD, "email": 5}), missing),
            (json!({"password": PASSWORD, "email": null}), missing),
            (json!({"password": PASSWORD, "email": EMAIL, "phone": PHONE}), SEVERAL),
            (json!({"password": PASSWORD, "email": EMAIL, "email_or_phone": EMAIL}), SEVERAL),
            (json!({"password": PASSWORD, "phone": PHONE, "email_or_phone": EMAIL}), SEVERAL),
            (json!({"password": "wrong", "email": EMAIL}), UNKNOWN_EMAIL),
            (json!({"password": PASSWORD, "email": "nobody@example.com"}), UNKNOWN_EMAIL),
            (json!({"password": PASSWORD, "email": "no e-mail"}), UNKNOWN_EMAIL),
            (json!({"password": PASSWORD, "email_or_phone": "nobody@example.com"}), UNKNOWN_EMAIL),
            (json!({"password": PASSWORD, "email_or_phone": "+15559999999"}), UNKNOWN_PHONE),
            (json!({"password": PASSWORD, "phone": "+15559999999"}), UNKNOWN_PHONE),
            (json!({"password": PASSWORD, "phone": "letters"}), UNKNOWN_PHONE),
            // Unproven: the number logs nobody in yet.
            (json!({"password": PASSWORD, "phone": PHONE}), UNKNOWN_PHONE),
            (json!({"password": PASSWORD, "email": EMAIL}), TOKEN),
            (json!({"password": PASSWORD, "email": " ALICE@example.com "}), TOKEN),
            (json!({"password": PASSWORD, "email_or_phone": EMAIL}), TOKEN),
            (json!({"password": PASSWORD, "email": EMAIL, "unknown": [1]}), TOKEN),
        ] {
            assert_eq!(told(&server.post(DOOR, None, body.clone()).await), expected, "{body}");
        }
        server.stop().await;
    }

    /// Medusa's clients log in by `GET` too, and some servers pass credentials on in the query string.
    async fn what_the_body_lacks_comes_from_the_query_string(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        verified(&server).await;
        let whole = format!("{DOOR}?email=alice%40example.com&password=Tr0ub4dor%263x");
        let wrong = format!("{DOOR}?email=alice%40example.com&password=wrong");
        let password_only = format!("{DOOR}?password=Tr0ub4dor%263x");
        for (method, path, body, expected) in [
            (Method::GET, whole.as_str(), None, TOKEN),
            (Method::POST, whole.as_str(), None, TOKEN),
            (Method::GET, wrong.as_str(), None, UNKNOWN_EMAIL),
            (Method::GET, DOOR, None, NO_PASSWORD),
            (Method::GET, DOOR, Some(json!({"email": EMAIL, "password": PASSWORD})), TOKEN),
            (Method::POST, wrong.as_str(), Some(json!({"password": PASSWORD})), TOKEN),
            (Method::POST, whole.as_str(), Some(json!({"password": "wrong"})), UNKNOWN_EMAIL),
            (Method::POST, password_only.as_str(), Some(json!({"email": EMAIL})), TOKEN),
            (Method::POST, whole.as_str(), Some(json!({"phone": PHONE})), SEVERAL),
        ] {
            let answer = server.send(method.clone(), path, None, body.clone()).await;
            assert_eq!(told(&answer), expected, "{method} {path} {body:?}");
        }
        server.stop().await;
    }

    /// A form is a body too.
    async fn a_form_logs_in_as_json_does(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        verified(&server).await;
        let form = http::Request::post(DOOR)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(axum::body::Body::from("email=alice%40example.com&password=Tr0ub4dor%263x"))
            .unwrap();
        assert_eq!(told(&server.raw(form).await), TOKEN);
        server.stop().await;
    }

    /// Medusa's own backend reads these claims.
    async fn a_login_token_has_medusas_claims(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let pending = server.register(EMAIL).await;
        let actorless = r#"{"actor_id":"","actor_type":"customer","auth_identity_id":"<authid>","auth_provider":"emailpass","mfa_enabled":false,"mfa_challenge_completed_at":null,"app_metadata":{},"user_metadata":{},"iat":1767323045,"exp":1767409445}"#;
        assert_eq!(masked(&claims(&pending).to_string()), actorless);
        // Not a customer yet: the right password opens what registration opened.
        assert_eq!(masked(&claims(&good_login(&server).await.field("/token")).to_string()), actorless);
        let body = json!({"email": EMAIL, "phone": PHONE});
        assert_eq!(server.post("/store/customers", Some(&pending), body).await.status.as_u16(), 200);
        let proven = prove(&server, &pending, "email_verification", EMAIL).await.field("/token");
        let whole = r#"{"actor_id":"<cus>","actor_type":"customer","auth_identity_id":"<authid>","auth_provider":"emailpass","mfa_enabled":false,"mfa_challenge_completed_at":null,"app_metadata":{"customer_id":"<cus>"},"user_metadata":{},"iat":1767323045,"exp":1767409445}"#;
        assert_eq!(masked(&claims(&proven).to_string()), whole);
        assert_eq!(masked(&claims(&good_login(&server).await.field("/token")).to_string()), whole);
        server.stop().await;
    }

    /// Only whoever knows the password learns what state the account is in.
    async fn an_accounts_state_is_told_after_its_password(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let (_, id) = server.customer(EMAIL, PHONE).await;
        assert_eq!(told(&login(&server, EMAIL, "wrong").await), UNKNOWN_EMAIL);
        let unverified = good_login(&server).await;
        assert_eq!(
            told(&unverified),
            r#"401 {"code":"verification_required","type":"unauthorized","message":"Email is not verified","customer_id":"<cus>","unverified":"email","token":"<token>"}"#
        );
        assert_eq!(unverified.field("/customer_id"), id);
        let token = unverified.field("/token");
        assert_eq!(claims(&token)["actor_id"], "");
        // It acts as the identity's own, and opens nothing else.
        assert_eq!(told(&server.get("/store/customers/me", Some(&token)).await), r#"401 {"message":"Unauthorized"}"#);

        schedule_deletion(&database, &id).await;
        assert_eq!(told(&login(&server, EMAIL, "wrong").await), UNKNOWN_EMAIL);
        assert_eq!(
            told(&good_login(&server).await),
            r#"403 {"code":"account_deletion_pending","type":"not_allowed","message":"Account deletion is scheduled","deletion_scheduled_at":"2026-01-09T03:04:05.678Z"}"#
        );
        server.stop().await;
    }

    /// The token that a refused login hands out is what the verification goes on with.
    async fn the_token_of_a_refused_login_verifies_and_logs_in(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        server.customer(EMAIL, PHONE).await;
        let token = good_login(&server).await.field("/token");
        let verified = prove(&server, &token, "email_verification", EMAIL).await;
        assert_eq!((verified.status.as_u16(), &verified.json()["needs_login"]), (200, &json!(false)));
        assert_eq!(told(&good_login(&server).await), TOKEN);
        server.stop().await;
    }

    /// Where verification is not asked, both contacts log in from the start.
    async fn without_verification_a_new_customer_logs_in_at_once(database: TestDatabase) {
        let edit = ("[options.registration]", "[options.registration]\nrequire_verification = false");
        let (server, _) = stage(&database, &[edit]).await;
        server.customer(EMAIL, PHONE).await;
        assert_eq!(told(&good_login(&server).await), TOKEN);
        assert_eq!(told(&server.post(DOOR, None, json!({"phone": PHONE, "password": PASSWORD})).await), TOKEN);
        server.stop().await;
    }

    /// The shop decides which contact logs in, at every door.
    async fn a_channel_that_logins_do_not_take_is_refused(database: TestDatabase) {
        const NO_PHONE: &str = r#"400 {"type":"not_allowed","message":"Phone login is not enabled"}"#;
        let (server, _) = stage(&database, &[("[options.login]\nidentifier = \"both\"", "[options.login]\nidentifier = \"email\"")]).await;
        verified(&server).await;
        for (door, body, expected) in [
            (DOOR, json!({"phone": PHONE}), NO_PHONE),
            (DOOR, json!({"email_or_phone": PHONE}), NO_PHONE),
            ("/auth/customer/phonepass", json!({"phone": PHONE}), NO_PHONE),
            (DOOR, json!({}), r#"401 {"type":"unauthorized","message":"Email should be a string"}"#),
            (DOOR, json!({"email_or_phone": EMAIL}), TOKEN),
            ("/auth/customer/phonepass", json!({"email": EMAIL}), TOKEN),
        ] {
            let mut whole = body.clone();
            whole["password"] = json!(PASSWORD);
            assert_eq!(told(&server.post(door, None, whole).await), expected, "{door} {body}");
        }
        server.stop().await;
    }

    /// The same with phones alone.
    async fn a_shop_may_log_in_by_phone_alone(database: TestDatabase) {
        let (server, _) = stage(&database, &[("identifier = \"both\"", "identifier = \"phone\"")]).await;
        let body = json!({"phone": PHONE, "password": PASSWORD});
        let token = server.post("/auth/customer/phonepass/register", None, body.clone()).await.field("/token");
        assert_eq!(told(&server.post(DOOR, None, json!({"email": EMAIL, "password": PASSWORD})).await),
            r#"400 {"type":"not_allowed","message":"Email login is not enabled"}"#);
        assert_eq!(told(&server.post(DOOR, None, json!({"password": PASSWORD})).await),
            r#"401 {"type":"unauthorized","message":"Phone should be a string"}"#);
        let created = server.post("/store/customers", Some(&token), json!({"phone": PHONE})).await;
        assert_eq!(created.status.as_u16(), 200, "{}", created.text);
        assert_eq!(
            told(&server.post(DOOR, None, body.clone()).await),
            r#"401 {"code":"verification_required","type":"unauthorized","message":"Phone is not verified","customer_id":"<cus>","unverified":"phone","token":"<token>"}"#
        );
        prove(&server, &token, "phone_verification", PHONE).await;
        for written in [PHONE, "+1 (555) 123-4567", "001.555.123.4567"] {
            let body = json!({"phone": written, "password": PASSWORD});
            assert_eq!(told(&server.post("/auth/customer/phonepass", None, body).await), TOKEN, "{written}");
        }
        server.stop().await;
    }

    /// A guest who ordered with this e-mail has no account, and an identity of another actor is no customer.
    async fn other_actors_get_tokens_of_their_own(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        verified(&server).await;
        let body = json!({"email": EMAIL, "password": PASSWORD});
        let as_user = server.post("/auth/user/emailpass", None, body.clone()).await;
        let said = claims(&as_user.field("/token"));
        assert_eq!((&said["actor_type"], &said["actor_id"]), (&json!("user"), &json!("")));
        assert_eq!(
            told(&server.post("/auth/user/emailpass", None, json!({"password": PASSWORD})).await),
            r#"401 {"type":"unauthorized","message":"Email should be a string"}"#
        );
        assert_eq!(
            told(&server.post("/auth/customer/google", None, body).await),
            r#"401 {"type":"unauthorized","message":"\nUnable to retrieve the auth provider with id: google\nPlease make sure that the provider is registered in the container and it is configured correctly in your project configuration file."}"#
        );
        server.stop().await;
    }

    /// The operator may close a door for an actor.
    async fn a_provider_that_the_actor_may_not_use_is_refused(database: TestDatabase) {
        let edit = ("trustProxy = []", "trustProxy = []\nauthMethodsPerActor = { customer = [\"phonepass\"] }");
        let (server, _) = stage(&database, &[edit]).await;
        let expected = r#"400 {"type":"not_allowed","message":"The actor type customer is not allowed to use the auth provider emailpass"}"#;
        for path in ["", "/register", "/reset-password", "/update", "/callback"] {
            assert_eq!(told(&server.post(&format!("{DOOR}{path}"), None, json!({})).await), expected, "{path}");
        }
        server.stop().await;
    }

    /// Nobody is made to change a password that is not known to be lost.
    async fn a_password_does_not_age(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        verified(&server).await;
        clock.advance_seconds(10 * 365 * 86_400);
        assert_eq!(told(&good_login(&server).await), TOKEN);
        server.stop().await;
    }

    /// Guessing gets slower and slower, and the right password is not even looked at meanwhile.
    async fn too_many_failures_delay_the_next_login(database: TestDatabase) {
        let (server, clock) = stage(&database, &[("loginFailures = \"off\"", "loginFailures = \"3/24h\"")]).await;
        verified(&server).await;
        clock.advance_seconds(1);
        for _ in 0..3 {
            assert_eq!(told(&login(&server, EMAIL, "wrong").await), UNKNOWN_EMAIL);
        }
        for seconds in [1, 2, 4, 8] {
            let refused = good_login(&server).await;
            assert_eq!(
                told(&refused),
                format!(r#"429 {{"type":"too_many_requests","message":"Too many requests. Try again in {seconds} seconds"}}"#)
            );
            assert_eq!(refused.headers["retry-after"], seconds.to_string().as_str());
            clock.advance_seconds(seconds);
            assert_eq!(told(&login(&server, EMAIL, "wrong").await), UNKNOWN_EMAIL);
        }
        clock.advance_seconds(16);
        assert_eq!(told(&good_login(&server).await), TOKEN);
        // A good login forgets them all.
        assert_eq!(told(&login(&server, EMAIL, "wrong").await), UNKNOWN_EMAIL);
        assert_eq!(told(&good_login(&server).await), TOKEN);
        // Somebody who does not exist is delayed alike.
        for _ in 0..3 {
            assert_eq!(told(&login(&server, "nobody@example.com", "wrong").await), UNKNOWN_EMAIL);
        }
        assert_eq!(login(&server, "nobody@example.com", "wrong").await.status.as_u16(), 429);
        server.stop().await;
    }

    /// Whoever guesses from elsewhere must not lock the owner out of the browser they always use, for 30 days.
    async fn an_address_that_logged_in_before_is_spared(database: TestDatabase) {
        let edits = [("loginFailures = \"off\"", "loginFailures = \"2/24h\""), ("trustProxy = []", "trustProxy = [\"loopback\"]")];
        let (server, clock) = stage(&database, &edits).await;
        verified(&server).await;
        assert_eq!(told(&from(&server, "203.0.113.1", PASSWORD).await), TOKEN);
        let lock = async || {
            for _ in 0..2 {
                assert_eq!(told(&from(&server, "198.51.100.9", "wrong").await), UNKNOWN_EMAIL);
            }
            assert_eq!(from(&server, "198.51.100.9", PASSWORD).await.status.as_u16(), 429);
        };
        lock().await;
        assert_eq!(told(&from(&server, "203.0.113.1", PASSWORD).await), TOKEN);
        clock.advance_seconds(30 * 24 * 3600 - 1);
        lock().await;
        assert_eq!(told(&from(&server, "203.0.113.1", "wrong").await), UNKNOWN_EMAIL);
        clock.advance_seconds(1);
        for _ in 0..2 {
            from(&server, "198.51.100.9", "wrong").await;
        }
        assert_eq!(from(&server, "203.0.113.1", PASSWORD).await.status.as_u16(), 429);
        server.stop().await;
    }

    /// One address that tries many accounts is stopped, others are not.
    async fn failures_are_counted_by_address_too(database: TestDatabase) {
        let edits = [
            ("loginFailuresPerAddress = \"off\"", "loginFailuresPerAddress = \"2/5m\""),
            ("trustProxy = []", "trustProxy = [\"loopback\"]"),
        ];
        let (server, clock) = stage(&database, &edits).await;
        verified(&server).await;
        for address in ["2001:db8::1", "2001:db8::2"] {
            assert_eq!(told(&from(&server, address, "wrong").await), UNKNOWN_EMAIL);
        }
        let refused = from(&server, "2001:db8::3", PASSWORD).await;
        assert_eq!(told(&refused), r#"429 {"type":"too_many_requests","message":"Too many requests. Try again in 300 seconds"}"#);
        assert_eq!(told(&from(&server, "2001:db8:0:1::1", PASSWORD).await), TOKEN);
        // A trusted peer that names nobody has no address limit.
        assert_eq!(told(&good_login(&server).await), TOKEN);
        clock.advance_seconds(300);
        assert_eq!(told(&from(&server, "2001:db8::3", PASSWORD).await), TOKEN);
        server.stop().await;
    }
}

/// A login through a proxy that names the client.
async fn from(server: &TestServer, address: &str, password: &str) -> crate::support::Answer {
    let body: Value = json!({"email": EMAIL, "password": password});
    server.raw(request(Method::POST, DOOR, &[("x-forwarded-for", address)], Some(body))).await
}
