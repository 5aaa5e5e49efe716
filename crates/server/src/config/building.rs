//! From the sources to a [`Config`]: layers laid on one another, each checked alone, then the whole judged and built.

use std::path::Path;

use ipnet::IpNet;
use secrecy::SecretString;

use super::checking::{Findings, Place, check};
use super::node::{Node, Origin};
use super::reading::Reader;
use super::{Config, HttpConfig, LogFormat, Problem, PublishableKeyRule, Sources};
use super::{cleartext, environment, file, notification, options, pending, required, secrets, show, values};

/// The layer below all others.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");
/// The layer that takes a file's place in development.
pub(crate) const DEVELOPMENT: &str = include_str!("config.development.toml");

/// A compiled-in layer. It is right: a test reads both.
pub(crate) fn built_in(text: &str, origin: &Origin) -> Node {
    file::parse_toml(text, &|_| origin.clone()).unwrap_or_else(|_| Node::empty(origin.clone()))
}

/// What [`Config::load`] does.
pub(crate) fn load(sources: &Sources) -> Result<Config, Vec<Problem>> {
    let mut findings = Findings::default();
    let mut tree = built_in(DEFAULTS, &Origin::Default);
    let file = sources.file();
    let mut file_dir = sources.working_dir.clone();
    let mut source = "built-in defaults".to_owned();
    match &file {
        Some((path, shown)) => {
            source.clone_from(shown);
            file_dir = path.parent().map_or(file_dir, Path::to_owned);
            let layer = file::read(path, shown)?;
            if let Some(layer) = check(layer, &Place::root(), &file_dir, &mut findings) {
                tree.overlay(layer);
            }
        }
        None if !sources.production() => {
            "built-in development defaults".clone_into(&mut source);
            tree.overlay(built_in(DEVELOPMENT, &Origin::Development));
        }
        None => {}
    }
    environment::apply(&mut tree, sources, &mut findings);
    let mut reader = Reader {
        tree: &tree,
        findings,
        warnings: Vec::new(),
        notes: Vec::new(),
        production: sources.production(),
        file_dir,
        working_dir: sources.working_dir.clone(),
    };
    let config = build(&mut reader, sources, source);
    if reader.findings.problems.is_empty() {
        Ok(Config { warnings: reader.warnings, notes: reader.notes, ..config })
    } else {
        Err(reader.findings.problems)
    }
}

/// Builds and judges the whole; warnings and notes are still the reader's.
fn build(reader: &mut Reader<'_>, sources: &Sources, source: String) -> Config {
    required::judge(reader);
    let mut options = options::build(reader);
    let database = cr_core::storage::DatabaseSettings {
        url: reader.text("projectConfig.databaseUrl"),
        schema: reader.text("projectConfig.databaseSchema"),
        min_connections: count(reader, "projectConfig.databaseDriverOptions.pool.min"),
        max_connections: count(reader, "projectConfig.databaseDriverOptions.pool.max"),
        place_timeout: cr_core::storage::PLACE_TIMEOUT,
    };
    let http = http(reader, sources.cores);
    let jwt_secret_file =
        if http.jwt_secrets.is_empty() { secrets::development_file(&database.url, &sources.working_dir) } else { None };
    warn_of_random_secret(reader, &http, jwt_secret_file.as_deref());
    let notification = notification::build(reader);
    notification::judge_named_channels(reader, &options, &notification);
    options.event_webhooks = notification::webhooks(reader);
    cleartext::warn(reader, &notification, &options.event_webhooks);
    let gateway_upstream = reader.find_text("gateway.upstream").map(|url| url.trim_end_matches('/').to_owned());
    let usual_path = if gateway_upstream.is_some() { "/customer-registration" } else { "/app" };
    let config = Config {
        production: reader.production,
        admin_path: reader
            .find_text("admin.path")
            .map_or(usual_path.to_owned(), |path| path.trim_end_matches('/').to_owned()),
        admin_disable: reader.boolean("admin.disable"),
        metrics_listen: reader.find_text("metrics.listen").and_then(|address| address.parse().ok()),
        log_format: match reader.find_text("log.format").as_deref() {
            Some("text") => LogFormat::Text,
            None if sources.terminal => LogFormat::Text,
            _ => LogFormat::Json,
        },
        log_level: reader.text("log.level"),
        gateway_timeout: u64::try_from(reader.integer("gateway.timeoutSeconds")).unwrap_or(60),
        gateway_upstream,
        options,
        database,
        http,
        notification,
        shown: show::print(reader.tree),
        source,
        warnings: Vec::new(),
        notes: Vec::new(),
        jwt_secret_file,
    };
    judge_pool(reader, &config);
    judge_host(reader, &config, sources.dev_public);
    judge_paths(reader, &config);
    pending::warn(reader);
    config
}

