//! The plugin `customer-registration-medusa-companion` inside Medusa: what happens here fires the shop's subscribers there, and
//! codes go out by the shop's own provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cr_core::env::Env;
use cr_testkit::WebhookSink;
use cr_testkit::real_medusa::{self, RealMedusa};
use cr_testkit::webhook_sink::SinkAnswer;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::shop::Side::Here;
use crate::shop::{PASSWORD, Setting, Shop, open_with};

/// The second of the secrets in `e2e/medusa-…/medusa-config.ts`: `whsec_` and the base64 of [`KEY`].
const SECRET: &str = "whsec_YSBzZWNyZXQgYmV0d2VlbiBib3RoIG9mIHRoZW0=";
/// The bytes in [`SECRET`].
const KEY: &[u8] = b"a secret between both of them";
/// The plugin's route.
const HOOK: &str = "/hooks/customer-registration";

/// Events and mails go to the plugin.
fn to_the_plugin(medusa: &str) -> String {
    format!(
        r#"
[[notification.providers]]
id = "webhook"
channels = ["email"]
options = {{ url = "{medusa}{HOOK}", secret = "{SECRET}" }}

[[notification.providers]]
id = "local"
channels = ["sms"]

[notification.retry]
firstSeconds = 1

[[events.webhooks]]
url = "{medusa}{HOOK}"
secret = "{SECRET}"
events = ["*"]
"#
    )
}

/// The bodies that came to a path of the observer, once there are so many.
async fn heard(observer: &WebhookSink, path: &str, count: usize) -> Vec<Value> {
    for total in count.. {
        let requests = observer.wait_for(total).await;
        let bodies = requests.iter().filter(|request| request.path == path);
        let bodies: Vec<Value> = bodies.map(|request| serde_json::from_str(&request.body).unwrap()).collect();
        if bodies.len() >= count {
            return bodies;
        }
    }
    unreachable!("the loop has no end")
}

