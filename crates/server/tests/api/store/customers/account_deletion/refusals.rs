//! What the four routes say when it is the wrong moment, and where a leaving customer is let in.

use http::Method;
use serde_json::json;

use super::{CANCEL_CONFIRM, CANCEL_REQUEST, CONFIRM, PENDING, REQUEST, SENT, leave};
use crate::stage::{EMAIL, PHONE, asked, login, stage, told, verified};
use crate::support::PASSWORD;

const OVER: &str = r#"400 {"type":"invalid_data","message":"OTP is no longer valid"}"#;
const WAIT: &str =
    r#"429 {"type":"too_many_requests","message":"Please wait 90 seconds before requesting another code"}"#;

cr_testkit::both! {
    /// There is nowhere to send the code to before something is proven.
    async fn nobody_unproven_asks_for_the_end(database: TestDatabase) {
        let (server, _) = stage(&database, &[("identifier = \"both\"\n\n[options.login]", "identifier = \"both\"\nrequire_verification = false\n\n[options.login]")]).await;
        server.customer(EMAIL, PHONE).await;
        let token = login(&server, EMAIL, PASSWORD).await.field("/token");
        assert_eq!(
            told(&server.post(REQUEST, Some(&token), json!({})).await),
            r#"400 {"type":"invalid_data","message":"Verify your email or your phone first"}"#
        );
        server.stop().await;
    }

    /// A code of before a confirmation, a used one, and one whose contact is another by now.
    async fn a_code_counts_once_and_for_its_moment(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let (token, code) = asked(&server, REQUEST, Some(&known.login), json!({}), EMAIL).await;
        let body = json!({"token": token, "code": code});
        database.sql("update customer set email = 'other@example.com'").await;
        assert_eq!(told(&server.post(CONFIRM, None, body.clone()).await), OVER);
        database.sql(&format!("update customer set email = '{EMAIL}'")).await;
        crate::stage::schedule_deletion(&database, &known.id).await;
        assert_eq!(
            told(&server.post(CONFIRM, None, body.clone()).await),
            r#"400 {"type":"not_allowed","message":"An account deletion request is already active"}"#
        );
        database.sql("delete from account_deletion_request").await;
        assert_eq!(server.post(CONFIRM, None, body.clone()).await.status.as_u16(), 200);
        assert_eq!(told(&server.post(CONFIRM, None, body).await), OVER);

        let (token, code) = asked(&server, CANCEL_REQUEST, None, json!({"email": EMAIL}), EMAIL).await;
        let body = json!({"token": token, "code": code});
        database.sql("update customer set email = 'other@example.com'").await;
        assert_eq!(told(&server.post(CANCEL_CONFIRM, None, body.clone()).await), OVER);
        database.sql(&format!("update customer set email = '{EMAIL}'")).await;
        assert_eq!(server.post(CANCEL_CONFIRM, None, body.clone()).await.status.as_u16(), 200);
        assert_eq!(told(&server.post(CANCEL_CONFIRM, None, body).await), OVER);
        server.stop().await;
    }

    /// Known and unknown contacts wait alike, and are told so in the same words.
    async fn whoever_asks_again_at_once_waits(database: TestDatabase) {
        let (server, _) = stage(&database, &[
            ("account_deletion_request = { resendThrottleSeconds = 0", "account_deletion_request = { resendThrottleSeconds = 90"),
            ("account_deletion_cancel = { resendThrottleSeconds = 0", "account_deletion_cancel = { resendThrottleSeconds = 90"),
        ]).await;
        let known = verified(&server).await;
        leave(&server, &known.login).await;
        for body in [json!({"email": EMAIL}), json!({"email": "nobody@example.com"}), json!({"phone": "+15550000009"})] {
            assert_eq!(told(&server.post(CANCEL_REQUEST, None, body.clone()).await), SENT, "{body}");
            let again = server.post(CANCEL_REQUEST, None, body.clone()).await;
            assert_eq!((told(&again).as_str(), &again.headers["retry-after"]), (WAIT, &http::HeaderValue::from(90)), "{body}");
        }
        assert_eq!(
            told(&server.post(CANCEL_REQUEST, None, json!({"phone": "abc"})).await),
            r#"400 {"type":"invalid_data","message":"Invalid request: Invalid phone. Send it in the international form, such as +15551234567"}"#
        );
        database.sql("delete from account_deletion_request").await;
        let token = login(&server, EMAIL, PASSWORD).await.field("/token");
        let again = server.post(REQUEST, Some(&token), json!({})).await;
        assert_eq!((told(&again).as_str(), &again.headers["retry-after"]), (WAIT, &http::HeaderValue::from(90)));
        server.stop().await;
    }

    /// Wrong codes run into `wrongCodes` over many codes, too: the same words as for one code.
    async fn wrong_codes_shut_confirming_and_cancelling(database: TestDatabase) {
        let (server, _) = stage(&database, &[("wrongCodes = \"off\"", "wrongCodes = \"2/1h\"")]).await;
        let known = verified(&server).await;
        let (token, code) = asked(&server, REQUEST, Some(&known.login), json!({}), EMAIL).await;
        let wrong = if code == "000000" { "111111" } else { "000000" };
        for answer in [
            r#"400 {"type":"invalid_data","message":"Invalid OTP code"}"#,
            r#"400 {"type":"invalid_data","message":"Invalid OTP code"}"#,
            r#"400 {"code":"otp_locked","type":"not_allowed","message":"Too many attempts. Request a new code."}"#,
        ] {
            assert_eq!(told(&server.post(CONFIRM, None, json!({"token": token, "code": wrong})).await), answer);
        }
        assert_eq!(
            told(&server.post(REQUEST, Some(&known.login), json!({})).await),
            r#"429 {"type":"too_many_requests","message":"Please wait 3600 seconds before requesting another code"}"#
        );
        server.stop().await;
    }

    /// A leaving customer is told so at every door, and finds the way back open.
    async fn a_leaving_customer_is_told_so_wherever_they_log_in(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        crate::stage::prove(&server, &known.login, "phone_verification", PHONE).await;
        leave(&server, &known.login).await;
        let phone = json!({"phone": PHONE, "password": PASSWORD});
        for path in ["/auth/customer/emailpass", "/auth/customer/phonepass"] {
            assert_eq!(told(&server.post(path, None, phone.clone()).await), PENDING, "{path}");
        }
        let query = format!("/auth/customer/emailpass?email={EMAIL}&password={}", "Tr0ub4dor%263x");
        assert_eq!(told(&server.send(Method::GET, &query, None, None).await), PENDING);
        assert_eq!(told(&server.post("/auth/customer/emailpass", None, json!({"email": EMAIL, "password": "wrong"})).await),
                   r#"401 {"type":"unauthorized","message":"Invalid email or password"}"#);
        // A token of before, as a shop on which the Node plugin ran may still have it out.
        let now = server.app.shared.env.clock.now().seconds();
        let mut claims: cr_core::modules::auth::token::AuthClaims =
            serde_json::from_value(crate::stage::claims(&known.login)).unwrap();
        (claims.iat, claims.exp) = (now + 5, now + 3600);
        let token = cr_core::modules::auth::token::issue(&server.app.shared.keys, &claims);
        for (path, body) in [
            ("/auth/session", json!({})),
            ("/auth/token/refresh", json!({})),
            ("/store/customers/otp/send", json!({"type": "email_verification", "email": EMAIL})),
            ("/store/customers/otp/verify", json!({"token": "t", "code": "c"})),
        ] {
            assert_eq!(told(&server.post(path, Some(&token), body).await), PENDING, "{path}");
        }
        for (path, body, answer) in [
            (CONFIRM, json!({"token": "t", "code": "c"}), r#"401 {"type":"unauthorized","message":"Invalid or expired token"}"#),
            (CANCEL_CONFIRM, json!({"token": "t", "code": "c"}), r#"401 {"type":"unauthorized","message":"Invalid or expired token"}"#),
            (CANCEL_REQUEST, json!({"email": EMAIL}), SENT),
        ] {
            assert_eq!(told(&server.post(path, Some(&token), body).await), answer, "{path}");
        }
        server.stop().await;
    }
}
