//! `sendsPerChannel`: each channel by its own word, one half kept, and sends that cost nothing.

use cr_testkit::TestDatabase;
use serde_json::json;

use crate::stage::{EMAIL, PHONE, stage, told, verified};
use crate::support::TestServer;

const SEND: &str = "/store/customers/otp/send";

/// A text to whoever the token belongs to: its status.
async fn text(server: &TestServer, token: &str, id: &str) -> u16 {
    let body = json!({"type": "phone_verification", "customer_id": id});
    server.post(SEND, Some(token), body).await.status.as_u16()
}

/// Customers who have proven nothing.
async fn strangers(server: &TestServer, count: usize) -> Vec<(String, String)> {
    let mut made = Vec::new();
    for number in 0..count {
        made.push(server.customer(&format!("f{number}@example.com"), &format!("+1555765432{number}")).await);
    }
    made
}

/// Rows of the outbox that somebody gets.
async fn sent(database: &TestDatabase, channel: &str) -> usize {
    database.rows(&format!("select id from cr_outbox where channel = '{channel}'")).await.len()
}

cr_testkit::both! {
    /// A shop that sends by WhatsApp has a budget for WhatsApp, and none for what it does not use.
    async fn a_channel_of_another_name_has_a_budget_of_its_own(database: TestDatabase) {
        let edits = [
            ("phone_verification = { channel = \"sms\"", "phone_verification = { channel = \"whatsapp\""),
            ("sms = \"off\"", "sms = \"1/1h\", whatsapp = \"4/1h\""),
            ("channels = [\"email\", \"sms\"]", "channels = [\"email\", \"sms\", \"whatsapp\"]"),
        ];
        let (server, clock) = stage(&database, &edits).await;
        let strangers = strangers(&server, 3).await;
        for ((token, id), status) in strangers.iter().zip([200, 200, 429]) {
            assert_eq!(text(&server, token, id).await, status);
        }
        assert_eq!((sent(&database, "whatsapp").await, sent(&database, "sms").await), (2, 0));
        clock.advance_seconds(3600);
        let (token, id) = &strangers[2];
        assert_eq!(text(&server, token, id).await, 200);
        server.stop().await;
    }

    /// An attack on unknown numbers costs nothing, so it takes nothing from the budget; but it is refused with it.
    async fn decoys_use_up_no_budget_and_show_it_like_others(database: TestDatabase) {
        let (server, _) = stage(&database, &[("email = \"off\"", "email = \"2/1h\"")]).await;
        server.customer(EMAIL, PHONE).await;
        let ask = async |email: &str| {
            let body = json!({"type": "email_verification", "email": email});
            server.post(SEND, None, body).await.status.as_u16()
        };
        for number in 0..5 {
            assert_eq!(ask(&format!("nobody{number}@example.com")).await, 200);
        }
        assert_eq!(ask(EMAIL).await, 200);
        for email in [EMAIL, "nobody@example.com"] {
            assert_eq!(ask(email).await, 429, "{email}");
        }
        assert_eq!(sent(&database, "email").await, 1);
        let counted = database.rows("select key, count from cr_limit where key like 'sendsPerChannel:%' order by key").await;
        let of = |key: &str| json!({"key": format!("sendsPerChannel:3600:{key}"), "count": 1});
        assert_eq!(counted, [of("email"), of("email:open")], "what goes out is counted, and nothing else");
        server.stop().await;
    }

    /// Anybody may ask for anybody's link: it takes nothing from the half that is kept for customers with a session, and whether it
    /// goes out tells nothing about them.
    async fn a_link_never_comes_from_the_kept_half(database: TestDatabase) {
        let (server, _) = stage(&database, &[("email = \"off\"", "email = \"6/1h\"")]).await;
        verified(&server).await;
        let unproven = strangers(&server, 3).await;
        let mut statuses = Vec::new();
        for (token, id) in &unproven {
            let body = json!({"type": "email_verification", "customer_id": id});
            statuses.push(server.post(SEND, Some(token), body).await.status.as_u16());
        }
        // The first of the three open ones proved the e-mail of `verified`.
        assert_eq!(statuses, [200, 200, 429]);
        for email in [EMAIL, "nobody@example.com"] {
            let path = "/auth/customer/emailpass/reset-password";
            let answer = server.post(path, None, json!({"email": email})).await;
            assert_eq!(answer.status.as_u16(), 429, "{email}: {}", answer.text);
        }
        server.stop().await;
    }

    /// A send that is refused by one limit is not counted by the others.
    async fn what_is_refused_takes_nothing_from_the_budget(database: TestDatabase) {
        let edits = [("email = \"off\"", "email = \"4/1h\""), ("sendsPerDestination = \"off\"", "sendsPerDestination = \"1/1h\"")];
        let (server, _) = stage(&database, &edits).await;
        server.customer(EMAIL, PHONE).await;
        server.customer("bert@example.com", "+15557654321").await;
        let ask = async |email: &str| {
            told(&server.post(SEND, None, json!({"type": "email_verification", "email": email})).await)
        };
        assert!(ask(EMAIL).await.starts_with("200 "));
        for _ in 0..5 {
            assert!(ask(EMAIL).await.starts_with("429 "));
        }
        assert!(ask("bert@example.com").await.starts_with("200 "));
        server.stop().await;
    }
}
