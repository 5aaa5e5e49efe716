//! Text messages up to the socket of something that behaves as Twilio does.

use std::time::Duration;

use cr_core::delivery::message;
use cr_core::providers::notification::twilio::{TWILIO_TIMEOUT, TwilioOptions};
use cr_core::providers::notification::{ProviderOptions, ProviderSettings};
use cr_testkit::sms_sink::{ACCOUNT_SID, AUTH_TOKEN, FROM, MESSAGING_SERVICE, SmsAnswer};
use cr_testkit::{SmsSink, TestDatabase, both};
use secrecy::SecretString;

use crate::stage::{Stage, stage};

const TO: &str = "+15550001111";
const TEXT: &str = "135790 is your verification code. It is valid for 15 minutes. Do not share it with anyone.";

/// The sink's own account.
fn options(sink: &SmsSink) -> TwilioOptions {
    TwilioOptions {
        account_sid: ACCOUNT_SID.to_owned(),
        auth_token: SecretString::from(AUTH_TOKEN.to_owned()),
        from: FROM.to_owned(),
        base_url: sink.url(),
        ca_file: None,
        timeout: TWILIO_TIMEOUT,
    }
}

/// A provider for the channel `sms`.
fn settings(options: TwilioOptions) -> [ProviderSettings; 1] {
    let channels = vec!["sms".to_owned()];
    [ProviderSettings { id: "twilio".to_owned(), channels, options: ProviderOptions::Twilio(options) }]
}

/// Enqueues a text message to a number and commits.
async fn enqueue(stage: &Stage, key: &str, to: &str) {
    let mut cx = stage.app.begin().await.unwrap();
    message::enqueue(&mut cx, stage.message("sms", to, key)).await.unwrap();
    cx.commit().await.unwrap();
}

/// The only row, compared: status, attempts, last error, whether the payload is there.
async fn assert_row(stage: &Stage, name: &str, row: (&str, i64, &str, bool)) {
    let (status, attempts, error, payload) = stage.rows().await.remove(0);
    assert_eq!((status.as_str(), attempts, error.as_str(), payload), row, "{name}");
}

