//! From a configuration to a running product: database, keys, templates, providers, and the state of the HTTP side.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use cr_core::app::{App, Faults, Shared, Wake};
use cr_core::delivery::retry::RetryPolicy;
use cr_core::delivery::template::{TemplateProblem, Templates};
use cr_core::delivery::worker::Worker;
use cr_core::env::Env;
use cr_core::keys::Keys;
use cr_core::modules::account_deletion_request::counts::LargeCounts;
use cr_core::modules::rate_limit::channel_budget::BudgetAlarms;
use cr_core::options::PasswordHash;
use cr_core::password::{Algorithm, HashParams, HashPool};
use cr_core::providers::notification::smtp::{SMTP_TIMEOUT, SmtpOptions};
use cr_core::providers::notification::twilio::{TWILIO_TIMEOUT, TwilioOptions};
use cr_core::providers::notification::webhook::WebhookOptions;
use cr_core::providers::notification::{ProviderOptions, ProviderSettings, Providers};
use cr_core::storage::{self, Database};
use secrecy::SecretString;
use tokio::task::JoinHandle;

use crate::access::DatabaseAccess;
use crate::client_address::TrustedProxies;
use crate::config::{Config, ProviderConfig, ProviderKind, PublishableKeyRule};
use crate::gateway::Gateway;
use crate::middlewares::cors::Cors;
use crate::routes::{self, Routes};
use crate::state::{Http, ServerState};

/// Everything that runs, ready to be served.
pub struct Started {
    /// What requests reach.
    pub state: Arc<ServerState>,
    /// What delivers messages; runs beside the server.
    pub worker: Worker,
}

/// Templates that are being read and checked beside whatever comes first: that takes as long as it takes to open the database.
pub struct Reading(JoinHandle<Result<Templates, Vec<TemplateProblem>>>);

impl Reading {
    /// Begins.
    pub fn begin(config: &Config) -> Self {
        let options = config.options.clone();
        Self(tokio::task::spawn_blocking(move || Templates::load(&options)))
    }

    /// The templates.
    ///
    /// # Errors
    /// When one is wrong: every problem, a line each.
    async fn end(self) -> Result<Templates> {
        self.0.await?.map_err(|problems| {
            let told: Vec<String> = problems.iter().map(told_problem).collect();
            anyhow!("templates are wrong:\n- {}", told.join("\n- "))
        })
    }
}

/// The product alone, for commands that serve nothing. The database must be migrated.
///
/// # Errors
/// When the database cannot be opened, was not migrated, or a template is wrong; each with a sentence.
pub async fn build_app(config: &Config, env: Env, hashing: HashParams, faults: Option<Arc<dyn Faults>>) -> Result<App> {
    let templates = Reading::begin(config);
    let db = Database::connect(&config.database).await.context("the database cannot be opened")?;
    build_app_on(config, db, templates, env, hashing, faults).await
}

/// The same on a database that is open already.
///
/// # Errors
/// As [`build_app`].
pub async fn build_app_on(
    config: &Config,
    db: Database,
    templates: Reading,
    env: Env,
    hashing: HashParams,
    faults: Option<Arc<dyn Faults>>,
) -> Result<App> {
    let mut options = config.options.clone();
    if options.verification_since.is_none() {
        let text = storage::verification_since(&db).await.context("the database is not migrated; run `migrate`")?;
        options.verification_since = text;
    }
    let templates = templates.end().await?;
    let algorithm = match options.password_hash {
        PasswordHash::Scrypt => Algorithm::Scrypt(hashing),
        PasswordHash::Argon2id => Algorithm::Argon2id,
    };
    let shared = Shared {
        keys: Keys::new(&config.http.jwt_secrets, &config.http.cookie_secret),
        options,
        templates: RwLock::new(Arc::new(templates)),
        env,
        wake: Wake::default(),
        budget_alarms: BudgetAlarms::default(),
        large_counts: LargeCounts::default(),
        faults,
    };
    Ok(App::new(Arc::new(shared), db, Arc::new(HashPool::new(config.http.hash_queue, algorithm))))
}

