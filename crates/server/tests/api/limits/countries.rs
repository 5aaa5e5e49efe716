//! `smsCountries` at every door that sends: the owner is told, strangers see nothing, and nothing goes out.

use cr_testkit::TestDatabase;
use serde_json::json;

use crate::stage::{EMAIL, PHONE, prove, reset_token, schedule_deletion, stage, told, verified};
use crate::support::{PASSWORD, TestServer};

/// Texts go to Germany alone; [`PHONE`] is American.
const GERMANY: (&str, &str) = ("wrongCodes = \"off\"", "wrongCodes = \"off\"\nsmsCountries = [\"49\"]");
const NOT_LISTED: &str = r#"400 {"type":"not_allowed","message":"Text messages to this country are not enabled"}"#;
const SENT: &str = r#"200 {"token":"<token>","expires_at":"2026-01-02T03:19:05.678Z"}"#;

/// Somebody whose e-mail and phone were proven while texts went everywhere; then a server that texts Germany alone.
async fn proven(database: &TestDatabase, edits: &[(&str, &str)]) -> (TestServer, crate::stage::Known) {
    let (server, _) = stage(database, &[]).await;
    let known = verified(&server).await;
    prove(&server, &known.login, "phone_verification", PHONE).await;
    server.stop().await;
    let mut all = vec![GERMANY];
    all.extend(edits);
    // The same chance once more would make the same ids.
    let config = all.iter().fold(crate::support::DEVELOPMENT.to_owned(), |config, (from, to)| config.replace(from, to));
    let (env, _) = cr_testkit::env(2);
    database.sql("delete from cr_outbox").await;
    (TestServer::start(database, &config, &[], env, crate::support::CHEAP).await, known)
}

/// How many text messages were written into the outbox.
async fn texts(database: &TestDatabase) -> usize {
    database.rows("select id from cr_outbox where channel = 'sms'").await.len()
}

cr_testkit::both! {
    /// A number that the shop does not text must not cost it a message, whichever door it comes through.
    async fn no_door_texts_a_country_that_is_not_listed(database: TestDatabase) {
        let by_text = [
            ("account_deletion_request = {", "account_deletion_request = { channel = \"sms\","),
            ("account_deletion_cancel = {", "account_deletion_cancel = { channel = \"sms\","),
        ];
        let (server, known) = proven(&database, &by_text).await;
        let login = Some(known.login.as_str());
        let reset = "/auth/customer/emailpass/reset-password";
        let deletion = "/store/customers/account-deletion";
        for (path, bearer, body, expected) in [
            (reset.to_owned(), None, json!({"phone": PHONE}), "201 {}"),
            ("/store/customers/otp/send".to_owned(), None, json!({"type": "phone_verification", "phone": PHONE}), SENT),
            ("/store/customers/otp/send".to_owned(), None, json!({"type": "phone_verification", "customer_id": known.id}), SENT),
            ("/store/customers/me/contact".to_owned(), login, json!({"phone": "+15557654321"}), NOT_LISTED),
            (format!("{deletion}/request"), login, json!({}), NOT_LISTED),
            (format!("{deletion}/cancel-request"), None, json!({"phone": PHONE}), SENT),
        ] {
            assert_eq!(told(&server.post(&path, bearer, body.clone()).await), expected, "{path} {body}");
            assert_eq!(texts(&database).await, 0, "{path} {body}");
        }
        schedule_deletion(&database, &known.id).await;
        let cancel = server.post(&format!("{deletion}/cancel-request"), None, json!({"phone": PHONE})).await;
        assert_eq!((told(&cancel), texts(&database).await), (SENT.to_owned(), 0));
        server.stop().await;
    }

    /// Notices go to the contact that can be reached, and the change is made all the same.
    async fn a_notice_goes_where_it_may(database: TestDatabase) {
        let (server, _) = proven(&database, &[]).await;
        let token = reset_token(&server, "email", EMAIL).await;
        let body = json!({"email": EMAIL, "password": "N3w-and-better"});
        let done = server.post("/auth/customer/emailpass/update", Some(&token), body).await;
        assert_eq!(done.status.as_u16(), 200, "{}", done.text);
        let notices = database.rows("select channel from cr_outbox where template = 'password_changed_notice'").await;
        assert_eq!((notices, texts(&database).await), (vec![json!({"channel": "email"})], 0));
        server.stop().await;
    }

    /// Registration goes on without the code; a number of a listed country gets one.
    async fn a_code_on_registration_goes_where_it_may(database: TestDatabase) {
        let auto = ("phone_verification = { channel = \"sms\"", "phone_verification = { channel = \"sms\", autoSendOnRegistration = true");
        let (server, _) = stage(&database, &[GERMANY, auto]).await;
        for (email, phone, sent) in [(EMAIL, PHONE, 0), ("bert@example.com", "+4915123456789", 1)] {
            let token = server.register(email).await;
            let body = json!({"email": email, "phone": phone});
            let created = server.post("/store/customers", Some(&token), body).await;
            assert_eq!(created.status.as_u16(), 200, "{}", created.text);
            assert_eq!(created.json()["verifications"].as_array().map(Vec::len), Some(sent), "{phone}");
            assert_eq!(texts(&database).await, sent, "{phone}");
        }
        server.stop().await;
    }

    /// A country's code, not a text that a number begins with.
    async fn a_listed_country_is_texted_at_every_door(database: TestDatabase) {
        let (server, _) = stage(&database, &[GERMANY]).await;
        let (registration, id) = server.customer(EMAIL, "+4915123456789").await;
        let body = json!({"type": "phone_verification", "customer_id": id});
        assert_eq!(told(&server.post("/store/customers/otp/send", Some(&registration), body).await), SENT);
        assert_eq!(texts(&database).await, 1);
        // Nothing of the first code is left when the second comes.
        server.code_to("+4915123456789").await;
        prove(&server, &registration, "phone_verification", "+4915123456789").await;
        let before = texts(&database).await;
        let reset = json!({"phone": "+49 1512 3456789"});
        assert_eq!(told(&server.post("/auth/customer/emailpass/reset-password", None, reset).await), "201 {}");
        assert_eq!(texts(&database).await, before + 1);
        let body = json!({"phone": "+49 1512 3456789", "password": PASSWORD});
        assert_eq!(server.post("/auth/customer/emailpass", None, body).await.status.as_u16(), 200);
        server.stop().await;
    }
}
