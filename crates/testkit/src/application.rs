//! The product without its HTTP side, on a test's database.

use std::sync::{Arc, RwLock};

use cr_core::app::{App, Faults, Shared, Wake};
use cr_core::delivery::template::Templates;
use cr_core::env::Env;
use cr_core::keys::Keys;
use cr_core::modules::account_deletion_request::counts::LargeCounts;
use cr_core::modules::rate_limit::channel_budget::BudgetAlarms;
use cr_core::options::{
    Erasure, Identifier, Limits, NoticeSection, Options, OtpCharset, PasswordHash, PasswordPolicy, TemplateSource,
};
use cr_core::password::{Algorithm, HashParams, HashPool};
use cr_db::Database;
use secrecy::SecretString;

use crate::database::TestDatabase;

/// Options with nothing configured and no limits; a test sets what it is about.
pub fn options() -> Options {
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
        event_webhooks: Vec::new(),
    }
}

/// An application with these options, cheap hashes, and every step going through `faults` where there are any. Call it twice
/// for two replicas.
///
/// # Panics
/// When a template of the options does not load.
pub async fn application(database: &TestDatabase, options: Options, env: Env, faults: Option<Arc<dyn Faults>>) -> App {
    application_hashing(database, options, env, faults, HashParams { log_n: 10, r: 8, p: 1 }).await
}

/// The same with hashes of a cost of the test's own, for tests that make thousands.
///
/// # Panics
/// As [`application`].
pub async fn application_hashing(
    database: &TestDatabase,
    options: Options,
    env: Env,
    faults: Option<Arc<dyn Faults>>,
    hashing: HashParams,
) -> App {
    application_on(database.connect().await, options, env, faults, hashing)
}

/// The same on a database that is open already.
///
/// # Panics
/// As [`application`].
pub fn application_on(
    database: Database,
    options: Options,
    env: Env,
    faults: Option<Arc<dyn Faults>>,
    hashing: HashParams,
) -> App {
    let templates = Templates::load(&options).unwrap_or_else(|problems| panic!("{problems:?}"));
    let secret = SecretString::from("a secret of at least thirty-two bytes".to_owned());
    let shared = Shared {
        keys: Keys::new(std::slice::from_ref(&secret), &secret),
        templates: RwLock::new(Arc::new(templates)),
        options,
        env,
        wake: Wake::default(),
        budget_alarms: BudgetAlarms::default(),
        large_counts: LargeCounts::default(),
        faults,
    };
    let hashes = Arc::new(HashPool::new(64, Algorithm::Scrypt(hashing)));
    App::new(Arc::new(shared), database, hashes)
}