both! {
    /// The sink judges path, credentials and form, as Twilio would.
    async fn a_text_message_is_taken_and_wiped(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmsSink::start().await;
        enqueue(&stage, "key", TO).await;
        let base_url = format!("{}/", sink.url());
        stage.worker_with(&settings(TwilioOptions { base_url, ..options(&sink) })).run_once().await.unwrap();
        assert_row(&stage, "taken", ("delivered", 1, "", false)).await;
        let text = sink.texts().remove(0);
        assert_eq!((text.to.as_str(), text.from.as_str(), text.body.as_str()), (TO, FROM, TEXT));
        assert_eq!(text.token.as_deref(), Some("key"));
    }

    /// The shop's account says who sends: a number, a name, or a service that chooses.
    async fn any_kind_of_sender_is_named_as_twilio_wants_it(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmsSink::start().await;
        for (number, from) in [FROM, "MyShop", "MGSHOP", MESSAGING_SERVICE].into_iter().enumerate() {
            enqueue(&stage, from, TO).await;
            let options = TwilioOptions { from: from.to_owned(), ..options(&sink) };
            stage.worker_with(&settings(options)).run_once().await.unwrap();
            assert_eq!(sink.texts().get(number).map(|text| text.from.clone()), Some(from.to_owned()));
        }
    }

    /// What the number, the account or the text is guilty of stays so: nothing is asked twice, nothing is kept.
    async fn what_twilio_refuses_for_good_is_given_up(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmsSink::start().await;
        let good = options(&sink);
        let refused = |code| vec![SmsAnswer::Refuse(400, code, None)];
        let elsewhere = SmsAnswer::Redirect(format!("{}/elsewhere", sink.url()));
        for (name, options, to, plan, error) in [
            ("no number", good.clone(), "+1", Vec::new(), "answered with HTTP status 400 and error 21211"),
            ("region", good.clone(), TO, refused(21408), "answered with HTTP status 400 and error 21408"),
            ("unsubscribed", good.clone(), TO, refused(21610), "answered with HTTP status 400 and error 21610"),
            ("no mobile", good.clone(), TO, refused(21614), "answered with HTTP status 400 and error 21614"),
            ("carrier", good.clone(), TO, refused(30007), "answered with HTTP status 400 and error 30007"),
            (
                "wrong token",
                TwilioOptions { auth_token: SecretString::from("wrong".to_owned()), ..good.clone() },
                TO,
                Vec::new(),
                "answered with HTTP status 401 and error 20003",
            ),
            (
                "wrong account",
                TwilioOptions { account_sid: "AC1".to_owned(), ..good.clone() },
                TO,
                Vec::new(),
                "answered with HTTP status 404 and error 20404",
            ),
            (
                "foreign sender",
                TwilioOptions { from: "+15559999999".to_owned(), ..good.clone() },
                TO,
                Vec::new(),
                "answered with HTTP status 400 and error 21606",
            ),
            ("a page", good.clone(), TO, vec![SmsAnswer::Page(403)], "answered with HTTP status 403"),
            ("a redirect", good.clone(), TO, vec![elsewhere], "answered with HTTP status 307"),
        ] {
            stage.database.sql("delete from cr_outbox").await;
            sink.answer_next(&plan);
            let before = sink.requests();
            enqueue(&stage, name, to).await;
            let worker = stage.worker_with(&settings(options));
            worker.run_once().await.unwrap();
            assert_row(&stage, name, ("dead", 1, error, false)).await;
            stage.clock.advance_seconds(600);
            worker.run_once().await.unwrap();
            assert_eq!(sink.requests() - before, 1, "{name}");
        }
        assert!(sink.texts().is_empty());
    }

    /// A bad minute of Twilio's costs no code: the message waits, as long as it was told to.
    async fn what_may_pass_is_tried_again(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmsSink::start().await;
        for (name, answer, wait, error) in [
            ("busy", SmsAnswer::Refuse(429, 20429, Some("60")), 60, "answered with HTTP status 429 and error 20429"),
            ("busy, no time told", SmsAnswer::Refuse(429, 20429, None), 7, "answered with HTTP status 429 and error 20429"),
            ("broken", SmsAnswer::Refuse(500, 20500, None), 7, "answered with HTTP status 500 and error 20500"),
            ("away", SmsAnswer::Page(503), 7, "answered with HTTP status 503"),
            ("a proxy's time is up", SmsAnswer::Page(408), 7, "answered with HTTP status 408"),
            ("hangs up", SmsAnswer::HangUp, 7, "connection failed"),
            ("breaks off", SmsAnswer::BreakOff, 7, "connection failed"),
            ("an endless page", SmsAnswer::Endless(502), 7, "answered with HTTP status 502"),
        ] {
            stage.database.sql("delete from cr_outbox").await;
            let sent = sink.texts().len();
            sink.answer_next(&[answer]);
            enqueue(&stage, name, TO).await;
            let worker = stage.worker_with(&settings(options(&sink)));
            assert_eq!(worker.run_once().await.unwrap(), 1, "{name}");
            assert_row(&stage, name, ("pending", 1, error, true)).await;
            stage.clock.advance_seconds(3);
            assert_eq!(worker.run_once().await.unwrap(), 0, "{name} comes too early");
            stage.clock.advance_seconds(wait - 3);
            assert_eq!(worker.run_once().await.unwrap(), 1, "{name}");
            assert_row(&stage, name, ("delivered", 2, "", false)).await;
            assert_eq!(sink.texts().len(), sent + 1, "{name}");
        }
        // An endless answer is left, not read: what was written is what the sockets' buffers hold.
        assert!(sink.endless_bytes() < 32 * 1024 * 1024, "{}", sink.endless_bytes());
    }

    /// A service that never answers holds neither the worker nor the message.
    async fn silence_ends_with_the_time_limit(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmsSink::start().await;
        sink.answer_next(&[SmsAnswer::Silence]);
        enqueue(&stage, "key", TO).await;
        let timeout = Duration::from_millis(100);
        let worker = stage.worker_with(&settings(TwilioOptions { timeout, ..options(&sink) }));
        worker.run_once().await.unwrap();
        assert_row(&stage, "silence", ("pending", 1, "timed out", true)).await;
        stage.clock.advance_seconds(7);
        stage.worker_with(&settings(options(&sink))).run_once().await.unwrap();
        assert_row(&stage, "then", ("delivered", 2, "", false)).await;
    }

    /// Nobody can know that a message went out whose answer got lost: it goes again, and the token says that it is the same.
    async fn a_lost_answer_repeats_the_message_under_one_token(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmsSink::start().await;
        sink.answer_next(&[SmsAnswer::LoseAnswer]);
        enqueue(&stage, "key", TO).await;
        let worker = stage.worker_with(&settings(options(&sink)));
        worker.run_once().await.unwrap();
        assert_row(&stage, "lost", ("pending", 1, "connection failed", true)).await;
        stage.clock.advance_seconds(7);
        worker.run_once().await.unwrap();
        assert_row(&stage, "again", ("delivered", 2, "", false)).await;
        let tokens: Vec<_> = sink.texts().into_iter().map(|text| text.token).collect();
        assert_eq!(tokens, [Some("key".to_owned()), Some("key".to_owned())]);
    }

    /// One bad number among many holds up nobody else.
    async fn a_refused_number_stops_no_other(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmsSink::start().await;
        for (key, to) in [("a", "+15550001111"), ("b", "+0"), ("c", "+15550001113")] {
            enqueue(&stage, key, to).await;
        }
        stage.worker_with(&settings(options(&sink))).run_once().await.unwrap();
        let statuses: Vec<String> = stage.rows().await.into_iter().map(|(status, ..)| status).collect();
        assert_eq!(statuses, ["delivered", "dead", "delivered"]);
    }
}

/// A template's characters arrive as they are; how many messages they cost is the service's business.
#[test]
fn any_characters_arrive_as_they_are() {
    cr_testkit::run(async {
        let stage = stage(TestDatabase::sqlite().await).await;
        let sink = SmsSink::start().await;
        for (number, name) in ["Zoë & Co = 100 % + more", "Łódź ✓ 你好", "🙂🙂", "a\nb"].into_iter().enumerate()
        {
            let mut message = stage.message("sms", TO, &number.to_string());
            message.kind = message::MessageKind::PasswordReset;
            message.variables = std::collections::BTreeMap::from([
                ("token", "t".to_owned()),
                ("phone", TO.to_owned()),
                ("reset_url", name.to_owned()),
            ]);
            let mut cx = stage.app.begin().await.unwrap();
            message::enqueue(&mut cx, message).await.unwrap();
            cx.commit().await.unwrap();
            stage.worker_with(&settings(options(&sink))).run_once().await.unwrap();
            let text = sink.texts().get(number).map(|text| text.body.clone());
            assert!(text.as_ref().is_some_and(|text| text.contains(name)), "{name}: {text:?}");
        }
    });
}
