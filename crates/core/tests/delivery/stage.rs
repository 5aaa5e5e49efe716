//! What these tests share: options, an application on a database of its own, and a message.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use cr_core::app::{App, Shared};
use cr_core::delivery::message::{self, Message, MessageKind};
use cr_core::delivery::retry::RetryPolicy;
use cr_core::delivery::template::Templates;
use cr_core::delivery::worker::Worker;
use cr_core::env::{Clock, Env};
use cr_core::keys::Keys;
use cr_core::options::{
    Erasure, Identifier, Limits, NoticeSection, Options, OtpCharset, PasswordHash, PasswordPolicy, TemplateSource,
};
use cr_core::password::{Algorithm, HashParams, HashPool};
use cr_core::providers::notification::smtp::SmtpOptions;
use cr_core::providers::notification::{ProviderOptions, ProviderSettings, Providers};
use cr_testkit::{Frozen, SmtpSink, TestDatabase};
use secrecy::SecretString;
use tokio::sync::Notify;

/// Options with nothing configured, as a message sees them.
pub(crate) fn options() -> Options {
    let notice = |subject: &str| NoticeSection {
        template: TemplateSource::BuiltIn,
        subject: subject.to_owned(),
        disable: false,
    };
    Options {
        production: false,
        storefront_url: Some("https://shop.test".to_owned()),
        registration_identifier: Identifier::Both,
        require_verification: true,
        verification_since: None,
        login_identifier: Identifier::Both,
        otp_length: 6,
        otp_charset: OtpCharset::Numeric,
        otp_expiry_minutes: 15,
        max_attempts: 5,
        email_verification: None,
        phone_verification: None,
        password_reset: None,
        account_deletion_request: None,
        scheduled_days: 7,
        erasure: Erasure::Anonymize,
        account_deletion_cancel: None,
        contact_change_notice: notice("Your contact details were changed"),
        password_changed_notice: notice("Your password was changed"),
        default_country: None,
        password: PasswordPolicy { min_length: 8, max_length: 128, reject_common: true },
        password_hash: PasswordHash::Scrypt,
        referral_max_levels: 10,
        referral_mask_contacts: false,
        limits: Limits {
            wrong_codes: Vec::new(),
            sends_per_subject: Vec::new(),
            sends_per_destination: Vec::new(),
            sends_per_address: Vec::new(),
            sends_per_channel: Vec::new(),
            sms_countries: Vec::new(),
            login_failures: Vec::new(),
            login_delay: 900,
            login_failures_per_address: Vec::new(),
            registrations_per_address: Vec::new(),
            resets: Vec::new(),
            cancel_requests_per_address: Vec::new(),
            password_changes: Vec::new(),
            referral_guesses: Vec::new(),
        },
        jwt_expires_in: 86_400,
        auth_methods_per_actor: Vec::new(),
    }
}

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
    let options = options();
    let templates = Templates::load(&options).unwrap_or_else(|problems| panic!("{problems:?}"));
    let secret = SecretString::from("a secret of at least thirty-two bytes".to_owned());
    let shared = Shared {
        keys: Keys::new(std::slice::from_ref(&secret), &secret),
        templates: RwLock::new(Arc::new(templates)),
        options,
        env,
        wake: Notify::new(),
        faults: None,
    };
    let hashes = Arc::new(HashPool::new(8, Algorithm::Scrypt(HashParams { log_n: 10, r: 8, p: 1 })));
    App { shared: Arc::new(shared), db: database.connect().await, hashes }
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
