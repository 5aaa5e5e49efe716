//! `POST /store/customers/contact/undo`.

use serde_json::json;

use crate::stage::{EMAIL, asked, login, stage, told, verified};
use crate::support::{PASSWORD, TestServer};

const PATH: &str = "/store/customers/contact/undo";
const BAD: &str = r#"401 {"type":"unauthorized","message":"Invalid or expired token"}"#;

/// The token in the notice that went to a contact; waits for the worker.
async fn undo_token(server: &TestServer, contact: &str) -> String {
    let inbox = server.state.http.inbox.clone().unwrap();
    for _ in 0..2000 {
        let found =
            inbox.messages().into_iter().find(|message| message.to == contact && message.text.contains("token="));
        if let Some(message) = found {
            let (_, after) = message.text.split_once("undo-contact-change?token=").unwrap();
            return after
                .chars()
                .take_while(|letter| letter.is_ascii_alphanumeric() || "._-".contains(*letter))
                .collect();
        }
        server.app.shared.wake.messages.notify_one();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("no notice came to {contact}");
}

cr_testkit::both! {
    async fn the_link_of_the_notice_restores_and_ends_sessions_once(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let (token, code) = asked(&server, "/store/customers/me/contact", Some(&known.login), json!({"email": "new@example.com"}), "new@example.com").await;
        let changed = server.post("/store/customers/me/contact/verify", Some(&known.login), json!({"token": token, "code": code})).await;
        let undo = undo_token(&server, EMAIL).await;
        assert_eq!(told(&server.post(PATH, None, json!({"token": undo})).await), r#"200 {"restored":true}"#);
        assert_eq!(
            told(&server.post(PATH, None, json!({"token": undo})).await),
            r#"400 {"type":"not_allowed","message":"This change cannot be undone any more"}"#
        );
        for token in [&known.login, &changed.field("/token")] {
            assert_eq!(server.get("/store/customers/me", Some(token)).await.status.as_u16(), 401);
        }
        let again = login(&server, EMAIL, PASSWORD).await;
        assert_eq!(server.get("/store/customers/me", Some(&again.field("/token"))).await.field("/customer/email"), EMAIL);
        clock.advance_seconds(72 * 3600);
        assert_eq!(told(&server.post(PATH, None, json!({"token": undo})).await), BAD);
        server.stop().await;
    }

    async fn what_is_no_token_restores_nothing(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let login = verified(&server).await.login;
        for token in ["", "x", "undo_1.x", login.as_str()] {
            assert_eq!(told(&server.post(PATH, None, json!({"token": token})).await), BAD);
        }
        assert_eq!(
            told(&server.post(PATH, None, json!({})).await),
            r#"400 {"type":"invalid_data","message":"Invalid request: Field 'token' is required"}"#
        );
        server.stop().await;
    }
}
