//! Mail over the socket: encryption, log-in, and what a client makes of the mail.

use std::time::Duration;

use cr_core::providers::notification::Providers;
use cr_testkit::smtp_sink::{Answer, SinkTls};
use cr_testkit::{SmtpSink, TestDatabase, both};
use secrecy::SecretString;

use crate::stage::{mail, mail_providers, smtp_options, stage};

const CREDENTIALS: Option<(&str, &str)> = Some(("mailer", "p4ss"));

both! {
    /// The mail as the customer's program reads it.
    async fn mail_goes_through_starttls_and_auth_with_html_and_text(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::StartTls, CREDENTIALS).await;
        stage.enqueue("key").await;
        stage.worker(&sink).run_once().await.unwrap();
        assert_eq!(stage.rows().await, [("delivered".to_owned(), 1, String::new(), false)]);

        let messages = sink.messages();
        let [message] = messages.as_slice() else { panic!("{messages:?}") };
        assert!(message.encrypted);
        assert_eq!(message.user.as_deref(), Some("mailer"));
        assert_eq!(message.sender, "no-reply@shop.test");
        assert_eq!(message.recipients, ["ann@shop.test"]);
        assert!(message.source.is_ascii());
        assert!(message.source.lines().all(|line| line.len() <= 78), "lines fit every server");

        let mail = message.mail();
        let id = stage.database.rows("select id from cr_outbox").await[0]["id"].as_str().unwrap().to_owned();
        assert_eq!(mail.header("Message-ID"), Some(format!("<{id}@shop.test>").as_str()));
        assert_eq!(mail.header("From"), Some("Shöp <no-reply@shop.test>"));
        assert_eq!(mail.header("To"), Some("ann@shop.test"));
        assert_eq!(mail.header("Subject"), Some("Your verification code"));
        assert_eq!(mail.header("Date"), Some("Fri, 02 Jan 2026 03:04:05 +0000"));
        assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
        assert_eq!(mail.parts, ["multipart/alternative", "text/plain", "text/html"]);
        let html = mail.html.unwrap();
        assert!(html.starts_with("<!doctype html>") && html.contains(">135790</td>"), "{html}");
        assert_eq!(
            mail.text.unwrap().trim_end(),
            "Your verification code\n\nHello Ann,\n\nenter this code to confirm that this address is yours.\n\n135790\n\n\
             It is valid for 15 minutes and works once.\n\nNobody from us will ever ask you for this code. If you did not \
             ask for it, you can ignore this mail."
        );
    }
}

/// One attempt against a sink on SQLite; what the row says then.
async fn attempt(providers: Providers) -> (String, String) {
    let stage = stage(TestDatabase::sqlite().await).await;
    stage.enqueue("key").await;
    let policy = cr_core::delivery::retry::RetryPolicy::default();
    cr_core::delivery::worker::Worker::new(stage.app.clone(), providers, policy).run_once().await.unwrap();
    let (status, _, error, _) = stage.rows().await.remove(0);
    (status, error)
}

#[test]
fn each_kind_of_connection_delivers() {
    cr_testkit::run(async {
        for (tls, credentials) in [
            (SinkTls::None, None),
            (SinkTls::None, CREDENTIALS),
            (SinkTls::StartTls, None),
            (SinkTls::Wrapped, None),
            (SinkTls::Wrapped, CREDENTIALS),
        ] {
            let sink = SmtpSink::start(tls, credentials).await;
            let (status, error) = attempt(mail_providers(&sink)).await;
            assert_eq!((status.as_str(), error.as_str()), ("delivered", ""), "{tls:?} {credentials:?}");
            assert_eq!(sink.messages()[0].encrypted, tls != SinkTls::None, "{tls:?}");
        }
    });
}

/// A wrong password in the configuration must not cost messages: the operator mends it, and they go out.
#[test]
fn a_session_that_fails_is_tried_again_and_the_mail_goes_nowhere_else() {
    cr_testkit::run(async {
        let sink = SmtpSink::start(SinkTls::StartTls, CREDENTIALS).await;
        let url = |url: String| SecretString::from(url);
        let address = sink.address();
        let good = smtp_options(&sink);
        let plain = SmtpSink::start(SinkTls::None, None).await;
        for (name, options, error) in [
            (
                "wrong password",
                cr_core::providers::notification::smtp::SmtpOptions {
                    url: url(format!("smtp://mailer:wrong@{address}?tls=required")),
                    ..good.clone()
                },
                "mail server refused the session with 535",
            ),
            (
                "no STARTTLS where it is required",
                cr_core::providers::notification::smtp::SmtpOptions {
                    url: url(format!("smtp://{}?tls=required", plain.address())),
                    ..good.clone()
                },
                "mail server broke off or did not speak as expected",
            ),
            (
                "an authority that nobody trusts",
                cr_core::providers::notification::smtp::SmtpOptions { ca_file: None, ..good.clone() },
                "connection failed",
            ),
        ] {
            let providers = Providers::build(&[mail(options)]).unwrap_or_else(|problems| panic!("{problems:?}"));
            assert_eq!(attempt(providers).await, ("pending".to_owned(), error.to_owned()), "{name}");
        }
        assert!(sink.messages().is_empty() && plain.messages().is_empty());
    });
}

/// A server that takes the connection and says nothing must not hold a worker for ever.
#[test]
fn a_server_that_stalls_times_out() {
    cr_testkit::run(async {
        let sink = SmtpSink::start(SinkTls::None, None).await;
        sink.answer_next(&[Answer::Stall]);
        let options = cr_core::providers::notification::smtp::SmtpOptions {
            timeout: Duration::from_millis(200),
            ..smtp_options(&sink)
        };
        let providers = Providers::build(&[mail(options)]).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(attempt(providers).await, ("pending".to_owned(), "timed out".to_owned()));
    });
}

#[test]
fn settings_without_sense_are_named_all_at_once_without_their_values() {
    let sink_less = |url: &str, from: &str, ca_file: Option<&str>| {
        mail(cr_core::providers::notification::smtp::SmtpOptions {
            url: SecretString::from(url.to_owned()),
            from: from.to_owned(),
            ca_file: ca_file.map(Into::into),
            timeout: Duration::from_secs(1),
        })
    };
    let settings = [
        sink_less("https://s3cret@mail.test", "a@shop.test", None),
        sink_less("smtp://mail.test", "nobody", None),
        sink_less("smtp://mail.test", "a@shop.test", Some("/does/not/exist.pem")),
    ];
    let problems = Providers::build(&settings).err().unwrap();
    let keys: Vec<_> = problems.iter().map(|problem| (problem.index, problem.key)).collect();
    assert_eq!(
        keys,
        [(0, "options.url"), (1, "options.from"), (1, "channels"), (2, "options.caFile"), (2, "channels")]
    );
    assert_eq!(problems[2].message, "Multiple providers are configured for the same channel: email");
    assert!(problems.iter().all(|problem| !problem.message.contains("s3cret")));
}