/// A number of connections; the table keeps it in range.
fn count(reader: &Reader<'_>, path: &str) -> u32 {
    u32::try_from(reader.integer(path)).unwrap_or(0)
}

/// `projectConfig.http`.
fn http(reader: &mut Reader<'_>, cores: usize) -> HttpConfig {
    let jwt_secrets: Vec<SecretString> = reader
        .node("projectConfig.http.jwtSecret")
        .map(|node| node.texts().into_iter().map(SecretString::from).collect())
        .unwrap_or_default();
    let cookie_secret = reader.find_secret("projectConfig.http.cookieSecret");
    secrets::judge(reader, &jwt_secrets, cookie_secret.as_ref());
    let hash_queue =
        reader.find_integer("projectConfig.http.hashQueue").and_then(|number| usize::try_from(number).ok());
    HttpConfig {
        host: reader.text("projectConfig.http.host"),
        port: u16::try_from(reader.integer("projectConfig.http.port")).unwrap_or(0),
        jwt_secrets,
        cookie_secret: cookie_secret.unwrap_or_default(),
        store_cors: reader.find_text("projectConfig.http.storeCors"),
        admin_cors: reader.find_text("projectConfig.http.adminCors"),
        auth_cors: reader.find_text("projectConfig.http.authCors"),
        publishable_key: match reader.text("projectConfig.http.publishableKey").as_str() {
            "required" => PublishableKeyRule::Required,
            "off" => PublishableKeyRule::Off,
            _ => PublishableKeyRule::Auto,
        },
        trust_proxy: trust_proxy(reader),
        body_limit: reader.size("projectConfig.http.bodyLimit"),
        hash_queue: hash_queue.unwrap_or_else(|| cores.saturating_mul(32).max(64)),
    }
}

/// `http.trustProxy` with its words as ranges.
fn trust_proxy(reader: &Reader<'_>) -> Vec<IpNet> {
    reader.node("projectConfig.http.trustProxy").and_then(|node| values::networks(node).ok()).unwrap_or_default()
}

/// The one warning about development's own `jwtSecret`.
fn warn_of_random_secret(reader: &mut Reader<'_>, http: &HttpConfig, file: Option<&Path>) {
    if reader.production || !http.jwt_secrets.is_empty() || reader.findings.is_left_out("projectConfig.http.jwtSecret")
    {
        return;
    }
    let kept = file.map_or("for this run".to_owned(), |file| format!("kept in {}", file.display()));
    reader.warnings.push(format!(
        "JWT secret is not configured: using a random one, {kept}. Production needs projectConfig.http.jwtSecret."
    ));
}

/// A pool's ends are in order.
fn judge_pool(reader: &mut Reader<'_>, config: &Config) {
    if config.database.min_connections > config.database.max_connections {
        reader.tell(
            "projectConfig.databaseDriverOptions.pool.min",
            "min is greater than max",
            "Lower min or raise max.",
        );
    }
}

/// Development shows its messages to whoever asks, so it stays on this machine unless told otherwise.
fn judge_host(reader: &mut Reader<'_>, config: &Config, dev_public: bool) {
    let host = config.http.host.trim_start_matches('[').trim_end_matches(']');
    let is_address = host.parse::<std::net::IpAddr>();
    let is_loopback = host.eq_ignore_ascii_case("localhost") || is_address.is_ok_and(|address| address.is_loopback());
    if config.production || dev_public || is_loopback {
        return;
    }
    reader.tell(
        "projectConfig.http.host",
        "development listens on loopback addresses only: anybody who reaches it can read its messages",
        "Use `127.0.0.1`, or start with `--dev-public`, or set NODE_ENV=production.",
    );
}

/// Admin pages and metrics stay off the routes and the port of the API.
fn judge_paths(reader: &mut Reader<'_>, config: &Config) {
    let first = config.admin_path.split('/').nth(1).unwrap_or_default();
    if ["", "store", "auth", "admin", "health", "docs", "openapi.json"].contains(&first) {
        reader.tell("admin.path", "the path belongs to the API", "Use another, such as `/app`.");
    }
    let same_port =
        config.metrics_listen.is_some_and(|address| address.port() == config.http.port && address.port() != 0);
    if same_port {
        reader.tell("metrics.listen", "metrics must not be on the public port", "Use another port.");
    }
}
