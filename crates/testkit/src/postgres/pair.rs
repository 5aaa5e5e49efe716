//! Two PostgreSQL servers of one test's own: a primary, and a standby that has each commit before it is answered.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::{Account, Folder, Owned, path_text};
use crate::database::TestDatabase;

/// How long a server may take to be where a test wants it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The database in both.
const NAME: &str = "shop";

/// Both servers. Ended, and their data removed, when dropped.
pub struct PostgresPair {
    folder: Folder,
    primary: u16,
    standby: u16,
    _data: TempDir,
}

impl PostgresPair {
    /// Starts both, empty but for a database, and waits until the standby is synchronous.
    ///
    /// # Panics
    /// When one of them does not come up.
    pub async fn start() -> Self {
        let data = TempDir::new().unwrap();
        fs::set_permissions(data.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let user = fs::metadata("/proc/self").unwrap().uid();
        let folder = Folder { path: data.path().to_owned(), account: (user == 0).then(Account::find) };
        let pair = Self { folder, primary: free_port(), standby: free_port(), _data: data };
        pair.make();
        let mut connection = PgConnection::connect(&url(pair.primary, "postgres")).await.unwrap();
        for sql in
            ["create database shop", "alter system set synchronous_standby_names = '*'", "select pg_reload_conf()"]
        {
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        }
        let begun = Instant::now();
        let synchronous = "select count(*) from pg_stat_replication where sync_state = 'sync' and state = 'streaming'";
        while sqlx::query_scalar::<_, i64>(synchronous).fetch_one(&mut connection).await.unwrap() != 1 {
            assert!(begun.elapsed() < PATIENCE, "the standby does not follow");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        connection.close().await.unwrap();
        pair
    }

    /// Makes the data of both and starts them, the standby as a copy of the primary.
    fn make(&self) {
        let (primary, standby) = (self.data("primary"), self.data("standby"));
        let initdb = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-D"];
        self.folder.run("initdb", &[&initdb[..], &[path_text(&primary)]].concat(), true);
        self.serve(&primary, self.primary);
        let port = self.primary.to_string();
        let copy = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-R", "-c", "fast", "--no-sync", "-D"];
        self.folder.run("pg_basebackup", &[&copy[..], &[path_text(&standby)]].concat(), true);
        self.serve(&standby, self.standby);
    }

    /// A folder that the server's account owns, made if need be.
    fn data(&self, name: &str) -> PathBuf {
        let data = self.folder.path.join(name);
        if !data.exists() {
            fs::create_dir(&data).unwrap();
            fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
            if let Some(account) = &self.folder.account {
                std::os::unix::fs::chown(&data, Some(account.user), Some(account.group)).unwrap();
            }
        }
        data
    }

    /// Starts one of them. Nothing is forced to the disk: no machine loses its power here.
    fn serve(&self, data: &Path, port: u16) {
        let options = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off");
        let log = data.join("server.log");
        let start = ["start", "--wait", "-D", path_text(data), "-l", path_text(&log), "-o", &options];
        self.folder.run("pg_ctl", &start, true);
    }

    /// Where the primary listens.
    pub fn primary(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.primary))
    }

    /// Where the standby listens.
    pub fn standby(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.standby))
    }

    /// The database as the primary has it.
    pub fn primary_url(&self) -> String {
        url(self.primary, NAME)
    }

    /// The database as the standby has it; dropped with the value, so the standby must be promoted before.
    pub fn standby_database(&self) -> TestDatabase {
        let (server, url) = (url(self.standby, "postgres"), url(self.standby, NAME));
        TestDatabase::from_owned(Owned { server, name: NAME.to_owned(), url })
    }

    /// `kill -9` for the primary and every process of its: it takes no leave from anybody.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill_primary(&self) {
        let pid_file = fs::read_to_string(self.data("primary").join("postmaster.pid")).unwrap();
        let postmaster = pid_file.lines().next().unwrap().to_owned();
        let killed = Command::new("kill").arg("-9").arg(&postmaster).args(children(&postmaster)).status().unwrap();
        assert!(killed.success());
    }

    /// Makes the standby the one that takes writes.
    ///
    /// # Panics
    /// When it does not become it.
    pub fn promote(&self) {
        self.folder.run("pg_ctl", &["promote", "--wait", "-D", path_text(&self.data("standby"))], true);
    }
}

impl Drop for PostgresPair {
    fn drop(&mut self) {
        for name in ["standby", "primary"] {
            let data = self.data(name);
            self.folder.run("pg_ctl", &["stop", "--mode=immediate", "-D", path_text(&data)], false);
        }
    }
}

/// The address of a database on one of them.
fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

/// A port that nobody had a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The processes whose parent is this one.
fn children(parent: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    pids.filter(|pid| {
        // `pid (name) state parent …`; one that has ended meanwhile has no file.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(parent)
    })
    .collect()
}
