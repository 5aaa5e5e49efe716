//! SIGTERM ends what was begun and nothing else; SIGHUP reads the templates again.

use cr_testkit::smtp_sink::{Answer, SinkTls};
use cr_testkit::{SmtpSink, WebhookSink};
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;

use crate::customer::{Customer, PASSWORD, code_of};
use crate::program::PATIENCE;
use crate::shop::{MAILER, Shop};
use crate::wire::Begun;

cr_testkit::both! {
    /// A deployment must cost no customer a request: the slow ones here hash passwords and then wait for a locked table.
    async fn a_stop_finishes_requests_in_flight_and_takes_no_more(database: TestDatabase) {
        let shop = Shop::new(&database, "", "");
        let server = shop.serve().await;
        let lock = match database.kind() {
            cr_core::storage::DatabaseKind::Sqlite => "update cr_state set value = value",
            cr_core::storage::DatabaseKind::Postgres => "lock table provider_identity in exclusive mode",
        };
        let held = database.hold(lock).await;
        let mut begun = Vec::new();
        for number in 0..6 {
            let body = json!({"email": format!("customer{number}@example.com"), "password": PASSWORD}).to_string();
            begun.push(Begun::post(server.address, "/auth/customer/emailpass/register", &body).await);
        }
        server.program.signal(Signal::TERM);
        let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
        tokio::time::timeout(PATIENCE, refused).await.expect("new connections must be refused");
        assert!(server.program.is_running(), "{}", server.program.log());

        held.commit().await;
        for request in begun {
            let answer = request.finish().await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        assert_eq!(server.program.end().await, Some(0));
        let log = server.program.log();
        assert!(log.contains("Stopping: requests in flight finish first") && log.contains("\"Stopped\""), "{log}");
        assert_eq!(database.rows("select id from provider_identity").await.len(), 6);
    }

    /// A mail that the server has taken but not confirmed would otherwise be sent twice.
    async fn a_stop_waits_for_the_mail_that_is_on_its_way(database: TestDatabase) {
        let mails = SmtpSink::start(SinkTls::StartTls, MAILER).await;
        let texts = WebhookSink::start().await;
        mails.answer_next(&[Answer::Hold]);
        let shop = Shop::with(&database, &mails, &texts, "");
        let server = shop.serve().await;
        let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
        customer.ask_by_mail(&server).await;
        mails.wait_for(1).await;
        server.program.signal(Signal::TERM);
        server.program.line("Stopping", 1).await;
        mails.release();
        assert_eq!(server.program.end().await, Some(0));
        let rows = database.rows("select status, attempts from cr_outbox").await;
        assert_eq!(rows, [json!({"status": "delivered", "attempts": 1})]);
    }
}

/// Load balancers and browsers open connections before they need them; such a connection must not hold up a deployment.
#[test]
fn a_stop_does_not_wait_for_connections_on_which_nothing_was_asked() {
    cr_testkit::run(async {
        let database = cr_testkit::TestDatabase::sqlite().await;
        let server = Shop::new(&database, "", "").serve().await;
        let silent = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(server.get("/health", None).await.status, 200);
        server.program.signal(Signal::TERM);
        assert_eq!(server.program.end().await, Some(0));
        assert!(!server.program.log().contains("still in flight"), "{}", server.program.log());
        drop(silent);
    });
}

/// A word changed in a mail needs no restart, and a slip in it costs no mail.
#[test]
fn a_hangup_reads_templates_again_and_keeps_the_old_ones_where_the_new_are_broken() {
    cr_testkit::run(async {
        let database = cr_testkit::TestDatabase::sqlite().await;
        let mails = SmtpSink::start(SinkTls::StartTls, MAILER).await;
        let texts = WebhookSink::start().await;
        let template =
            |word: &str| format!("<p>{word} {{{{customer_name}}}}</p><table><tr><td>{{{{code}}}}</td></tr></table>");
        let shop = Shop::with(&database, &mails, &texts, "");
        let config = std::fs::read_to_string(shop.path().join("config.toml")).unwrap();
        let own = "email_verification = { template = \"own.html\", channel";
        shop.write("config.toml", &config.replace("email_verification = { channel", own));
        shop.write("own.html", &template("First"));
        let server = shop.serve().await;
        let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
        for (number, (text, told, word)) in [
            (template("First"), "Templates were read again", "First"),
            (template("Second"), "Templates were read again", "Second"),
            ("{{#if code}} never closed".to_owned(), "A template is wrong, the old ones stay", "Second"),
            (template("Third"), "Templates were read again", "Third"),
        ]
        .into_iter()
        .enumerate()
        {
            shop.write("own.html", &text);
            let before = server.program.log().matches(told).count();
            server.program.signal(Signal::HUP);
            server.program.line(told, before + 1).await;
            customer.ask_by_mail(&server).await;
            let mail = mails.wait_for(number + 1).await.remove(number);
            assert!(mail.mail().html.unwrap().contains(word), "{word}: {}", mail.source);
            code_of(&mail);
        }
        server.program.stop().await;
    });
}
