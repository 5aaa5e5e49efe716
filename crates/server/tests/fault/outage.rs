//! Servers that are away for a while: mail is sent when its server is back, the database's return is noticed.

use cr_testkit::smtp_sink::SinkTls;
use cr_testkit::{SmtpSink, TestDatabase, WebhookSink};
use serde_json::json;

use crate::customer::{Customer, PASSWORD, code_of};
use crate::program::PATIENCE;
use crate::shop::{MAILER, Server, Shop};

cr_testkit::both! {
    /// With waits of a second in place of five and more; the times of the defaults are tested where they are decided.
    async fn mail_goes_out_when_a_mail_server_that_refused_connections_is_back(database: TestDatabase) {
        let mut mails = SmtpSink::start(SinkTls::StartTls, MAILER).await;
        let texts = WebhookSink::start().await;
        let shop = Shop::with(&database, &mails, &texts, "");
        mails.stop().await;
        let server = shop.serve().await;
        let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
        let first = customer.ask_by_mail(&server).await;
        server.program.line("will try again: connection failed", 2).await;
        let ready = server.get("/health/ready", None).await;
        assert_eq!(ready.status, 200, "a mail server is no reason to take a server out of rotation: {ready:?}");

        mails.restart().await;
        let messages = mails.wait_for(1).await;
        customer.verify(&server, &first, &code_of(&messages[0])).await;
        customer.log_in(&server, json!({"email": customer.email, "password": PASSWORD})).await;
        server.program.stop().await;
        let rows = database.rows("select status from cr_outbox where payload is null").await;
        assert_eq!(rows, [json!({"status": "delivered"})]);
        assert_eq!(mails.messages().len(), 1);
    }
}

/// The status of `/health/ready` once it is this one.
async fn ready_becomes(server: &Server, status: u16) {
    let becomes = async { while server.get("/health/ready", None).await.status != status {} };
    let became = tokio::time::timeout(PATIENCE, becomes).await;
    became.unwrap_or_else(|_| panic!("never {status}:\n{}", server.program.log()));
}

/// A load balancer must see it, and nobody must have to restart anything.
#[test]
fn a_database_that_goes_away_makes_the_server_unready_until_it_is_back() {
    cr_testkit::run(async {
        let database = TestDatabase::postgres().await;
        let other = TestDatabase::empty_postgres().await;
        let name = database.url().rsplit('/').next().unwrap().to_owned();
        let mails = SmtpSink::start(SinkTls::StartTls, MAILER).await;
        let texts = WebhookSink::start().await;
        let shop = Shop::with(&database, &mails, &texts, "");
        let server = shop.serve().await;
        let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
        ready_becomes(&server, 200).await;

        let end = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
        other.sql(&format!("alter database \"{name}\" allow_connections false")).await;
        other.sql(&end).await;
        ready_becomes(&server, 503).await;
        assert_eq!(server.get("/health", None).await.status, 200, "the process itself is well");
        let login = json!({"email": customer.email, "password": PASSWORD});
        let refused = server.post("/auth/customer/emailpass", None, &login).await;
        assert_eq!((refused.status, refused.field("/type").as_str()), (503, "unavailable"), "{refused:?}");
        assert!(refused.header("retry-after").is_some(), "{refused:?}");

        other.sql(&format!("alter database \"{name}\" allow_connections true")).await;
        ready_becomes(&server, 200).await;
        let otp = customer.ask_by_mail(&server).await;
        let code = code_of(&mails.wait_for(1).await[0]);
        customer.verify(&server, &otp, &code).await;
        server.program.stop().await;
    });
}
