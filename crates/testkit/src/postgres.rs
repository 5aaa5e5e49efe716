//! One real PostgreSQL server for all test processes of a user: started when first needed, reused while it lives.
//!
//! A file lock lets one process at a time start it or make the template; the server itself outlives the tests, and
//! `cargo run -p cr-testkit --example stop-postgres` ends it. `CR_TEST_POSTGRES_URL` names another server instead, with
//! a role that may create databases.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cr_db::{Database, DatabaseSettings};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::frozen::START;

pub mod pair;

/// A database of the server's that is dropped when this is.
pub struct Owned {
    server: String,
    name: String,
    url: String,
}

impl Owned {
    /// `postgres://…/name`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Another database with what this one has now. Nobody may be connected to this one.
    pub(crate) async fn copy(&self) -> Self {
        create(&self.name).await
    }
}

impl Drop for Owned {
    /// On a thread of its own, since the test's runtime may be the one that drops. A failure leaves a database behind
    /// that goes with the server.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            crate::run(async {
                let mut connection = PgConnection::connect(&server).await?;
                let sql = format!("drop database if exists \"{name}\" with (force)");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
                connection.close().await
            })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("could not drop the test database {}", self.name);
        }
    }
}

/// A database with our tables, copied from the template.
pub(crate) async fn create_migrated() -> Owned {
    create(&server().await.template).await
}

/// A database without a table.
pub(crate) async fn create_empty() -> Owned {
    create("template0").await
}

