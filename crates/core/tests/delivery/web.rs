//! Messages by HTTP: `webhook`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cr_core::delivery::message;
use cr_core::providers::notification::webhook::WebhookOptions;
use cr_core::providers::notification::{ProviderOptions, ProviderSettings};
use cr_testkit::webhook_sink::SinkAnswer;
use cr_testkit::{WebhookSink, both};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::stage::{Stage, stage};

/// `whsec_` and the base64 of `a key of 24 bytes length`.
const SECRET: &str = "whsec_YSBrZXkgb2YgMjQgYnl0ZXMgbGVuZ3Ro";

/// A webhook for `email` and `sms` at the sink.
fn webhook(sink: &WebhookSink) -> ProviderSettings {
    ProviderSettings {
        id: "hook".to_owned(),
        channels: vec!["email".to_owned(), "sms".to_owned()],
        options: ProviderOptions::Webhook(WebhookOptions {
            url: SecretString::from(format!("{}/hooks?from=cr", sink.url())),
            secret: SecretString::from(SECRET.to_owned()),
            ca_file: None,
        }),
    }
}

/// Enqueues a text message and commits.
async fn enqueue_text(stage: &Stage) {
    let mut cx = stage.app.begin().await.unwrap();
    message::enqueue(&mut cx, stage.message("sms", "+15550001111", "key")).await.unwrap();
    cx.commit().await.unwrap();
}

both! {
    /// An operator's endpoint checks the signature with any Standard Webhooks library.
    async fn a_webhook_is_signed_and_says_everything(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = WebhookSink::start().await;
        enqueue_text(&stage).await;
        stage.worker_with(&[webhook(&sink)]).run_once().await.unwrap();
        assert_eq!(stage.rows().await, [("delivered".to_owned(), 1, String::new(), false)]);

        let requests = sink.requests();
        let [request] = requests.as_slice() else { panic!("{requests:?}") };
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hooks?from=cr"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("idempotency-key"), Some("key"));
        let row = stage.database.rows("select id from cr_outbox").await.remove(0);
        let id = request.header("webhook-id").unwrap();
        assert_eq!(Some(id), row["id"].as_str());
        let timestamp = request.header("webhook-timestamp").unwrap();
        assert_eq!(timestamp, stage.now().seconds().to_string());
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"a key of 24 bytes length").unwrap();
        mac.update(format!("{id}.{timestamp}.{}", request.body).as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(request.header("webhook-signature"), Some(signature.as_str()));

        let body: Value = serde_json::from_str(&request.body).unwrap();
        let text = "135790 is your verification code. It is valid for 15 minutes. Do not share it with anyone.";
        assert_eq!(
            body,
            json!({
                "type": "notification.send",
                "timestamp": "2026-01-02T03:04:05.678Z",
                "data": {
                    "to": "+15550001111",
                    "channel": "sms",
                    "template": "email_verification",
                    "subject": null,
                    "content": { "html": null, "text": text },
                    "data": {
                        "customer_name": "Ann", "email": "", "phone": "", "otp": "135790", "code": "135790",
                        "expires_at": "2026-01-02T03:19:05.678Z", "expiry_minutes": "15",
                    },
                    "trigger_type": "email_verification",
                    "receiver_id": "cus_1",
                    "idempotency_key": "key",
                },
            })
        );
    }

    /// What the endpoint answers decides: busy is later, and not before it said; refused is final.
    async fn an_answer_decides_by_its_status(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = WebhookSink::start().await;
        let answer = |status, headers: &[(&'static str, &str)]| SinkAnswer {
            status,
            headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        };
        let elsewhere = format!("{}/elsewhere", sink.url());
        sink.answer_next(&[
            answer(503, &[]),
            answer(429, &[("retry-after", "120")]),
            answer(307, &[("location", &elsewhere)]),
        ]);
        enqueue_text(&stage).await;
        let worker = stage.worker_with(&[webhook(&sink)]);
        for (name, wait, attempts, row) in [
            ("busy", 0, 1, ("pending", 1, "answered with HTTP status 503", true)),
            ("too many", 7, 1, ("pending", 2, "answered with HTTP status 429", true)),
            ("waits as told", 119, 0, ("pending", 2, "answered with HTTP status 429", true)),
            ("a redirect is not followed", 1, 1, ("dead", 3, "answered with HTTP status 307", false)),
        ] {
            stage.clock.advance_seconds(wait);
            assert_eq!(worker.run_once().await.unwrap(), attempts, "{name}");
            let (status, number, error, payload) = stage.rows().await.remove(0);
            assert_eq!((status.as_str(), number, error.as_str(), payload), row, "{name}");
        }
        let requests = sink.requests();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| request.body == requests[0].body), "a repeat is the same");
    }
}
