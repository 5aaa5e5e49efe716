//! `…/reset-password`.

use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::stage::{EMAIL, PHONE, request, stage, told, verified};

const DOOR: &str = "/auth/customer/emailpass/reset-password";
const SENT: &str = "201 {}";
const ONE: &str =
    r#"400 {"type":"invalid_data","message":"Provide exactly one of: identifier, email, phone, email_or_phone"}"#;

cr_testkit::both! {
    /// The answer must not tell who has an account.
    async fn every_account_and_nobody_get_the_same_answer(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        verified(&server).await;
        for (door, body, expected) in [
            (DOOR, json!({}), ONE),
            // An empty text names nobody, as in Medusa 2.11.2.
            (DOOR, json!({"email": ""}), SENT),
            (DOOR, json!({"email": EMAIL, "phone": PHONE}), ONE),
            (DOOR, json!({"identifier": EMAIL, "email": EMAIL}), ONE),
            (DOOR, json!({"email": 5}), r#"400 {"type":"invalid_data","message":"Invalid request: Expected type: 'string' for field 'email', got: 'number'"}"#),
            (DOOR, json!({"email": EMAIL, "foo": 1}), r#"400 {"type":"invalid_data","message":"Invalid request: Unrecognized fields: 'foo'"}"#),
            (DOOR, json!({"identifier": EMAIL}), SENT),
            (DOOR, json!({"email": EMAIL}), SENT),
            (DOOR, json!({"email_or_phone": EMAIL}), SENT),
            (DOOR, json!({"email_or_phone": PHONE}), SENT),
            (DOOR, json!({"phone": PHONE}), SENT),
            (DOOR, json!({"email": "nobody@example.com"}), SENT),
            (DOOR, json!({"email": "no e-mail"}), SENT),
            (DOOR, json!({"phone": "letters"}), SENT),
            ("/auth/customer/phonepass/reset-password", json!({"identifier": PHONE}), SENT),
            ("/auth/user/emailpass/reset-password", json!({"identifier": EMAIL}), SENT),
            ("/auth/robot/emailpass/reset-password", json!({"identifier": EMAIL}), SENT),
        ] {
            assert_eq!(told(&server.post(door, None, body.clone()).await), expected, "{door} {body}");
        }
        server.stop().await;
    }

    /// Whoever asks for somebody else's link must not choose where it leads.
    async fn a_link_leads_to_the_storefront_whatever_the_request_says(database: TestDatabase) {
        let (server, _) = stage(&database, &[("trustProxy = []", "trustProxy = [\"loopback\"]")]).await;
        verified(&server).await;
        server.clear_inbox();
        let headers = [
            ("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example"),
            ("origin", "https://evil.example"), ("referer", "https://evil.example/"),
        ];
        let answer = server.raw(request(Method::POST, DOOR, &headers, Some(json!({"email": EMAIL})))).await;
        assert_eq!(told(&answer), SENT);
        let inbox = server.state.http.inbox.clone().unwrap();
        for _ in 0..2000 {
            if inbox.messages().iter().any(|message| message.to == EMAIL) {
                break;
            }
            server.app.shared.wake.messages.notify_one();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mail = serde_json::to_string(&inbox.messages()).unwrap();
        assert!(mail.contains("http://localhost:8000/reset-password?token=") && !mail.contains("evil.example"), "{mail}");
        server.stop().await;
    }

    /// A shop without the section has no resets, and one without a channel none by it.
    async fn what_is_not_configured_is_refused(database: TestDatabase) {
        let section = "password_reset = { template = \"builtin\", sms_body = \"Reset your password: {{reset_url}}\" }";
        let (server, _) = stage(&database, &[(section, "")]).await;
        assert_eq!(
            told(&server.post(DOOR, None, json!({"email": EMAIL})).await),
            r#"400 {"type":"not_allowed","message":"Password reset is not configured"}"#
        );
        server.stop().await;
        let (server, _) = stage(&database, &[("[options.login]\nidentifier = \"both\"", "[options.login]\nidentifier = \"email\"")]).await;
        for body in [json!({"phone": PHONE}), json!({"email_or_phone": PHONE})] {
            assert_eq!(
                told(&server.post(DOOR, None, body).await),
                r#"400 {"type":"not_allowed","message":"Phone login is not enabled"}"#
            );
        }
        server.stop().await;
    }

    /// Nobody's mailbox is flooded, and the refusal comes to unknown accounts alike.
    async fn a_contact_gets_so_many_links_and_no_more(database: TestDatabase) {
        let (server, clock) = stage(&database, &[("resets = \"off\"", "resets = \"2/1h\"")]).await;
        verified(&server).await;
        for email in [EMAIL, "nobody@example.com"] {
            for written in [email.to_owned(), email.to_uppercase()] {
                assert_eq!(told(&server.post(DOOR, None, json!({"email": written})).await), SENT);
            }
            clock.advance_seconds(60);
            let refused = server.post(DOOR, None, json!({"identifier": email})).await;
            assert_eq!(told(&refused), r#"429 {"type":"too_many_requests","message":"Too many requests. Try again in 3540 seconds"}"#);
            assert_eq!(refused.headers["retry-after"], "3540");
        }
        clock.advance_seconds(3600);
        assert_eq!(told(&server.post(DOOR, None, json!({"email": EMAIL})).await), SENT);
        server.stop().await;
    }

    /// Every message that goes out counts against its budget.
    async fn links_count_against_the_budgets_of_all_sends(database: TestDatabase) {
        for limit in [
            ("sendsPerAddress = \"off\"", "sendsPerAddress = \"2/1h\""),
            ("email = \"off\"", "email = \"2/1h\""),
        ] {
            let (server, _) = stage(&database, &[limit]).await;
            for number in 0..4 {
                server.register(&format!("a{number}@example.com")).await;
            }
            let mut statuses = Vec::new();
            for number in 0..4 {
                let body = json!({"email": format!("a{number}@example.com")});
                statuses.push(server.post(DOOR, None, body).await.status.as_u16());
            }
            assert!(statuses.contains(&429), "{limit:?}: {statuses:?}");
            assert_eq!(statuses.first(), Some(&201), "{limit:?}");
            server.stop().await;
            database.sql("delete from cr_limit").await;
        }
    }
}
