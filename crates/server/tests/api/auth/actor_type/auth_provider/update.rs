//! `…/update`: the end of a reset.

use serde_json::json;

use crate::stage::{
    EMAIL, PHONE, claims_of, good_login, login, prove, reset_token, schedule_deletion, stage, told, verified,
};
use crate::support::PASSWORD;

const DOOR: &str = "/auth/customer/emailpass/update";
const NEW: &str = "N3w-and-better";
const INVALID: &str = r#"401 {"type":"unauthorized","message":"Invalid token"}"#;
const DONE: &str = r#"200 {"message":"Password reset successfully","success":true}"#;

cr_testkit::both! {
    /// The link works once, and what it sets is the password from then on.
    async fn a_link_sets_the_password_once(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        verified(&server).await;
        let token = reset_token(&server, "email", EMAIL).await;
        let body = json!({"email": EMAIL, "password": NEW});
        assert_eq!(told(&server.post(DOOR, Some(&token), body.clone()).await), DONE);
        assert_eq!(told(&server.post(DOOR, Some(&token), body).await), INVALID);
        assert_eq!(good_login(&server).await.status.as_u16(), 401);
        assert_eq!(login(&server, EMAIL, NEW).await.status.as_u16(), 200);
        server.stop().await;
    }

    /// Whoever finds an old mail finds nothing.
    async fn only_the_newest_link_counts_and_for_fifteen_minutes(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        verified(&server).await;
        let old = reset_token(&server, "email", EMAIL).await;
        let new = reset_token(&server, "email", EMAIL).await;
        let body = json!({"email": EMAIL, "password": NEW});
        assert_eq!(told(&server.post(DOOR, Some(&old), body.clone()).await), INVALID);
        clock.advance_seconds(900);
        assert_eq!(told(&server.post(DOOR, Some(&new), body.clone()).await), INVALID);
        let newest = reset_token(&server, "email", EMAIL).await;
        clock.advance_seconds(899);
        assert_eq!(told(&server.post(DOOR, Some(&newest), body).await), DONE);
        server.stop().await;
    }

    /// A token must be the account's own, of this door, and agree with the look-up.
    async fn a_token_that_does_not_fit_is_refused(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        server.customer("bob@example.com", "+15557654321").await;
        prove(&server, &known.login, "phone_verification", PHONE).await;
        let bobs = reset_token(&server, "email", "bob@example.com").await;
        let by_email = reset_token(&server, "identifier", EMAIL).await;
        let body = |key: &str, value: &str| json!({key: value, "password": NEW});
        for (name, door, token, body) in [
            ("none", DOOR, None, body("email", EMAIL)),
            ("garbage", DOOR, Some("x.y.z"), body("email", EMAIL)),
            ("a login", DOOR, Some(known.login.as_str()), body("email", EMAIL)),
            ("a registration", DOOR, Some(known.registration.as_str()), body("email", EMAIL)),
            ("somebody else's", DOOR, Some(bobs.as_str()), body("email", EMAIL)),
            ("the other contact", DOOR, Some(by_email.as_str()), body("phone", PHONE)),
            ("another actor", "/auth/user/emailpass/update", Some(by_email.as_str()), body("email", EMAIL)),
            ("the other door", "/auth/customer/phonepass/update", Some(by_email.as_str()), body("identifier", EMAIL)),
        ] {
            assert_eq!(told(&server.post(door, token, body).await), INVALID, "{name}");
        }
        // None of that used it up.
        assert_eq!(told(&server.post(DOOR, Some(&by_email), body("email_or_phone", EMAIL)).await), DONE);
        server.stop().await;
    }

    /// A good link with a bad body may be used again with a good one.
    async fn what_is_wrong_besides_the_token_is_told(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        verified(&server).await;
        let token = reset_token(&server, "email", EMAIL).await;
        let one = r#"400 {"type":"invalid_data","message":"Provide exactly one of: identifier, email, phone, email_or_phone"}"#;
        for (body, expected) in [
            (json!({"email": EMAIL}), r#"401 {"type":"unauthorized","message":"Unauthorized"}"#),
            (json!({"password": NEW}), one),
            (json!({"password": NEW, "email": EMAIL, "identifier": EMAIL}), one),
            (json!({"password": NEW, "email": EMAIL, "more": 1}), r#"400 {"type":"invalid_data","message":"Invalid request: Unrecognized fields: 'more'"}"#),
            (json!({"password": "short", "email": EMAIL}), r#"400 {"type":"invalid_data","message":"Password must be at least 8 bytes long"}"#),
            (json!({"password": NEW, "email": EMAIL}), DONE),
        ] {
            assert_eq!(told(&server.post(DOOR, Some(&token), body.clone()).await), expected, "{body}");
        }
        server.stop().await;
    }

    /// Whoever sat in the account with the old password is out, with every kind of token.
    async fn a_reset_ends_all_other_sessions(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let session = server.post("/auth/session", Some(&known.login), json!({})).await;
        let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let token = reset_token(&server, "email", EMAIL).await;
        assert_eq!(told(&server.post(DOOR, Some(&token), json!({"email": EMAIL, "password": NEW})).await), DONE);
        let out = r#"401 {"message":"Unauthorized"}"#;
        for token in [&known.login, &known.registration] {
            assert_eq!(told(&server.get("/store/customers/me", Some(token)).await), out);
            assert_eq!(told(&server.post("/auth/token/refresh", Some(token), json!({})).await), out);
            assert_eq!(told(&server.post("/auth/session", Some(token), json!({})).await), out);
        }
        let by_cookie = crate::stage::request(http::Method::GET, "/store/customers/me", &[("cookie", &cookie)], None);
        assert_eq!(told(&server.raw(by_cookie).await), out);
        // The new login is of the same second, and counts.
        let fresh = login(&server, EMAIL, NEW).await.field("/token");
        assert_eq!(server.get("/store/customers/me", Some(&fresh)).await.status.as_u16(), 200);
        clock.advance_seconds(5);
        assert_eq!(server.get("/store/customers/me", Some(&fresh)).await.status.as_u16(), 200);
        server.stop().await;
    }

    /// The link came to the mailbox, so its owner has the account, and whoever opened it with a stranger's address has not.
    async fn a_reset_proves_its_channel_and_clears_an_unproven_one(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let (_, id) = server.customer(EMAIL, PHONE).await;
        let token = reset_token(&server, "email", EMAIL).await;
        assert_eq!(told(&server.post(DOOR, Some(&token), json!({"email": EMAIL, "password": NEW})).await), DONE);
        let fresh = login(&server, EMAIL, NEW).await.field("/token");
        let me = server.get("/store/customers/me?fields=id,email,phone,email_verified,phone_verified", Some(&fresh)).await;
        assert_eq!(
            me.text,
            format!(r#"{{"customer":{{"id":"{id}","email":"{EMAIL}","phone":null,"email_verified":true,"phone_verified":false}}}}"#)
        );
        server.stop().await;
    }

    /// One password: the reset by e-mail changes the phone's login too.
    async fn a_reset_changes_the_password_of_every_contact(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        prove(&server, &known.login, "phone_verification", PHONE).await;
        let token = reset_token(&server, "phone", PHONE).await;
        assert_eq!(told(&server.post(DOOR, Some(&token), json!({"phone": PHONE, "password": NEW})).await), DONE);
        for body in [json!({"email": EMAIL}), json!({"phone": PHONE})] {
            for (password, status) in [(PASSWORD, 401), (NEW, 200)] {
                let mut body = body.clone();
                body["password"] = json!(password);
                let answer = server.post("/auth/customer/emailpass", None, body.clone()).await;
                assert_eq!(answer.status.as_u16(), status, "{body}");
            }
        }
        server.stop().await;
    }

    /// An account that is about to go may set its password, but not come back by it.
    async fn a_reset_does_not_call_off_a_deletion(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        let token = reset_token(&server, "email", EMAIL).await;
        assert_eq!(told(&server.post(DOOR, Some(&token), json!({"email": EMAIL, "password": NEW})).await), DONE);
        assert_eq!(login(&server, EMAIL, NEW).await.field("/code"), "account_deletion_pending");
        server.stop().await;
    }

    /// A token that we never recorded, such as Medusa's own, is not taken.
    async fn a_reset_token_without_a_record_is_refused(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        verified(&server).await;
        let claims = claims_of("customer", "", "");
        for jti in [None, Some("unknown".to_owned())] {
            let forged = cr_core::modules::auth::token::ResetClaims {
                entity_id: EMAIL.to_owned(),
                provider: "emailpass".to_owned(),
                actor_type: "customer".to_owned(),
                jti,
                iat: claims.iat,
                exp: claims.exp,
            };
            let token = cr_core::modules::auth::token::issue_reset(&server.app.shared.keys, &forged);
            assert_eq!(told(&server.post(DOOR, Some(&token), json!({"email": EMAIL, "password": NEW})).await), INVALID);
        }
        server.stop().await;
    }
}