/// The whole server around a product.
///
/// # Errors
/// When a provider, a CORS list or the database's state is wrong; each with a sentence.
pub async fn build(config: &Config, app: App) -> Result<Started> {
    let settings: Vec<ProviderSettings> = config.notification.providers.iter().map(provider).collect();
    let providers = Providers::build(&settings).map_err(|problems| {
        let told: Vec<String> = problems
            .iter()
            .map(|problem| format!("notification.providers[{}].{}: {}", problem.index, problem.key, problem.message))
            .collect();
        anyhow!("notification providers are wrong:\n- {}", told.join("\n- "))
    })?;
    let providers = providers.with_events(&app.shared.options.event_webhooks).map_err(|problems| {
        let told: Vec<String> = problems
            .iter()
            .map(|problem| format!("events.webhooks[{}].{}: {}", problem.index, problem.key, problem.message))
            .collect();
        anyhow!("receivers of events are wrong:\n- {}", told.join("\n- "))
    })?;
    let medusa_made = storage::is_medusa_made(&app.db).await.context("the database cannot be read")?;
    let mut table: Vec<&'static routes::Route> = routes::TABLE.iter().chain(routes::REFERENCE).collect();
    if !config.admin_disable {
        table.extend(routes::DOOR.iter().filter(|_| config.gateway_upstream.is_none()));
        table.extend(Vec::leak(routes::pages(config.admin_path.trim_end_matches('/'))).iter());
    }
    let http = Http {
        store_cors: cors("storeCors", config.http.store_cors.as_deref())?,
        admin_cors: cors("adminCors", config.http.admin_cors.as_deref())?,
        auth_cors: cors("authCors", config.http.auth_cors.as_deref())?,
        publishable_key_required: match config.http.publishable_key {
            PublishableKeyRule::Auto => medusa_made,
            PublishableKeyRule::Required => true,
            PublishableKeyRule::Off => false,
        },
        trusted_proxies: TrustedProxies::new(config.http.trust_proxy.clone()),
        body_limit: config.http.body_limit,
        access: Box::new(DatabaseAccess(app.clone())),
        routes: Routes::new(table),
        admin_path: config.admin_path.clone(),
        gateway: gateway(config)?,
        inbox: providers.inbox().cloned(),
    };
    let retry = config.notification.retry;
    let policy =
        RetryPolicy { attempts: retry.attempts, first_seconds: retry.first_seconds, max_seconds: retry.max_seconds };
    let worker = Worker::new(app.clone(), providers, policy);
    Ok(Started { state: Arc::new(ServerState { app, http }), worker })
}

/// A template's problem as a sentence.
pub fn told_problem(problem: &TemplateProblem) -> String {
    format!("{}: {}", problem.key, problem.message)
}

/// One of the three lists, told apart in the message by its key.
///
/// # Errors
/// When a pattern in it is none.
fn cors(key: &str, text: Option<&str>) -> Result<Cors> {
    Cors::parse(text.unwrap_or_default()).map_err(|problem| anyhow!("projectConfig.http.{key}: {problem}"))
}

/// A provider's entry as the core takes it.
fn provider(config: &ProviderConfig) -> ProviderSettings {
    let options = match &config.kind {
        ProviderKind::Local => ProviderOptions::Local,
        ProviderKind::Smtp { url, from, ca_file } => ProviderOptions::Smtp(SmtpOptions {
            url: url.clone(),
            from: from.clone(),
            ca_file: ca_file.clone(),
            timeout: SMTP_TIMEOUT,
        }),
        ProviderKind::Twilio { account_sid, auth_token, from, base_url, ca_file } => {
            ProviderOptions::Twilio(TwilioOptions {
                account_sid: account_sid.clone(),
                auth_token: auth_token.clone(),
                from: from.clone(),
                base_url: base_url.clone(),
                ca_file: ca_file.clone(),
                timeout: TWILIO_TIMEOUT,
            })
        }
        ProviderKind::Webhook { url, secret, ca_file } => ProviderOptions::Webhook(WebhookOptions {
            url: SecretString::from(url.clone()),
            secret: secret.clone(),
            ca_file: ca_file.clone(),
        }),
    };
    ProviderSettings { id: config.id.clone(), channels: config.channels.clone(), options }
}

/// The way to `gateway.upstream`, where there is one.
///
/// # Errors
/// When its address is none, or the system's certificates cannot be read.
fn gateway(config: &Config) -> Result<Option<Gateway>> {
    let Some(upstream) = &config.gateway_upstream else { return Ok(None) };
    let timeout = Duration::from_secs(config.gateway_timeout);
    Ok(Some(Gateway::new(upstream, timeout).context("gateway.upstream cannot be used")?))
}