/// What Medusa keeps of the messages, once this server knows that all are delivered.
async fn kept(shop: &Shop) -> Vec<Value> {
    let open = "select id from cr_outbox where status <> 'delivered'";
    for _ in 0..1000 {
        if shop.database.rows(open).await.is_empty() {
            return shop.database.rows("select template, status, data from notification order by created_at").await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("not delivered: {:?}", shop.database.rows(open).await);
}

/// The six digits in a message.
fn code_in(message: &Value) -> String {
    let text = message.pointer("/content/text").and_then(Value::as_str).unwrap();
    regex::Regex::new(r"\b\d{6}\b").unwrap().find(text).unwrap().as_str().to_owned()
}

crate::each_version! {
    /// A shop's subscribers would never hear of customers who register here, and codes would be lost with a provider's first failure.
    async fn events_fire_subscribers_and_messages_take_the_shops_provider(version: Version) {
        let observer = WebhookSink::start().await;
        let variables = [("OBSERVER_URL", observer.url())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let setting = Setting { variables: &variables, delivery: to_the_plugin, ..Setting::default() };
        let shop = open_with(version, setting).await;
        let id = shop.customer(Here, "ann@example.com").await;
        let events = heard(&observer, "/events", 1).await;
        assert_eq!((&events[0]["name"], &events[0]["data"]), (&json!("customer.created"), &json!({"id": id})));
        assert!(events[0]["webhook_id"].as_str().unwrap().starts_with("evt_"), "{events:?}");

        observer.answer_next(&[SinkAnswer { status: 503, headers: Vec::new() }]);
        let login = shop.login(Here, "ann@example.com", PASSWORD).await.good().text("/token");
        let body = json!({"customer_id": id, "type": "email_verification"});
        let sent = shop.post(Here, "/store/customers/otp/send", Some(&login), body).await.good();
        let messages = heard(&observer, "/notifications", 2).await;
        assert_eq!(messages[0], messages[1], "the first was refused, the second is the same");
        assert_eq!((&messages[0]["to"], &messages[0]["data"]), (&json!("ann@example.com"), &json!({})));
        let body = json!({"token": sent.text("/token"), "code": code_in(&messages[1])});
        shop.post(Here, "/store/customers/otp/verify", Some(&login), body).await.good();
        let events = heard(&observer, "/events", 2).await;
        assert_eq!((&events[1]["name"], &events[1]["data"]), (&json!("customer.email_verified"), &json!({"id": id})));

        // A template of the shop's own gets the variables, which Medusa stores until they are sent.
        let body = json!({"identifier": "ann@example.com"});
        shop.post(Here, "/auth/customer/emailpass/reset-password", None, body).await.good();
        let messages = heard(&observer, "/notifications", 3).await;
        assert_eq!((&messages[2]["template"], messages[2].get("content")), (&json!("d-reset"), None));
        assert!(messages[2]["data"]["reset_url"].as_str().unwrap().contains("token="), "{messages:?}");
        assert_eq!(kept(&shop).await, [
            json!({"template": "email_verification", "status": "success", "data": {}}),
            json!({"template": "d-reset", "status": "success", "data": null}),
        ]);
        assert_eq!(heard(&observer, "/notifications", 3).await.len(), 3, "none came twice");
        shop.close().await;
    }
}

/// The answer of the plugin's route to a body with these headers.
async fn post(medusa: &RealMedusa, id: &str, timestamp: i64, signature: &str, body: &str) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{}{HOOK}", medusa.url)).header("content-type", "application/json");
    let request = request.header("webhook-id", id).header("webhook-timestamp", timestamp.to_string());
    let response = request.header("webhook-signature", signature).body(body.to_owned()).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

/// A signature by the key, as this server makes it.
fn sign(id: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(KEY).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

crate::each_version! {
    /// Anybody could fire a shop's subscribers and send mails in its name, and what is repeated would be sent twice.
    async fn strangers_are_refused_and_repeats_are_sent_once(version: Version) {
        let observer = WebhookSink::start().await;
        // Another test may have been first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let database = real_medusa::database(version).await;
        let medusa = RealMedusa::start_with(version, &database, &[("OBSERVER_URL", &observer.url())]).await;
        let now = Env::system().clock.now().seconds();
        let event = r#"{"type":"customer.created","data":{"id":"cus_1"}}"#;
        let reset = r#"{"type":"auth.password_reset","data":{"entity_id":"ann@example.com","actor_type":"customer"}}"#;
        let refused = |kind: &str, message: &str| json!({"type": kind, "message": message});
        let forged = refused("unauthorized", "No signature in webhook-signature is right");
        let late = refused("unauthorized", "The webhook-timestamp is too far from this server's clock");
        let broken = refused("invalid_data", "The body must be JSON");
        let empty = refused("invalid_data", "Field 'to' must be a text");
        let message = json!({"type": "notification.send", "data": {
            "to": "ann@example.com", "channel": "email", "template": "t", "subject": "s",
            "content": {"html": null, "text": "once"}, "data": {}, "trigger_type": "t", "receiver_id": null,
            "idempotency_key": "once",
        }});
        let message = message.to_string();
        let no_recipient = message.replace("ann@example.com", "");
        for (name, timestamp, signed, body, status, answer) in [
            ("forged", now, "another body", event, 401, forged.clone()),
            ("forged and broken", now, "another body", "{", 401, forged),
            ("old", now - 360, event, event, 401, late.clone()),
            ("early", now + 360, event, event, 401, late),
            ("broken", now, "{", "{", 400, broken),
            ("without a recipient", now, no_recipient.as_str(), no_recipient.as_str(), 400, empty),
            ("without its token", now, reset, reset, 200, json!({"outcome": "ignored"})),
            ("sent", now, message.as_str(), message.as_str(), 200, json!({"outcome": "sent"})),
            ("sent before", now, message.as_str(), message.as_str(), 200, json!({"outcome": "already_sent"})),
            ("genuine", now, event, event, 200, json!({"outcome": "emitted"})),
        ] {
            let signature = sign("msg_1", timestamp, signed);
            assert_eq!(post(&medusa, "msg_1", timestamp, &signature, body).await, (status, answer), "{name}");
        }
        let told: Vec<String> = observer.wait_for(2).await.into_iter().map(|request| request.path).collect();
        assert_eq!(told, ["/notifications", "/events"]);
    }
}