/// `create database` under a name that no other process takes.
async fn create(template: &str) -> Owned {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let server = server().await.url.clone();
    let name = format!("cr_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server).await.unwrap();
    // A killed test of a process with this number may have left its database.
    for sql in [
        format!("drop database if exists \"{name}\" with (force)"),
        format!("create database \"{name}\" template \"{template}\""),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let url = with_database(&server, &name);
    Owned { server, name, url }
}

/// Where the server is, and the database that tests copy.
struct Server {
    url: String,
    template: String,
}

/// The server, started if need be; asked once a process.
async fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    if let Some(server) = SERVER.get() {
        return server;
    }
    tokio::task::spawn_blocking(|| SERVER.get_or_init(|| std::thread::spawn(prepare).join().unwrap())).await.unwrap()
}

/// Starts or finds the server and makes the template, under the lock.
fn prepare() -> Server {
    let folder = Folder::find(SHARED);
    let _lock = folder.lock();
    let url = chosen_server().unwrap_or_else(|| folder.running().unwrap_or_else(|| folder.start(FORGETFUL)));
    let template = crate::run(make_template(&url));
    Server { url, template }
}

/// The server that the developer chose instead of ours.
#[expect(clippy::disallowed_methods, reason = "the test tools have no configuration file")]
fn chosen_server() -> Option<String> {
    std::env::var("CR_TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}

/// The name of a migrated database; made under another name first, so that a half-made one is never copied.
async fn make_template(server: &str) -> String {
    let name = format!("cr_template_{}", cr_db::migrate::fingerprint());
    let mut connection = PgConnection::connect(server).await.unwrap();
    let exists: bool = sqlx::query_scalar("select exists (select 1 from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    if !exists {
        for sql in [
            "drop database if exists cr_template_new with (force)",
            "create database cr_template_new template template0",
        ] {
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        let settings = DatabaseSettings {
            url: with_database(server, "cr_template_new"),
            schema: "public".to_owned(),
            min_connections: 0,
            max_connections: 2,
            place_timeout: Duration::from_mins(1),
        };
        let database = Database::connect(&settings).await.unwrap();
        cr_db::migrate::run(&database, START.parse().unwrap()).await.expect("could not migrate the template");
        database.close().await;
        let sql = format!("alter database cr_template_new rename to \"{name}\"");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    name
}

/// The URL with another database: the part after the host, before any `?`.
fn with_database(url: &str, name: &str) -> String {
    let (rest, query) = url.split_once('?').map_or((url, None), |(rest, query)| (rest, Some(query)));
    let host = rest.find("://").map_or(0, |at| at + 3);
    let end = rest.get(host..).and_then(|tail| tail.find('/')).map_or(rest.len(), |at| host + at);
    let base = rest.get(..end).unwrap();
    query.map_or_else(|| format!("{base}/{name}"), |query| format!("{base}/{name}?{query}"))
}

/// Ends the server and removes its data; nothing when none runs.
pub fn stop() {
    let folder = Folder::find(SHARED);
    let _lock = folder.lock();
    folder.stop();
}

/// A server of its own that keeps what it commits. Ended, and its data removed, when dropped.
pub struct Durable {
    folder: Folder,
    url: String,
    /// A second one on the same data waits.
    _lock: File,
}

impl Durable {
    /// Starts it on empty data, with PostgreSQL's defaults but for the settings, which are written as on its command line.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(settings: &str) -> Self {
        let folder = Folder::find("customer-registration-durable-postgres");
        let lock = folder.lock();
        let url = folder.start(settings);
        Self { folder, url, _lock: lock }
    }

    /// `postgres://…/postgres`, by a role that may create databases.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.folder.stop();
    }
}

/// The name of the folder of the server that all tests share.
const SHARED: &str = "customer-registration-test-postgres";
/// Settings of a server whose data nobody misses.
const FORGETFUL: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";

/// Where the server keeps its data, its URL and the lock: one folder a user.
struct Folder {
    path: PathBuf,
    /// The account that runs the server when we are root, which PostgreSQL refuses.
    account: Option<Account>,
}

impl Folder {
    /// The folder of this name, made if need be. For root it is handed over to the server's account.
    fn find(name: &str) -> Self {
        let user = fs::metadata("/proc/self").unwrap().uid();
        let path = std::env::temp_dir().join(format!("{name}-{user}"));
        let account = (user == 0).then(Account::find);
        fs::create_dir_all(&path).unwrap();
        // Another user could have made it first to have us run in its folder.
        assert_eq!(fs::symlink_metadata(&path).unwrap().uid(), user, "{} is not ours: remove it", path.display());
        fs::set_permissions(&path, fs::Permissions::from_mode(if user == 0 { 0o711 } else { 0o700 })).unwrap();
        Self { path, account }
    }

    /// Held until dropped; also let go when the process dies.
    fn lock(&self) -> File {
        let file = File::create(self.path.join("lock")).unwrap();
        file.lock().unwrap();
        file
    }

    /// The URL of the server that a process before us started, if it answers.
    fn running(&self) -> Option<String> {
        let url = fs::read_to_string(self.path.join("url")).ok()?;
        crate::run(async { PgConnection::connect(&url).await?.close().await }).ok()?;
        Some(url)
    }

    /// A new server on empty data, on a free port of the loopback, with more settings as the command line has them.
    fn start(&self, settings: &str) -> String {
        self.stop();
        let data = self.path.join("data");
        fs::create_dir(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
        if let Some(account) = &self.account {
            std::os::unix::fs::chown(&data, Some(account.user), Some(account.group)).unwrap();
        }
        let initdb = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-D"];
        self.run("initdb", &[&initdb[..], &[path_text(&data)]].concat(), true);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300 {settings}"
        );
        let log = data.join("server.log");
        let start = ["start", "--wait", "-D", path_text(&data), "-l", path_text(&log), "-o", &options];
        self.run("pg_ctl", &start, true);
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        fs::write(self.path.join("url"), &url).unwrap();
        url
    }

    /// Ends what runs on our data, if anything, and removes it.
    fn stop(&self) {
        let data = self.path.join("data");
        if data.exists() {
            self.run("pg_ctl", &["stop", "--mode=immediate", "-D", path_text(&data)], false);
            fs::remove_dir_all(&data).unwrap();
        }
        let url = self.path.join("url");
        if url.exists() {
            fs::remove_file(url).unwrap();
        }
    }

    /// Runs one of PostgreSQL's programs, as its account when we are root.
    ///
    /// Its output goes to a file, and the shell in front of it closes what else a parent left open: the server inherits
    /// both, and whoever waits for a pipe or holds a lock through such a descriptor would do so as long as it lives.
    fn run(&self, program: &str, arguments: &[&str], must_succeed: bool) {
        let program = find_program(program);
        let mut command = Command::new("bash");
        command.args(["-c", CLOSE_AND_RUN, "bash"]);
        if let Some(account) = &self.account {
            let (user, group) = (format!("--reuid={}", account.user), format!("--regid={}", account.group));
            command.args(["setpriv", &user, &group, "--clear-groups", "--"]);
        }
        command.arg(&program);
        let log = self.path.join("output");
        let output = File::create(&log).unwrap();
        let status = command
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .status()
            .unwrap_or_else(|error| panic!("could not run {}: {error}", program.display()));
        let said = || fs::read_to_string(&log).unwrap_or_default();
        assert!(status.success() || !must_succeed, "{} failed:\n{}", program.display(), said());
    }
}

/// Closes all but the three standard descriptors and becomes what the arguments say.
const CLOSE_AND_RUN: &str = r#"
for open in /proc/self/fd/*; do
  number=${open##*/}
  if [ "$number" -gt 2 ]; then eval "exec $number>&-"; fi
done
exec "$@""#;

/// The numbers of an account without rights.
struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// `postgres`, which PostgreSQL's packages make, or else `nobody`.
    fn find() -> Self {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let find = |name: &str| {
            let mut fields = passwd.lines().find(|line| line.starts_with(&format!("{name}:")))?.split(':').skip(2);
            Some(Self { user: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
        };
        find("postgres")
            .or_else(|| find("nobody"))
            .expect("PostgreSQL does not run as root, and there is no other account")
    }
}

/// The newest one in `PATH` or where Debian puts them.
#[expect(clippy::disallowed_methods, reason = "`PATH` is not configuration")]
fn find_program(name: &str) -> PathBuf {
    let from_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&from_path).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<_> = versions.filter_map(Result::ok).map(|entry| entry.path()).collect();
        versions.sort();
        folders.extend(versions.iter().rev().map(|version| version.join("bin")));
    }
    folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file()).unwrap_or_else(|| {
        panic!("no `{name}` in PATH or /usr/lib/postgresql: install PostgreSQL, or set CR_TEST_POSTGRES_URL")
    })
}

/// A path as an argument; ours are ASCII but for the temporary folder.
fn path_text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is not UTF-8")
}
