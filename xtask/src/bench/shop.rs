//! The shop that is measured: its configuration without limits, its one customer, the requests that are sent to it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::client::{Answer, Connection, request, with_header};
use super::load::{MakeRequest, fixed};
use super::program::Recipe;

/// Signs and encrypts here; as long as production asks for.
pub(super) const SECRET: &str = "a secret of the benchmark alone, 40 bytes";
/// The one customer.
const EMAIL: &str = "bench@shop.test";
/// Passes the password policy.
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// What differs from the development defaults: nothing is limited, and a customer need not verify before the login.
const CONFIGURATION: &str = r#"
[options]
storefrontUrl = "http://localhost:8000"
registration = { identifier = "email", require_verification = false }
login = { identifier = "email" }
email_verification = { channel = "email", resendThrottleSeconds = 0 }
phone_verification = { channel = "sms", resendThrottleSeconds = 0 }
password_reset = { template = "builtin" }
account_deletion_request = { template = "builtin" }
account_deletion_cancel = { template = "builtin", resendThrottleSeconds = 0 }

[options.limits]
wrongCodes = "off"
sendsPerSubject = "off"
sendsPerDestination = "off"
sendsPerAddress = "off"
sendsPerChannel = { sms = "off", email = "off" }
loginFailures = "off"
loginFailuresPerAddress = "off"
registrationsPerAddress = "off"
resets = "off"
cancelRequestsPerAddress = "off"

[[notification.providers]]
id = "local"
channels = ["email", "sms"]
"#;

/// One shop on one database.
pub(crate) struct Shop {
    /// How its server is started.
    pub(crate) server: Recipe,
}

