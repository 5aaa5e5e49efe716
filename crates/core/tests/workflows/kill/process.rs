//! A process that can be killed: this test program once more, which is told its deeds line by line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cr_core::app::Faults;
use cr_core::env::Env;
use cr_db::{Database, DatabaseSettings};
use cr_testkit::application::application_on;
use cr_testkit::faults::KILLED_AT;
use cr_testkit::{Frozen, KillAt, TestDatabase, seeded};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::os::unix::process::ExitStatusExt as _;

use super::deeds::Deed;
use super::{CHEAPEST, PROCESS, options};

/// The variable with the orders of a process, as JSON.
pub(super) const ORDERS: &str = "CR_TEST_KILL";
/// What stands before an answer, since the test runner prints lines of its own.
const ANSWER: &str = "answer ";
/// The signal of `kill -9`.
const SIGKILL: i32 = 9;

/// What a process is told when it starts.
#[derive(Serialize, Deserialize)]
pub(super) struct Orders {
    /// The database's address.
    pub(super) database: String,
    /// Where messages and events are posted.
    pub(super) sink: String,
    /// Where it is to die, as [`KillAt::read`] reads it.
    pub(super) kill_at: String,
    /// The moment at which its clock stands, such as `2026-01-02T03:04:05.678Z`.
    pub(super) now: String,
    /// Where its chance begins; no two processes on one database have the same, or their ids would be.
    pub(super) seed: u64,
}

/// One line to a process: time passes, then it does something.
#[derive(Serialize, Deserialize)]
struct Told {
    seconds: i64,
    deed: Deed,
}

/// What came of a deed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// It is done.
    Done(Value),
    /// It was refused, with this sentence.
    Refused(String),
    /// The process was killed at this point, so whether it is done is not known.
    Lost(String),
}

/// An answer, and the points that were passed on the way.
#[derive(Serialize, Deserialize)]
struct Answer {
    reply: Reply,
    reached: Vec<String>,
}

/// The other side: does what comes by the standard input until that ends.
pub(super) fn serve(orders: &Orders) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let clock = Frozen::at(&orders.now);
    let env = Env { clock: Arc::clone(&clock) as _, rng: seeded(orders.seed) };
    let kill = KillAt::read(&orders.kill_at);
    let app = runtime.block_on(async {
        let settings = DatabaseSettings {
            url: orders.database.clone(),
            schema: "public".to_owned(),
            min_connections: 0,
            max_connections: 4,
            place_timeout: Duration::from_mins(1),
        };
        let database = Database::connect(&settings).await.unwrap();
        let faults = Arc::clone(&kill) as Arc<dyn Faults>;
        application_on(database, options(&orders.sink), env, Some(faults), CHEAPEST)
    });
    for line in std::io::stdin().lines() {
        let Told { seconds, deed } = serde_json::from_str(&line.unwrap()).unwrap();
        clock.advance_seconds(seconds);
        let reply = match runtime.block_on(deed.run(&app, &orders.sink)) {
            Ok(value) => Reply::Done(value),
            Err(error) => Reply::Refused(error.message),
        };
        let reached = kill.take_reached().into_iter().map(ToOwned::to_owned).collect();
        let answer = serde_json::to_string(&Answer { reply, reached }).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{ANSWER}{answer}").and_then(|()| out.flush()).unwrap();
    }
    runtime.block_on(app.db.close());
}

/// A running process. Killed when dropped.
pub(super) struct Process {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// The points of the last deed that was answered.
    pub(super) reached: Vec<String>,
}

impl Process {
    /// Starts one.
    pub(super) fn start(orders: &Orders) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", PROCESS, "--nocapture"])
            .env(ORDERS, serde_json::to_string(orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from, reached: Vec::new() }
    }

    /// Lets time pass, then has it do something. After [`Reply::Lost`] the process is gone.
    pub(super) fn ask(&mut self, seconds: i64, deed: &Deed) -> Reply {
        let line = serde_json::to_string(&Told { seconds, deed: deed.clone() }).unwrap();
        writeln!(self.to, "{line}").unwrap();
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let length = self.from.read_line(&mut line).unwrap();
            assert!(length > 0, "it ended without being told to: {:?}\n{deed:?}\n{said}", self.child.wait());
            // The test runner writes the name of the test before the first of them, on the same line.
            if let Some((_, answer)) = line.split_once(ANSWER) {
                let answer: Answer = serde_json::from_str(answer).unwrap();
                self.reached = answer.reached;
                return answer.reply;
            }
            if let Some((_, point)) = line.split_once(KILLED_AT) {
                assert_eq!(self.child.wait().unwrap().signal(), Some(SIGKILL));
                return Reply::Lost(point.trim().to_owned());
            }
            said.push_str(&line);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Orders on a database.
pub(super) fn orders(database: &TestDatabase, sink: &str, kill_at: &str, now: &str, seed: u64) -> Orders {
    Orders {
        database: database.url().to_owned(),
        sink: sink.to_owned(),
        kill_at: kill_at.to_owned(),
        now: now.to_owned(),
        seed,
    }
}
