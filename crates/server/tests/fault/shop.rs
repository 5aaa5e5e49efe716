//! A shop's folder: configuration file, certificate, templates; and the program run in it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use cr_testkit::{SmtpSink, TestDatabase, WebhookSink};
use tempfile::TempDir;

use crate::program::Program;
use crate::wire::{self, Answer};

/// The webhook's secret: `whsec_` and the base64 of [`WEBHOOK_KEY`].
pub(crate) const WEBHOOK_SECRET: &str = "whsec_YSBrZXkgb2YgMjQgYnl0ZXMgbGVuZ3Ro";
/// The bytes in [`WEBHOOK_SECRET`].
pub(crate) const WEBHOOK_KEY: &[u8] = b"a key of 24 bytes length";
/// The mail server's user and password.
pub(crate) const MAILER: Option<(&str, &str)> = Some(("mailer", "m4il-p4ssw0rd"));

/// Verification by e-mail and phone, no limits, retries at once, on a free port.
const BASE: &str = r#"
[projectConfig.http]
port = 0
jwtSecret = "a test's jwt secret of thirty-two bytes or more"
cookieSecret = "a test's cookie secret of thirty-two bytes or more"

[options]
storefrontUrl = "https://shop.example.com"
email_verification = { channel = "email", resendThrottleSeconds = 0 }
phone_verification = { channel = "sms", resendThrottleSeconds = 0 }
account_deletion_cancel = { template = "builtin", resendThrottleSeconds = 0 }
registration = { identifier = "both" }
login = { identifier = "both" }
password_reset = { template = "builtin", sms_body = "Reset your password: {{reset_url}}" }

[options.limits]
sendsPerSubject = "off"
sendsPerDestination = "off"
sendsPerAddress = "off"
sendsPerChannel = { sms = "off", email = "off" }
loginFailuresPerAddress = "off"
registrationsPerAddress = "off"

[notification.retry]
firstSeconds = 1
maxSeconds = 1
"#;

/// A folder with a configuration, on a test's database.
pub(crate) struct Shop {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Shop {
    /// [`BASE`] and the providers, and more TOML at the end.
    pub(crate) fn new(database: &TestDatabase, providers: &str, more: &str) -> Self {
        let shop =
            Self { folder: TempDir::new().unwrap(), variables: vec![("DATABASE_URL", database.url().to_owned())] };
        shop.write("config.toml", &format!("{BASE}{providers}{more}"));
        shop
    }

    /// With mail to this server, whose authority lies in the folder, and text messages to this endpoint.
    pub(crate) fn with(database: &TestDatabase, mail: &SmtpSink, texts: &WebhookSink, more: &str) -> Self {
        let providers = format!("{}{}", mail_provider(mail), text_provider(texts));
        let shop = Self::new(database, &providers, more);
        std::fs::copy(mail.ca_file(), shop.path().join("authority.pem")).unwrap();
        shop
    }

    /// Adds an environment variable.
    pub(crate) fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// A command of the program with this configuration, in the folder, and nothing else in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_customer-registration"));
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.path()).args(["--config", "config.toml"]).args(arguments);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Serves, and waits until it listens.
    pub(crate) async fn serve(&self) -> Server {
        let program = Program::start(self.command(&["serve"]));
        let address = program.address().await;
        Server { program, address }
    }
}

/// The configuration of the provider for mail.
pub(crate) fn mail_provider(mail: &SmtpSink) -> String {
    let url = mail.url();
    format!(
        "\n[[notification.providers]]\nid = \"smtp\"\nchannels = [\"email\"]\n\
         options = {{ url = \"{url}\", from = \"Shöp <no-reply@shop.test>\", caFile = \"authority.pem\" }}\n"
    )
}

/// The configuration of the provider for text messages.
pub(crate) fn text_provider(texts: &WebhookSink) -> String {
    let url = texts.url();
    format!(
        "\n[[notification.providers]]\nid = \"webhook\"\nchannels = [\"sms\"]\n\
         options = {{ url = \"{url}/texts?key=h00k-t0ken\", secret = \"{WEBHOOK_SECRET}\" }}\n"
    )
}

/// A program that listens.
pub(crate) struct Server {
    /// The process.
    pub(crate) program: Program,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// `POST` with a JSON body and, perhaps, a bearer token.
    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: &serde_json::Value) -> Answer {
        self.send("POST", path, token, &body.to_string()).await
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send("GET", path, token, "").await
    }

    /// Any request.
    pub(crate) async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answer {
        let headers = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        match wire::exchange(self.address, method, path, &headers, body).await {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path}: {error}\n{}", self.program.log()),
        }
    }
}
