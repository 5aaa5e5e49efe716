//! `kill -9`: what was answered is kept, what was promised is sent, nothing is half there.

use cr_testkit::smtp_sink::{Answer, SinkTls};
use cr_testkit::webhook_sink::SinkAnswer;
use cr_testkit::{SmtpSink, WebhookSink};
use serde_json::json;

use crate::customer::{Customer, PASSWORD, code_of, code_of_text};
use crate::shop::{MAILER, Shop};
use crate::whole::{check_whole, let_leases_end};
use crate::wire;

cr_testkit::both! {
    /// The answer is a promise: it was given after the commit.
    async fn a_kill_after_the_answer_and_before_the_delivery_loses_no_message(database: TestDatabase) {
        let mut mails = SmtpSink::start(SinkTls::StartTls, MAILER).await;
        let texts = WebhookSink::start().await;
        let shop = Shop::with(&database, &mails, &texts, "");
        mails.stop().await;
        let server = shop.serve().await;
        let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
        let otp = customer.ask_by_mail(&server).await;
        server.program.kill().await;
        check_whole(&database).await;
        assert_eq!(database.rows("select id from cr_outbox where status <> 'delivered'").await.len(), 1);

        mails.restart().await;
        let_leases_end(&database).await;
        let server = shop.serve().await;
        let messages = mails.wait_for(1).await;
        customer.verify(&server, &otp, &code_of(&messages[0])).await;
        server.program.stop().await;
        assert_eq!(mails.messages().len(), 1);
        check_whole(&database).await;
    }

    /// The server may have taken the mail, so it comes again, and a mail program sees by its id that it is the same.
    async fn a_kill_in_the_middle_of_a_delivery_sends_the_same_mail_again(database: TestDatabase) {
        let mails = SmtpSink::start(SinkTls::StartTls, MAILER).await;
        let texts = WebhookSink::start().await;
        let shop = Shop::with(&database, &mails, &texts, "");
        mails.answer_next(&[Answer::Hold]);
        let server = shop.serve().await;
        let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
        let otp = customer.ask_by_mail(&server).await;
        mails.wait_for(1).await;
        server.program.kill().await;
        check_whole(&database).await;
        let rows = database.rows("select status, attempts from cr_outbox").await;
        assert_eq!(rows, [json!({"status": "sending", "attempts": 1})]);

        let_leases_end(&database).await;
        let server = shop.serve().await;
        let messages = mails.wait_for(2).await;
        assert!(messages[0].mail().header("Message-ID").is_some());
        assert_eq!(messages[0].source, messages[1].source);
        customer.verify(&server, &otp, &code_of(&messages[1])).await;
        server.program.stop().await;
        let rows = database.rows("select status, attempts from cr_outbox").await;
        assert_eq!(rows, [json!({"status": "delivered", "attempts": 2})]);
        check_whole(&database).await;
    }

    /// The endpoint that drops repeats must see the one key before and after a crash.
    async fn a_text_message_keeps_its_idempotency_key_through_a_kill(database: TestDatabase) {
        let mails = SmtpSink::start(SinkTls::StartTls, MAILER).await;
        let texts = WebhookSink::start().await;
        texts.answer_next(&[SinkAnswer { status: 503, headers: vec![("retry-after", "1".to_owned())] }]);
        let shop = Shop::with(&database, &mails, &texts, "");
        let server = shop.serve().await;
        let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
        let otp = customer.ask_by_text(&server).await;
        texts.wait_for(1).await;
        server.program.kill().await;
        check_whole(&database).await;

        let_leases_end(&database).await;
        let server = shop.serve().await;
        let requests = texts.wait_for(2).await;
        for name in ["webhook-id", "idempotency-key"] {
            assert!(requests[0].header(name).is_some_and(|value| !value.is_empty()), "{name}");
            assert_eq!(requests[0].header(name), requests[1].header(name), "{name}");
        }
        assert_eq!(requests[0].body, requests[1].body);
        customer.verify(&server, &otp, &code_of_text(&requests[1])).await;
        server.program.stop().await;
        check_whole(&database).await;
    }

    /// A crash among many requests: each one that was answered is there, each other one wholly or not at all.
    async fn a_kill_among_many_requests_keeps_what_was_answered(database: TestDatabase) {
        const CUSTOMERS: usize = 12;
        let shop = Shop::new(&database, "", "");
        let server = shop.serve().await;
        let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let requests = tokio_util::task::TaskTracker::new();
        for number in 0..CUSTOMERS {
            let (answered, address) = (answered.clone(), server.address);
            requests.spawn(async move {
                let email = format!("customer{number}@example.com");
                let body = json!({"email": email, "password": PASSWORD}).to_string();
                let path = "/auth/customer/emailpass/register";
                let Ok(registered) = wire::exchange(address, "POST", path, "", &body).await else { return };
                let bearer = format!("authorization: Bearer {}\r\n", registered.field("/token"));
                let body = json!({"email": email, "phone": format!("+155512345{number:02}")}).to_string();
                let Ok(created) = wire::exchange(address, "POST", "/store/customers", &bearer, &body).await else { return };
                assert_eq!(created.status, 200, "{created:?}");
                let _ = answered.send(created.field("/customer/id"));
            });
        }
        drop(answered);
        let mut ids = vec![answers.recv().await.unwrap(), answers.recv().await.unwrap()];
        server.program.kill().await;
        while let Some(id) = answers.recv().await {
            ids.push(id);
        }
        check_whole(&database).await;
        for id in &ids {
            let sql = format!("select p.id from provider_identity p join auth_identity a on a.id = p.auth_identity_id \
                               join customer c on c.email = p.entity_id where c.id = '{id}' and c.has_account \
                               and cast(a.app_metadata as text) like '%{id}%'");
            assert_eq!(database.rows(&sql).await.len(), 1, "{id}: {}", database.dump(&[]).await);
        }
        let linked = "select c.id from customer c where not exists (select 1 from auth_identity a \
                      where cast(a.app_metadata as text) like '%' || c.id || '%')";
        assert!(database.rows(linked).await.is_empty(), "customers whom nobody can log in as");
        shop.serve().await.program.stop().await;
    }
}
