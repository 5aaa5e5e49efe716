//! What these tests share: options, an application on a database of its own, and a message.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cr_core::app::App;
use cr_core::delivery::message::{self, Message, MessageKind};
use cr_core::delivery::retry::RetryPolicy;
use cr_core::delivery::worker::Worker;
use cr_core::env::{Clock, Env};
use cr_core::providers::notification::smtp::SmtpOptions;
use cr_core::providers::notification::{ProviderOptions, ProviderSettings, Providers};
pub(crate) use cr_testkit::application::options;
use cr_testkit::{Frozen, SmtpSink, TestDatabase};
use secrecy::SecretString;

/// An application on a test's database, with frozen time.
pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) clock: Arc<Frozen>,
    pub(crate) database: TestDatabase,
}

/// Opens the database and sets the clock to the testkit's start.
pub(crate) async fn stage(database: TestDatabase) -> Stage {
    let (env, clock) = cr_testkit::env(1);
    let app = application(&database, env).await;
    Stage { app, clock, database }
}

/// One more application on the same database, as another replica has it.
pub(crate) async fn application(database: &TestDatabase, env: Env) -> App {
    cr_testkit::application::application(database, options(), env, None).await
}

impl Stage {
    /// Enqueues a mail with a code that lives 15 minutes, and commits.
    pub(crate) async fn enqueue(&self, key: &str) {
        let mut cx = self.app.begin().await.unwrap();
        let message = self.message("email", "ann@shop.test", key);
        message::enqueue(&mut cx, message).await.unwrap();
        cx.commit().await.unwrap();
    }

    /// A message with the code 135790.
    pub(crate) fn message(&self, channel: &str, to: &str, key: &str) -> Message {
        Message {
            kind: MessageKind::EmailVerification,
            channel: channel.to_owned(),
            to: to.to_owned(),
            variables: BTreeMap::from([
                ("customer_name", "Ann".to_owned()),
                ("code", "135790".to_owned()),
                ("expiry_minutes", "15".to_owned()),
            ]),
            trigger_type: "email_verification".to_owned(),
            receiver_id: Some("cus_1".to_owned()),
            expires_at: Some(self.app.shared.env.clock.now().plus_seconds(900)),
            idempotency_key: key.to_owned(),
        }
    }

    /// A worker that sends mail to the sink.
    pub(crate) fn worker(&self, sink: &SmtpSink) -> Worker {
        Worker::new(self.app.clone(), mail_providers(sink), RetryPolicy::default())
    }

    /// A worker with these providers.
    pub(crate) fn worker_with(&self, settings: &[ProviderSettings]) -> Worker {
        let providers = Providers::build(settings).unwrap_or_else(|problems| panic!("{problems:?}"));
        Worker::new(self.app.clone(), providers, RetryPolicy::default())
    }

    /// `(status, attempts, last_error, payload is there)` of all rows, in order of their keys.
    pub(crate) async fn rows(&self) -> Vec<(String, i64, String, bool)> {
        let sql = "select status, attempts, coalesce(last_error, '') as last_error, \
                   case when payload is null then 0 else 1 end as payloads from cr_outbox order by idempotency_key";
        let rows = self.database.rows(sql).await;
        rows.iter()
            .map(|row| {
                (
                    row["status"].as_str().unwrap().to_owned(),
                    row["attempts"].as_i64().unwrap(),
                    row["last_error"].as_str().unwrap().to_owned(),
                    row["payloads"].as_i64().unwrap() == 1,
                )
            })
            .collect()
    }

    /// Whether the worker was woken for messages, and for events, since this was last asked.
    pub(crate) async fn woken(&self) -> [bool; 2] {
        let mut woken = [false; 2];
        for (notify, is_woken) in
            [&self.app.shared.wake.messages, &self.app.shared.wake.events].into_iter().zip(&mut woken)
        {
            tokio::select! {
                biased;
                () = notify.notified() => *is_woken = true,
                () = std::future::ready(()) => {}
            }
        }
        woken
    }

    /// The present.
    pub(crate) fn now(&self) -> cr_types::timestamp::Timestamp {
        self.clock.now()
    }
}

/// The provider for a sink.
pub(crate) fn mail_providers(sink: &SmtpSink) -> Providers {
    Providers::build(&[mail(smtp_options(sink))]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Options for a sink: its address, credentials and authority.
pub(crate) fn smtp_options(sink: &SmtpSink) -> SmtpOptions {
    SmtpOptions {
        url: SecretString::from(sink.url()),
        from: "Shöp <no-reply@shop.test>".to_owned(),
        ca_file: Some(PathBuf::from(sink.ca_file())),
        timeout: Duration::from_secs(10),
    }
}

/// A provider for the channel `email`.
pub(crate) fn mail(options: SmtpOptions) -> ProviderSettings {
    ProviderSettings {
        id: "smtp".to_owned(),
        channels: vec!["email".to_owned()],
        options: ProviderOptions::Smtp(options),
    }
}