impl Shop {
    /// Writes its configuration into `folder`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn new(url: &str, folder: &Path, program: &Path) -> Result<Self> {
        let configuration = folder.join("bench.toml");
        std::fs::write(&configuration, CONFIGURATION)?;
        let arguments = ["serve", "--config"].map(str::to_owned);
        let arguments = arguments.into_iter().chain([configuration.to_string_lossy().into_owned()]).collect();
        let server = Recipe {
            program: program.to_path_buf(),
            arguments,
            environment: environment(url),
            folder: folder.to_path_buf(),
        };
        Ok(Self { server })
    }

    /// Brings the database up to date, so that a start measures the start alone.
    ///
    /// # Errors
    /// What `migrate` reports.
    pub(crate) fn migrate(&self) -> Result<()> {
        self.tell(&["migrate"]).map(drop)
    }

    /// How many messages and events it has still to deliver.
    ///
    /// # Errors
    /// What `doctor` reports, or when it does not say.
    pub(crate) fn count_pending(&self) -> Result<u64> {
        let said = self.tell(&["doctor"])?;
        let line = said.lines().find_map(|line| line.strip_prefix("outbox ")).context("`doctor` tells of no outbox")?;
        let count = line.split_whitespace().next().and_then(|word| word.parse().ok());
        count.with_context(|| format!("`doctor` does not say how much is pending: {line}"))
    }

    /// What the program says to a command.
    fn tell(&self, words: &[&str]) -> Result<String> {
        let output = self.command(words).stdin(Stdio::null()).output().with_context(|| self.not_started())?;
        if !output.status.success() {
            bail!("`{}` failed: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// What is wrong when a command of it does not begin.
    fn not_started(&self) -> String {
        format!("could not start {}", self.server.program.display())
    }

    /// A command of the program, with the shop's configuration.
    fn command(&self, words: &[&str]) -> Command {
        let Recipe { program, arguments, environment, folder } = &self.server;
        let mut command = Command::new(program);
        command
            .args(words)
            .args(arguments.iter().filter(|argument| *argument != "serve"))
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(folder);
        command
    }

    /// How the deletion job is run once.
    pub(crate) fn job(&self) -> Recipe {
        let Recipe { program, arguments, environment, folder } = &self.server;
        let configuration = arguments.iter().filter(|argument| *argument != "serve").cloned();
        let job = ["job", "run", "process-account-deletions"].map(str::to_owned);
        Recipe {
            program: program.clone(),
            arguments: job.into_iter().chain(configuration).collect(),
            environment: environment.clone(),
            folder: folder.clone(),
        }
    }

    /// How the bare server on the same database is started.
    pub(crate) fn bare(&self, program: &Path) -> Recipe {
        Recipe {
            program: program.to_path_buf(),
            arguments: Vec::new(),
            environment: self.server.environment.clone(),
            folder: PathBuf::from(&self.server.folder),
        }
    }

    /// Makes an administrator, with the password that everybody has.
    ///
    /// # Errors
    /// What `user` reports.
    pub(crate) fn make_user(&self, email: &str) -> Result<()> {
        let mut command = self.command(&["user", "-e", email]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let mut child = child.with_context(|| self.not_started())?;
        // Written and closed: the program reads the password to the end of the line.
        child.stdin.take().context("its input is closed")?.write_all(PASSWORD.as_bytes())?;
        let status = child.wait()?;
        if !status.success() {
            bail!("`user` failed: {status}");
        }
        Ok(())
    }

    /// Registers the customer; the token of its login.
    ///
    /// # Errors
    /// When the server refuses one of the steps.
    pub(crate) async fn open(&self, address: SocketAddr) -> Result<String> {
        register(address, |request| request).await
    }
}

/// Registers the customer where a publishable key is asked for; the token of its login.
///
/// # Errors
/// When the server refuses one of the steps.
pub(crate) async fn open_with_key(address: SocketAddr, key: &str) -> Result<String> {
    register(address, |request| with_header(&request, "x-publishable-api-key", key)).await
}

/// Three steps; `dress` adds to the bytes of each request.
async fn register(address: SocketAddr, dress: impl Fn(Vec<u8>) -> Vec<u8>) -> Result<String> {
    let mut connection = Connection::open(address).await?;
    let mut post = async |path: &str, token: Option<&str>, body: &str| {
        let answer = connection.send(&dress(request("POST", path, token, Some(body)))).await?;
        read(path, &answer)
    };
    let credentials = credentials();
    let registered = token(&post("/auth/customer/emailpass/register", None, &credentials).await?)?;
    let customer = serde_json::json!({ "email": EMAIL, "first_name": "Bea", "last_name": "Bench" });
    post("/store/customers", Some(&registered), &customer.to_string()).await?;
    token(&post("/auth/customer/emailpass", None, &credentials).await?)
}

/// Logins of the one customer with the right password.
pub(crate) fn logins() -> MakeRequest {
    fixed(request("POST", "/auth/customer/emailpass", None, Some(&credentials())))
}

/// What the server and the bare one read: the database, the keys, only errors in the log.
fn environment(url: &str) -> Vec<(String, String)> {
    [
        ("DATABASE_URL", url),
        ("JWT_SECRET", SECRET),
        ("COOKIE_SECRET", SECRET),
        ("CUSTOMER_REGISTRATION__LOG__LEVEL", "error"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The customer's e-mail and password as a body.
fn credentials() -> String {
    serde_json::json!({ "email": EMAIL, "password": PASSWORD }).to_string()
}

/// Posts one body and takes the JSON that comes back.
pub(super) async fn ask(connection: &mut Connection, path: &str, token: Option<&str>, body: &str) -> Result<Value> {
    let answer = connection.send(&request("POST", path, token, Some(body))).await?;
    read(path, &answer)
}

/// The JSON of a 200.
fn read(path: &str, answer: &Answer) -> Result<Value> {
    if answer.status != 200 {
        bail!("{path} answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    serde_json::from_slice(&answer.body).with_context(|| format!("{path} answered no JSON"))
}

/// The `token` of an answer.
pub(super) fn token(answer: &Value) -> Result<String> {
    answer.get("token").and_then(Value::as_str).map(str::to_owned).context("there is no token in the answer")
}
