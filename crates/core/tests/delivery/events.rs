//! Events from `emit` to the receiver's socket.

use std::time::Duration;

use cr_core::delivery::retry::RetryPolicy;
use cr_core::delivery::worker::Worker;
use cr_core::events::{self, Event};
use cr_core::options::{ContactType, EventWebhook};
use cr_core::providers::notification::Providers;
use cr_db::models::cr_outbox;
use cr_testkit::webhook_sink::SinkAnswer;
use cr_testkit::{SmtpSink, WebhookSink, both};
use cr_types::ids::CustomerId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, mail_providers, stage};

/// A receiver at an address that asks for some events.
fn receiver(url: &str, patterns: &[&str]) -> EventWebhook {
    EventWebhook {
        url: url.to_owned(),
        secret: SecretString::from("whsec_YSBrZXkgb2YgMjQgYnl0ZXMgbGVuZ3Ro".to_owned()),
        events: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
    }
}

/// A stage whose options have these receivers.
async fn stage_with(database: cr_testkit::TestDatabase, receivers: Vec<EventWebhook>) -> Stage {
    let mut stage = stage(database).await;
    let (env, clock) = cr_testkit::env(1);
    let mut options = crate::stage::options();
    options.event_webhooks = receivers;
    stage.app = cr_testkit::application::application(&stage.database, options, env, None).await;
    stage.clock = clock;
    stage
}

/// A worker for the stage's receivers.
fn worker(stage: &Stage, providers: Providers) -> Worker {
    let providers = providers.with_events(&stage.app.shared.options.event_webhooks);
    Worker::new(stage.app.clone(), providers.unwrap_or_else(|problems| panic!("{problems:?}")), RetryPolicy::default())
}

