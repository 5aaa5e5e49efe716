//! The configuration: compiled-in defaults, one file, the environment, and `…_FILE` secrets, checked as a whole at start.
//!
//! [`Config::load`] tells all problems at once, each with key, origin and fix. It reads no process state: everything comes
//! with [`Sources`], and only [`Sources::of_process`] looks at the real environment. The keys are declared once, in `keys`;
//! whether a template parses is not judged here but by the part that renders it.

mod building;
mod checking;
mod cleartext;
pub mod commands;
mod environment;
mod file;
mod json;
mod keys;
mod kind;
mod markdown;
mod masking;
mod nearest;
mod node;
mod notification;
mod options;
mod pending;
mod problem;
mod reading;
mod required;
mod schema;
mod secrets;
mod show;
mod sources;
mod values;
mod yaml;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use cr_core::options::Options;
use cr_core::storage::DatabaseSettings;
use ipnet::IpNet;
use secrecy::SecretString;

pub use node::Origin;
pub use problem::Problem;
pub use sources::Sources;

/// Everything that the server is told from outside.
#[derive(Clone)]
pub struct Config {
    /// Whether `NODE_ENV` is `production`.
    pub production: bool,
    /// What the rules need.
    pub options: Options,
    /// The database.
    pub database: DatabaseSettings,
    /// Listening, secrets, CORS, proxies.
    pub http: HttpConfig,
    /// Who delivers messages, and how often it is tried.
    pub notification: NotificationConfig,
    /// The Medusa backend behind this server; no trailing slash.
    pub gateway_upstream: Option<String>,
    /// Seconds to the upstream's response header.
    pub gateway_timeout: u64,
    /// Where the admin pages live; begins with `/`, ends without.
    pub admin_path: String,
    /// Whether there are none.
    pub admin_disable: bool,
    /// The address for `/metrics`.
    pub metrics_listen: Option<SocketAddr>,
    /// Form of log lines.
    pub log_format: LogFormat,
    /// A level or directives as `RUST_LOG` has them.
    pub log_level: String,
    /// The effective configuration as `config show` prints it: TOML with origins in comments, secrets masked.
    pub shown: String,
    /// Where the file's values came from: its path, or the built-in development defaults.
    pub source: String,
    /// What the operator should know at start.
    pub warnings: Vec<String>,
    /// What only `config check` says.
    pub notes: Vec<String>,
    /// Where development keeps its random `jwtSecret`; `None` when one is configured, or when the database has no file and there is none to stand beside.
    pub jwt_secret_file: Option<PathBuf>,
}

impl fmt::Debug for Config {
    /// The masked form: a configuration holds secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Config").field("shown", &self.shown).finish_non_exhaustive()
    }
}

/// `projectConfig.http`.
#[derive(Clone)]
pub struct HttpConfig {
    /// The address or name to listen on.
    pub host: String,
    /// The port; 0: a free one.
    pub port: u16,
    /// The first signs, all verify. Empty in development until [`Config::fill_development_secrets`].
    pub jwt_secrets: Vec<SecretString>,
    /// The session cookie's key. Empty in development until [`Config::fill_development_secrets`].
    pub cookie_secret: SecretString,
    /// As Medusa reads it; parsed where it is used.
    pub store_cors: Option<String>,
    /// As Medusa reads it; parsed where it is used.
    pub admin_cors: Option<String>,
    /// As Medusa reads it; parsed where it is used.
    pub auth_cors: Option<String>,
    /// Whether `/store` asks for a publishable key.
    pub publishable_key: PublishableKeyRule,
    /// Whose `X-Forwarded-For` is believed; `loopback` and `private` as their ranges.
    pub trust_proxy: Vec<IpNet>,
    /// Bytes of a request body.
    pub body_limit: usize,
    /// Password hashes that may wait.
    pub hash_queue: usize,
}

/// Whether `/store` asks for a publishable key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishableKeyRule {
    /// Where Medusa made the database.
    Auto,
    /// Always.
    Required,
    /// Never.
    Off,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// `notification`.
#[derive(Clone)]
pub struct NotificationConfig {
    /// In the configuration's order; no channel has two.
    pub providers: Vec<ProviderConfig>,
    /// How often and when a failed delivery is tried again.
    pub retry: RetryConfig,
}

/// One provider and its channels.
#[derive(Clone)]
pub struct ProviderConfig {
    /// `local`, `smtp`, `twilio` or `webhook`.
    pub id: String,
    /// The channels that it serves.
    pub channels: Vec<String>,
    /// What it is told.
    pub kind: ProviderKind,
}

/// A provider's options.
#[derive(Clone)]
pub enum ProviderKind {
    /// Keeps messages for the development inbox.
    Local,
    /// A mail server.
    Smtp {
        /// `smtp://` or `smtps://`, with user and password.
        url: SecretString,
        /// The sender, `Shop <no-reply@example.com>`.
        from: String,
        /// PEM file of root certificates to trust besides the usual ones.
        ca_file: Option<PathBuf>,
    },
    /// Twilio, or what speaks its Messages API.
    Twilio {
        /// `AC…`.
        account_sid: String,
        /// The account's token.
        auth_token: SecretString,
        /// The sending number.
        from: String,
        /// No trailing slash.
        base_url: String,
        /// PEM file of root certificates to trust besides the usual ones.
        ca_file: Option<PathBuf>,
    },
    /// Anything that takes a signed POST.
    Webhook {
        /// Where to.
        url: String,
        /// Signs the body.
        secret: SecretString,
        /// PEM file of root certificates to trust besides the usual ones.
        ca_file: Option<PathBuf>,
    },
}

/// `notification.retry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// Tries before a message is given up.
    pub attempts: i64,
    /// Seconds before the second try.
    pub first_seconds: i64,
    /// Seconds between two tries at most.
    pub max_seconds: i64,
}

impl Config {
    /// Makes the configuration out of its sources.
    ///
    /// # Errors
    /// Everything that is wrong with it, never an empty list.
    pub fn load(sources: &Sources) -> Result<Self, Vec<Problem>> {
        building::load(sources)
    }
}
