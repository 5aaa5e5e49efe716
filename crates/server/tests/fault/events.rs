//! Events to a receiver that was away, from a program that was killed: none is lost, each says who sent it, and what a receiver
//! refuses for good can be sent again.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use cr_testkit::WebhookSink;
use cr_testkit::webhook_sink::{SinkAnswer, SinkRequest};
use serde_json::{Value, json};

use crate::bulk::until;
use crate::customer::Customer;
use crate::journey::is_signed;
use crate::program::PATIENCE;
use crate::shop::{Server, Shop, WEBHOOK_SECRET};

/// Messages stay here; events go to an address.
fn configuration(address: SocketAddr) -> String {
    format!(
        "\n[[notification.providers]]\nid = \"local\"\nchannels = [\"email\", \"sms\"]\n\
         [[events.webhooks]]\nurl = \"http://{address}/hook\"\nsecret = \"{WEBHOOK_SECRET}\"\nevents = [\"*\"]\n"
    )
}

/// An address where nobody listens yet.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What the requests tell, by their ids: the same id is the same event.
fn told(requests: &[SinkRequest]) -> BTreeMap<String, Value> {
    let mut told = BTreeMap::new();
    for request in requests {
        assert!(is_signed(request), "{request:?}");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let id = request.header("webhook-id").unwrap().to_owned();
        assert_eq!(*told.entry(id).or_insert_with(|| body.clone()), body);
    }
    told
}

/// The types of what was told, sorted.
fn types(told: &BTreeMap<String, Value>) -> Vec<&str> {
    let mut types: Vec<&str> = told.values().map(|body| body["type"].as_str().unwrap()).collect();
    types.sort_unstable();
    types
}

/// The code of the newest message in the development inbox.
async fn code_in_inbox(server: &Server) -> String {
    let arrives = async {
        loop {
            let inbox: Value = serde_json::from_str(&server.get("/app/inbox.json", None).await.body).unwrap();
            if let Some(code) = inbox["messages"][0]["code"].as_str() {
                return code.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, arrives).await.unwrap()
}

cr_testkit::both! {
    async fn a_receiver_that_was_away_hears_of_everything(database: TestDatabase) {
        let address = free();
        let shop = Shop::new(&database, &configuration(address), "");
        let server = shop.serve().await;
        let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
        server.program.line("will try again: connection failed", 1).await;
        server.program.kill().await;
        // What the killed worker had leased comes free after a minute.
        let past = "2026-01-02T03:04:05.678Z";
        database.sql(&format!("update cr_outbox set next_attempt_at = '{past}', lease_until = '{past}' where status = 'sending'")).await;

        let receiver = WebhookSink::start_at(address).await;
        let server = shop.serve().await;
        let requests = receiver.wait_for(1).await;
        let first = told(&requests);
        assert_eq!(types(&first), ["customer.created"]);
        assert_eq!(first.values().next().unwrap()["data"], json!({"id": customer.id}));

        // The second event is answered by a failure that may pass, and comes again under its id.
        receiver.answer_next(&[SinkAnswer { status: 503, headers: Vec::new() }]);
        let otp = customer.ask_by_mail(&server).await;
        let code = code_in_inbox(&server).await;
        customer.verify(&server, &otp, &code).await;
        let requests = receiver.wait_for(3).await;
        assert_eq!(requests[1].header("webhook-id"), requests[2].header("webhook-id"));
        assert_eq!(types(&told(&requests)), ["customer.created", "customer.email_verified"]);
        server.program.stop().await;
        let left = database.rows("select id from cr_outbox where status <> 'delivered'").await;
        assert!(left.is_empty(), "{left:?}");
    }

    /// 410 is final: the event waits as a dead letter, `doctor` lists it, and `outbox resend` sends it under its id.
    async fn what_was_given_up_is_listed_and_sent_again(database: TestDatabase) {
        let receiver = WebhookSink::start().await;
        let address = receiver.url().trim_start_matches("http://").parse().unwrap();
        receiver.answer_next(&[SinkAnswer { status: 410, headers: Vec::new() }]);
        let shop = Shop::new(&database, &configuration(address), "");
        let server = shop.serve().await;
        Customer::register(&server, "alice@example.com", "+15551234567").await;
        let refused = receiver.wait_for(1).await;
        until(&database, "cr_outbox where status = 'dead'", 1).await;
        let doctor = shop.run(&["doctor"]).await;
        let out = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert_eq!(doctor.status.code(), Some(1), "{out}");
        let id = refused[0].header("webhook-id").unwrap();
        assert!(out.contains("1 given up") && out.contains(id) && out.contains("(can be sent again)"), "{id} {out}");
        assert!(!out.contains("alice"), "{out}");

        let again = shop.run(&["outbox", "resend", id]).await;
        assert_eq!(String::from_utf8_lossy(&again.stdout), "1 events are due again\n");
        let requests = receiver.wait_for(2).await;
        assert_eq!(told(&requests).len(), 1, "the same event");
        server.program.stop().await;
        assert!(shop.run(&["doctor"]).await.status.success());
    }
}