/// No provider of messages.
fn nobody() -> Providers {
    Providers::build(&[]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Emits in a transaction of its own.
async fn emit(stage: &Stage, event: Event) {
    let mut cx = stage.app.begin().await.unwrap();
    events::emit(&mut cx, event).await.unwrap();
    cx.commit().await.unwrap();
}

/// The customer of every event here.
fn ann() -> CustomerId {
    CustomerId::from_stored("cus_1")
}

both! {
    /// Each receiver gets what it asked for, in the frame of the specification, signed with its secret.
    async fn an_event_reaches_who_asked_for_it(database: TestDatabase) {
        let (all, some) = (WebhookSink::start().await, WebhookSink::start().await);
        let receivers = vec![receiver(&all.url(), &["*"]), receiver(&some.url(), &["account_deletion.*"])];
        let stage = stage_with(database, receivers).await;
        let (id, customer_id) = ("adr_1".to_owned(), ann());
        emit(&stage, Event::CustomerCreated { id: ann() }).await;
        emit(&stage, Event::CustomerContactChanged { id: ann(), contact: ContactType::Phone }).await;
        emit(&stage, Event::AccountDeletionConfirmed { id, customer_id }).await;
        assert_eq!(worker(&stage, nobody()).run_once().await.unwrap(), 4);

        let mut told: Vec<String> = all.requests().iter().map(|request| request.body.clone()).collect();
        told.sort();
        let frame = |name: &str, data: Value| json!({"type": name, "timestamp": stage.now(), "data": data}).to_string();
        assert_eq!(told, [
            frame("account_deletion.confirmed", json!({"id": "adr_1", "customer_id": "cus_1"})),
            frame("customer.contact_changed", json!({"id": "cus_1", "contact_type": "phone"})),
            frame("customer.created", json!({"id": "cus_1"})),
        ]);
        let request = some.requests().remove(0);
        assert_eq!(some.requests().len(), 1);
        let (id, timestamp) = (request.header("webhook-id").unwrap(), request.header("webhook-timestamp").unwrap());
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"a key of 24 bytes length").unwrap();
        mac.update(format!("{id}.{timestamp}.{}", request.body).as_bytes());
        let signature = request.header("webhook-signature").unwrap().strip_prefix("v1,").unwrap().to_owned();
        let signature = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, signature).unwrap();
        mac.verify_slice(&signature).unwrap();
        assert!(stage.rows().await.iter().all(|(status, _, _, payload)| status == "delivered" && !payload));
    }

    async fn an_event_that_somebody_asked_for_wakes_the_worker_for_events(database: TestDatabase) {
        let stage = stage_with(database, vec![receiver("http://127.0.0.1:9", &["customer.created"])]).await;
        emit(&stage, Event::CustomerContactChanged { id: ann(), contact: ContactType::Phone }).await;
        assert_eq!(stage.woken().await, [false, false], "nobody asked for it");
        emit(&stage, Event::CustomerCreated { id: ann() }).await;
        assert_eq!(stage.woken().await, [false, true]);
    }

    /// What is committed is claimed at once: by looks alone it would be one a second.
    async fn a_wake_for_events_is_followed_by_a_claim_of_events(database: TestDatabase) {
        let sink = WebhookSink::start().await;
        let stage = stage_with(database, vec![receiver(&sink.url(), &["*"])]).await;
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(worker(&stage, nobody()).run(stop.clone()));
        let one_by_one = async {
            for number in 1..=20 {
                emit(&stage, Event::CustomerCreated { id: ann() }).await;
                sink.wait_for(number).await;
            }
        };
        timeout(Duration::from_secs(10), one_by_one).await.expect("each wake is followed by a claim");
        stop.cancel();
        running.join_all().await;
    }

    /// What is rolled back did not happen.
    async fn an_event_goes_with_its_transaction(database: TestDatabase) {
        let stage = stage_with(database, vec![receiver("http://127.0.0.1:9", &["*"])]).await;
        let mut cx = stage.app.begin().await.unwrap();
        events::emit(&mut cx, Event::CustomerCreated { id: ann() }).await.unwrap();
        drop(cx);
        assert_eq!(stage.rows().await, []);
    }

    /// A receiver that is down for longer than all attempts loses nothing: its operator sends the events again.
    async fn a_dead_event_can_be_sent_again_and_a_dead_message_cannot(database: TestDatabase) {
        let sink = WebhookSink::start().await;
        let stage = stage_with(database, vec![receiver(&sink.url(), &["*"])]).await;
        sink.answer_next(&[SinkAnswer { status: 400, headers: Vec::new() }]);
        emit(&stage, Event::CustomerCreated { id: ann() }).await;
        let worker = worker(&stage, nobody());
        worker.run_once().await.unwrap();
        stage.database.sql(&format!(
            "insert into cr_outbox (id, channel, payload, template, trigger_type, idempotency_key, status, attempts, next_attempt_at, \
             created_at, updated_at) values ('msg_1', 'email', null, 't', 't', 'k', 'dead', 10, '{now}', '{now}', '{now}')",
            now = stage.now()
        )).await;
        let mut cx = stage.app.begin().await.unwrap();
        let dead = cr_outbox::list_dead(&mut cx.tx, 10).await.unwrap();
        let mut kept: Vec<_> = dead.iter().map(|row| (row.channel.as_str(), row.is_kept)).collect();
        kept.sort_unstable();
        assert_eq!(kept, [("email", false), ("event", true)]);
        assert_eq!(cr_outbox::revive(&mut cx.tx, None, cx.now).await.unwrap(), 1);
        cx.commit().await.unwrap();
        assert_eq!(worker.run_once().await.unwrap(), 1);
        let bodies: Vec<_> = sink.requests().into_iter().map(|request| request.body).collect();
        assert_eq!((bodies.len(), &bodies[0]), (2, &bodies[1]));
    }

    /// A receiver that was taken out of the configuration is waited for, as a channel without a provider is.
    async fn an_event_without_its_receiver_waits(database: TestDatabase) {
        let sink = WebhookSink::start().await;
        let stage = stage_with(database, vec![receiver(&sink.url(), &["*"])]).await;
        emit(&stage, Event::CustomerCreated { id: ann() }).await;
        Worker::new(stage.app.clone(), nobody(), RetryPolicy::default()).run_once().await.unwrap();
        assert_eq!(stage.rows().await, [("pending".to_owned(), 1, "no provider serves the channel".to_owned(), true)]);
        stage.clock.advance_seconds(60);
        worker(&stage, nobody()).run_once().await.unwrap();
        assert_eq!(sink.requests().len(), 1);
    }

    /// Twenty events at a receiver that takes connections and says nothing, and a code goes out all the same.
    async fn a_receiver_that_hangs_holds_up_no_message(database: TestDatabase) {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let stage = stage_with(database, vec![receiver(&url, &["*"])]).await;
        for _ in 0..20 {
            emit(&stage, Event::CustomerCreated { id: ann() }).await;
        }
        let sink = SmtpSink::start(cr_testkit::smtp_sink::SinkTls::None, None).await;
        #[expect(clippy::disallowed_methods, reason = "the test ends it itself")]
        let running = tokio::spawn(worker(&stage, mail_providers(&sink)).run(tokio_util::sync::CancellationToken::new()));
        stage.enqueue("key").await;
        assert_eq!(sink.wait_for(1).await.len(), 1);
        running.abort();
    }
}
