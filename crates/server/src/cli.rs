//! The command line: `serve`, `migrate`, `user`, `api-key`, `config`, `job`, `db copy`, `doctor`, `outbox`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Parser, Subcommand, ValueEnum};
use cr_core::env::Env;
use cr_core::password::HashParams;
use cr_core::storage::{Database, migrate};
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use cr_core::workflows::create_user;
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::config::{Config, LogFormat, Sources, commands};
use crate::openapi;
use crate::{run, start};

mod copy;
mod doctor;
mod job;

/// A customer-identity server for shops that run Medusa v2.
#[derive(Parser)]
#[command(name = "customer-registration", version, about)]
pub struct Cli {
    /// The configuration file: TOML, YAML or JSON by its ending.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer requests and deliver messages until told to stop.
    Serve {
        /// Let development listen on other than loopback addresses.
        #[arg(long)]
        dev_public: bool,
    },
    /// Bring the database up to date.
    Migrate {
        /// Only tell what was done and what would be.
        #[arg(long)]
        status: bool,
        /// Give flags that the Node plugin set since then their proof.
        #[arg(long)]
        adopt_flags: bool,
    },
    /// Print the OpenAPI document, as `/openapi.json` has it.
    Openapi,
    /// Make an administrator.
    User {
        /// The e-mail to log in with.
        #[arg(short, long)]
        email: String,
        /// The password; read from standard input when left out.
        #[arg(short, long)]
        password: Option<String>,
    },
    /// API keys.
    ApiKey {
        #[command(subcommand)]
        command: ApiKeyCommand,
    },
    /// Scheduled jobs.
    Job {
        #[command(subcommand)]
        command: JobCommand,
    },
    /// Tell how this installation stands: database, warnings, messages that were given up.
    Doctor,
    /// Messages and events on their way.
    Outbox {
        #[command(subcommand)]
        command: OutboxCommand,
    },
    /// The database as a whole.
    Db {
        #[command(subcommand)]
        command: DbCommand,
    },
    /// The configuration: check it, show it, describe it.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Subcommand)]
enum ApiKeyCommand {
    /// Make a key and print it; a secret one is shown only this once.
    Create {
        /// Which kind.
        #[arg(long = "type", value_enum)]
        kind: KeyType,
        /// What to call it.
        #[arg(long, default_value = "customer-registration")]
        title: String,
    },
}

#[derive(Subcommand)]
enum JobCommand {
    /// Run a job now; the server runs it each hour, too.
    Run {
        /// Which one.
        #[arg(value_enum)]
        job: job::Job,
    },
}

#[derive(Subcommand)]
enum OutboxCommand {
    /// Send events again that were given up.
    Resend {
        /// The event's id, as `doctor` lists it; all of them when left out.
        id: Option<String>,
    },
}

#[derive(Subcommand)]
enum DbCommand {
    /// Move a shop from a SQLite file to PostgreSQL; stop the servers on both first. Begun again, it goes on.
    Copy {
        /// The file, `sqlite://customer-registration.db`.
        #[arg(long)]
        from: String,
        /// The server, `postgres://…`; migrated, and without customers.
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        to: String,
        /// The schema there.
        #[arg(long, default_value = "public")]
        schema: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum KeyType {
    /// For storefronts, in `x-publishable-api-key`.
    Publishable,
    /// For machines, as Basic credentials on admin routes.
    Secret,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Tell everything that is wrong, without starting.
    Check,
    /// Print what holds, secrets masked, and where each value came from.
    Show,
    /// Print a JSON Schema for editors.
    Schema,
}

/// Runs one command.
///
/// # Errors
/// What went wrong, in a sentence for a terminal.
pub async fn run(cli: Cli) -> Result<()> {
    // Only what listens, or judges what would, minds the host.
    let dev_public = !matches!(cli.command, Command::Serve { dev_public: false } | Command::Config { .. });
    let sources = Sources::of_process(cli.config, dev_public).context("the working folder cannot be read")?;
    match cli.command {
        Command::Config { command } => config(&sources, &command),
        Command::Openapi => {
            std::io::stdout().write_all(openapi::DOCUMENT.as_bytes())?;
            Ok(())
        }
        Command::Serve { .. } => serve(&sources).await,
        Command::Migrate { status, adopt_flags } => migrate(&sources, status, adopt_flags).await,
        Command::User { email, password } => user(&sources, &email, password).await,
        Command::Job { command: JobCommand::Run { job } } => job::run(&sources, job).await,
        Command::Doctor => doctor::doctor(&sources).await,
        Command::Outbox { command: OutboxCommand::Resend { id } } => doctor::resend(&sources, id.as_deref()).await,
        Command::Db { command: DbCommand::Copy { from, to, schema } } => copy::run(&from, &to, &schema).await,
        Command::ApiKey { command: ApiKeyCommand::Create { kind, title } } => api_key(&sources, kind, &title).await,
    }
}

/// `config check`, `config show`, `config schema`; the text goes to standard output.
///
/// # Errors
/// All problems of the configuration at once.
#[expect(clippy::print_stdout, reason = "the command's output")]
fn config(sources: &Sources, command: &ConfigCommand) -> Result<()> {
    let text = match command {
        ConfigCommand::Check => commands::check(sources).map_err(|problems| anyhow!(problems))?,
        ConfigCommand::Show => commands::show(sources).map_err(|problems| anyhow!(problems))?,
        ConfigCommand::Schema => commands::schema(),
    };
    print!("{text}");
    Ok(())
}

/// The configuration with development's secrets filled in.
fn load(sources: &Sources, env: &Env) -> Result<Config> {
    let mut config = Config::load(sources).map_err(|problems| anyhow!(commands::told(&problems)))?;
    config.fill_development_secrets(env).context("the development secret cannot be kept")?;
    Ok(config)
}

/// From the configuration to the last answer: checks, database, sockets, and then requests until a signal.
///
/// # Errors
/// Whatever keeps the server from starting, in a sentence; a failure afterwards is a log line.
async fn serve(sources: &Sources) -> Result<()> {
    let env = Env::system();
    let config = load(sources, &env)?;
    start_logging(&config)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if !config.production {
        let options = &config.options;
        tracing::debug!(
            otp.length = options.otp_length,
            otp.charset = ?options.otp_charset,
            otp.expiry_minutes = options.otp_expiry_minutes,
            otp.max_attempts = options.max_attempts,
            "Codes have {} characters, live {} minutes and take {} guesses",
            options.otp_length,
            options.otp_expiry_minutes,
            options.max_attempts
        );
    }
    let templates = start::Reading::begin(&config);
    let db = Database::connect(&config.database).await.context("the database cannot be opened")?;
    prepare_database(&config, &db, &env).await?;
    let app = start::build_app_on(&config, db, templates, env, HashParams::default(), None).await?;
    let stop = run::on_signals(app.clone())?;
    let started = start::build(&config, app).await?;
    let address = (config.http.host.as_str(), config.http.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {}:{}; is another server running there?", address.0, address.1))?;
    greet(&config, &listener, started.state.http.inbox.is_some())?;
    run::serve(started, listener, stop).await;
    Ok(())
}

/// Development migrates by itself; production is told to, so that nobody's shop changes by a restart.
async fn prepare_database(config: &Config, db: &Database, env: &Env) -> Result<()> {
    let status = migrate::status(db).await.context("the database cannot be read")?;
    if status.is_current() {
        return Ok(());
    }
    if config.production {
        bail!(
            "the database is not up to date; run `customer-registration migrate` first (`migrate --status` tells what it does)"
        );
    }
    migrate::run(db, env.clock.now()).await?;
    tracing::info!("The database was migrated");
    Ok(())
}

/// Where to go first, for the person who has just started it. Nobody need be there to read it.
fn greet(config: &Config, listener: &TcpListener, has_inbox: bool) -> Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "Listening on {address}");
    if config.production {
        return Ok(());
    }
    let mut text = format!("customer-registration is listening on http://{address}\n");
    text.push_str(&format!("  configuration  {}\n", config.source));
    if has_inbox {
        text.push_str(&format!("  inbox          http://{address}{}/inbox\n", config.admin_path));
    }
    if !config.admin_disable {
        text.push_str(&format!("  admin          http://{address}{}/account-deletion-requests\n", config.admin_path));
        text.push_str(&format!("  API reference  http://{address}/docs\n"));
    }
    text.push_str(&format!("  health         http://{address}/health/ready\n"));
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
        tracing::debug!(%error, "Standard output is closed");
    }
    Ok(())
}

/// `migrate`, `migrate --status`, `migrate --adopt-flags`; what was done goes to standard output.
///
/// # Errors
/// What the database, or a migration, refuses.
#[expect(clippy::print_stdout, reason = "the command's output")]
async fn migrate(sources: &Sources, only_status: bool, adopt_flags: bool) -> Result<()> {
    let env = Env::system();
    let config = load(sources, &env)?;
    let db = Database::connect(&config.database).await.context("the database cannot be opened")?;
    if only_status {
        println!("{}", told_status(&migrate::status(&db).await?, &migrate::list_optional_indexes(&db).await?));
    } else {
        println!("{}", told_report(&migrate::run(&db, env.clock.now()).await?));
    }
    if adopt_flags {
        let written = migrate::adopt_flags(&db, env.clock.now()).await?;
        println!("{written} verified flags got their proof");
    }
    db.close().await;
    Ok(())
}

/// Makes the administrator and prints the id.
///
/// # Errors
/// When there is no password, or the e-mail is taken or none.
#[expect(clippy::print_stdout, reason = "the command's output")]
async fn user(sources: &Sources, email: &str, password: Option<String>) -> Result<()> {
    let password = match password {
        Some(password) => password,
        None => std::io::stdin().lines().next().context("a password is expected on standard input")??,
    };
    let app = command_app(sources).await?;
    let id = create_user::run(&app, email, SecretString::from(password)).await?;
    println!("{id}");
    app.db.close().await;
    Ok(())
}

/// Makes the key and prints it.
///
/// # Errors
/// What the database refuses.
#[expect(clippy::print_stdout, reason = "the command's output")]
async fn api_key(sources: &Sources, kind: KeyType, title: &str) -> Result<()> {
    let app = command_app(sources).await?;
    let kind = match kind {
        KeyType::Publishable => ApiKeyType::Publishable,
        KeyType::Secret => ApiKeyType::Secret,
    };
    println!("{}", create_api_key::run(&app, kind, title).await?);
    app.db.close().await;
    Ok(())
}

/// The product for a command; development's database is migrated on the way.
async fn command_app(sources: &Sources) -> Result<cr_core::app::App> {
    let env = Env::system();
    let config = load(sources, &env)?;
    let templates = start::Reading::begin(&config);
    let db = Database::connect(&config.database).await.context("the database cannot be opened")?;
    prepare_database(&config, &db, &env).await?;
    start::build_app_on(&config, db, templates, env, HashParams::default(), None).await
}

/// Logs on standard error: lines for people on a terminal, JSON elsewhere.
fn start_logging(config: &Config) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log_level)
        .with_context(|| format!("log.level `{}` is neither a level nor a filter", config.log_level))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// What `migrate` did, for a terminal.
