//! A real Medusa from npm, on a database of its own. Each version is installed and built once a machine, in `e2e/medusa-…`.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::database::TestDatabase;
use crate::tools;

/// A version that there is a project of in `e2e/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 2.11.2, whose answers ours are.
    Pinned,
    /// 2.21.2.
    Newest,
}

impl Version {
    /// Its number.
    pub fn number(self) -> &'static str {
        match self {
            Self::Pinned => "2.11.2",
            Self::Newest => "2.21.2",
        }
    }
}

/// The secret that both sides sign tokens with.
pub const JWT_SECRET: &str = "a secret that both sides know, long enough";
/// The administrator that is made.
pub const ADMINISTRATOR: [&str; 2] = ["admin@example.com", "supersecret123"];
/// Until a start has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// A database as the migrations of that version make it, with an administrator. No Medusa runs yet. Migrated once a process and
/// copied, since that takes Medusa a quarter of a minute.
///
/// # Panics
/// When Medusa cannot be installed, or its commands fail.
pub async fn database(version: Version) -> TestDatabase {
    static PINNED: OnceCell<TestDatabase> = OnceCell::const_new();
    static NEWEST: OnceCell<TestDatabase> = OnceCell::const_new();
    let template = if version == Version::Pinned { &PINNED } else { &NEWEST };
    template.get_or_init(|| make_database(version)).await.copy().await
}

/// Has Medusa make a database.
async fn make_database(version: Version) -> TestDatabase {
    let database = TestDatabase::empty_postgres().await;
    migrate(version, &database).await;
    let [email, password] = ADMINISTRATOR;
    let output = run(version, &database, &["user", "-e", email, "-p", password]).await;
    assert!(output.status.success(), "{}", told(&output));
    database
}

/// Medusa's own `db:migrate` on a database: what it said.
///
/// # Panics
/// When it fails.
pub async fn migrate(version: Version, database: &TestDatabase) -> String {
    let output = run(version, database, &["db:migrate"]).await;
    assert!(output.status.success(), "{}", told(&output));
    told(&output)
}

/// One command of Medusa's, to its end.
async fn run(version: Version, database: &TestDatabase, arguments: &[&str]) -> Output {
    let url = database.url().to_owned();
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let ended = tokio::task::spawn_blocking(move || {
        install(version);
        command(version, folder(version), &url)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("node runs: install Node 20 or newer")
    });
    ended.await.expect("waiting for Medusa did not panic")
}

/// What a command printed.
fn told(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A Medusa that answers. Killed when dropped.
pub struct RealMedusa {
    /// `http://127.0.0.1:port`.
    pub url: String,
    child: Child,
}

impl Drop for RealMedusa {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl RealMedusa {
    /// Starts that version on a database that [`database`] made of it, and waits until it answers.
    ///
    /// # Panics
    /// When it does not within two minutes.
    pub async fn start(version: Version, database: &TestDatabase) -> Self {
        Self::start_with(version, database, &[]).await
    }

    /// The same with another secret for tokens.
    ///
    /// # Panics
    /// As [`RealMedusa::start`].
    pub async fn start_with_secret(version: Version, database: &TestDatabase, secret: &str) -> Self {
        Self::start_with(version, database, &[("JWT_SECRET", secret)]).await
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The same with these variables in its environment: `OBSERVER_URL` is where its subscriber and its provider of
    /// notifications post what they are told.
    ///
    /// # Panics
    /// As [`RealMedusa::start`].
    pub async fn start_with(version: Version, database: &TestDatabase, variables: &[(&str, &str)]) -> Self {
        install(version);
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free").port();
        let mut command = command(version, folder(version).join(".medusa/server"), database.url());
        command.args(["start", "--host", "127.0.0.1", "--port", &port.to_string()]).env("NODE_ENV", "production");
        command.envs(variables.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut medusa = Self { url: format!("http://127.0.0.1:{port}"), child: child.expect("node starts") };
        let answers = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                let ended = medusa.child.try_wait().expect("the process can be asked");
                assert!(ended.is_none(), "Medusa ended: {ended:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, answers).await.expect("Medusa answers");
        medusa
    }
}

/// Where Medusa's project lies.
fn folder(version: Version) -> PathBuf {
    tools::folder().join(format!("medusa-{}", version.number()))
}

/// Medusa's program in a folder, on a database.
fn command(version: Version, working: PathBuf, url: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(folder(version).join("node_modules/@medusajs/cli/cli.js")).current_dir(working);
    command.env("DATABASE_URL", url).env("JWT_SECRET", JWT_SECRET).env("COOKIE_SECRET", JWT_SECRET);
    command.env("MEDUSA_DISABLE_TELEMETRY", "1").env("NODE_OPTIONS", "--max-old-space-size=1024");
    command
}

/// What a project is built from, by its path in the project.
const SOURCES: [&str; 6] = [
    "medusa-config.ts",
    "src",
    "../install-companion.mjs",
    "../../packages/medusa-companion/src",
    "../../packages/medusa-companion/package.json",
    "../../packages/medusa-companion/tsconfig.json",
];

/// Installs what `package-lock.json` pins, some minutes the first time; and builds the project with our plugin in it, when that
/// has changed.
fn install(version: Version) {
    static PINNED: [OnceLock<()>; 2] = [const { OnceLock::new() }; 2];
    static NEWEST: [OnceLock<()>; 2] = [const { OnceLock::new() }; 2];
    let [has_packages, is_built] = if version == Version::Pinned { &PINNED } else { &NEWEST };
    let packages = ["npm", "ci", "--legacy-peer-deps", "--no-audit", "--no-fund", "--ignore-scripts"];
    // It wants secrets, and keeps none.
    let build = [
        "env",
        "NODE_ENV=production",
        "MEDUSA_DISABLE_TELEMETRY=1",
        "JWT_SECRET=x",
        "COOKIE_SECRET=x",
        "npx",
        "medusa",
        "build",
    ];
    let help = "install Node 20 or newer, with npm";
    let folder = folder(version);
    tools::install(has_packages, &folder, "node_modules/.package-lock.json", &[&packages], help);
    let commands: [&[&str]; 2] = [&["node", "../install-companion.mjs"], &build];
    tools::install_newer_than(&SOURCES, is_built, &folder, ".medusa/server/medusa-config.js", &commands, help);
}