fn told_report(report: &migrate::Report) -> String {
    let mut lines: Vec<String> = report.applied.iter().map(|name| format!("applied {name}")).collect();
    if report.indexes_built > 0 {
        lines.push(format!("built {} look-up indexes on Medusa's tables", report.indexes_built));
    }
    let not_built = report.indexes_not_built.iter();
    lines.extend(
        not_built.map(|told| format!("not built, and nothing waits for it, so try again one day: index {told}")),
    );
    lines.extend(told_adoption(&report.adopted));
    if lines.is_empty() {
        lines.push("nothing to do".to_owned());
    }
    lines.join("\n")
}

/// What `migrate` has done and would do, for a terminal. Nothing waits for the optional indexes.
fn told_status(status: &migrate::Status, optional: &[String]) -> String {
    let mut lines: Vec<String> = status.applied.iter().map(|name| format!("applied  {name}")).collect();
    lines.extend(status.pending.iter().map(|name| format!("pending  {name}")));
    lines.extend(
        status.unknown.iter().map(|version| format!("unknown  {version:04}: a newer program migrated this database")),
    );
    lines.extend(status.missing.iter().map(|sentence| format!("missing  {sentence}")));
    lines.extend(status.indexes.iter().map(|name| format!("index    {name} would be built")));
    lines.extend(optional.iter().map(|name| format!("index    {name} would be built, and nothing waits for it")));
    lines.extend(told_adoption(&status.adopts).into_iter().map(|line| format!("adopts   {line}")));
    lines.push(if status.is_current() { "up to date".to_owned() } else { "not up to date; run `migrate`".to_owned() });
    lines.join("\n")
}

/// The counts of an adoption that are not 0.
fn told_adoption(adoption: &migrate::Adoption) -> Vec<String> {
    [
        (adoption.objects_changed, "objects of the Node plugin adopted"),
        (adoption.codes_voided, "live codes of the Node plugin voided"),
        (adoption.requests_cancelled, "older active deletion requests cancelled"),
        (adoption.links_removed, "younger referral links removed"),
        (adoption.proofs_written, "verified flags given their proof"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect()
}
