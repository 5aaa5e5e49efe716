//! Every point once: what the code names is the list of what is killed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cr_testkit::{TestDatabase, WebhookSink, newer_medusa};

use super::cases::{CASES, prepare};
use super::deeds::Deed;
use super::process::{Process, Reply, orders};
use super::{CHEAPEST, judge};
use crate::shop::{self, Shop, open_hashing};

/// What is passed right after a commit that belongs to the effect. The count of a guess is committed before, on purpose.
const COMMITTED: [&str; 2] = ["committed", "expired-pruned"];
/// Cases at once: most of the time one waits for PostgreSQL to copy a database.
const THREADS: usize = 3;
/// Seconds after which a message is no longer the worker's that was killed.
const AFTER_LEASE: i64 = 61;

/// A case with the state that it begins from.
struct Case<'a> {
    name: &'a str,
    base: TestDatabase,
    deed: Deed,
    now: String,
    sink: &'a WebhookSink,
}

/// Kills every case at each of its points, and the worker at each of its own; then holds what was killed against the code.
pub(super) fn kill_at_every_one(empty: &TestDatabase) {
    let mut kills = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || cr_testkit::run(kill_some(empty, thread)))).collect();
        for thread in threads {
            kills.extend(thread.join().unwrap());
        }
    });
    let killed: BTreeSet<String> = kills.iter().cloned().collect();
    println!("{:?}: {} kills at {} points", empty.kind(), kills.len(), killed.len());
    let named = named_in_code();
    assert_eq!(named.difference(&killed).collect::<Vec<_>>(), [""; 0], "points that no case is killed at");
    assert_eq!(killed.difference(&named).collect::<Vec<_>>(), [""; 0], "points that are not found in the code");
    for workflow in committing_workflows() {
        let is_covered = CASES.iter().any(|case| case.split('/').next() == Some(workflow.as_str()));
        assert!(is_covered, "{workflow} commits, and no case kills it");
    }
}

/// Every case whose number is this thread's; the points. The first has the worker besides.
async fn kill_some(empty: &TestDatabase, thread: usize) -> Vec<String> {
    let sink = WebhookSink::start().await;
    let mut kills = Vec::new();
    if thread == 0 {
        kills.extend(Case::prepare(empty, &sink, "send_otp").await.kill_the_worker().await);
    }
    for name in CASES.into_iter().skip(thread).step_by(THREADS) {
        let points = Case::prepare(empty, &sink, name).await.kill_everywhere().await;
        assert!(!points.is_empty(), "{name} was never killed");
        kills.extend(points);
    }
    kills
}

/// All rows, with the length of what is sealed in place of its bytes, which differ whenever the same is sealed again.
async fn dump(database: &TestDatabase) -> String {
    let mut rest = shop::dump(database).await;
    for start in ["\"payload\":\"", "sealed=\""] {
        let mut masked = String::new();
        let mut parts = rest.split(start);
        masked.push_str(parts.next().unwrap());
        for part in parts {
            let (sealed, after) = part.split_once('"').unwrap();
            masked.push_str(&format!("{start}{}\"{after}", sealed.len()));
        }
        rest = masked;
    }
    rest
}

/// What an answer says, without what is new in each.
fn sentence(reply: &Reply) -> &str {
    match reply {
        Reply::Done(_) => "done",
        Reply::Refused(sentence) => sentence,
        Reply::Lost(point) => panic!("killed at {point} without orders"),
    }
}

impl<'a> Case<'a> {
    /// Makes its state on a copy of an empty database.
    async fn prepare(empty: &TestDatabase, sink: &'a WebhookSink, name: &'a str) -> Self {
        let base = empty.copy().await;
        if name.starts_with("adopt_verification") {
            base.sql(&newer_medusa::auth_verification(&base)).await;
        }
        let url = sink.url();
        let shop = open_hashing(base, CHEAPEST, |options| *options = super::options(&url)).await;
        let deed = prepare(&shop, name).await;
        let now = shop.now().to_string();
        let Shop { app, database: base, .. } = shop;
        app.db.close().await;
        Self { name, base, deed, now, sink }
    }

    /// A process on a copy of the state.
    fn start(&self, database: &TestDatabase, kill_at: &str, seed: u64) -> Process {
        Process::start(&orders(database, &self.sink.url(), kill_at, &self.now, seed))
    }

    /// Kills the deed at each point that it passes; the points. Each time all is as before or all is as it would have been without
    /// the kill, and the deed asked for again is answered as if there had been none.
    async fn kill_everywhere(&self) -> Vec<String> {
        let before = dump(&self.base).await;
        let reference = self.base.copy().await;
        let mut process = self.start(&reference, "", 2);
        let first = process.ask(0, &self.deed);
        assert_eq!(sentence(&first), "done", "{}", self.name);
        let reached = process.reached.clone();
        let after = dump(&reference).await;
        let second = process.ask(0, &self.deed);
        drop(process);
        for (index, point) in reached.iter().enumerate() {
            let passed = &reached[..=index];
            let hit = passed.iter().filter(|other| *other == point).count();
            let place = format!("{} killed at {point}:{hit}", self.name);
            let is_committed = passed.iter().any(|point| COMMITTED.contains(&point.as_str()));
            let goes_on = is_committed || point == "commit";
            // What changes nothing needs no copy, nor does what comes last.
            let copy = if goes_on && passed.len() < reached.len() { Some(self.base.copy().await) } else { None };
            let database = copy.as_ref().unwrap_or(&self.base);
            let reply = self.start(database, &format!("{point}:{hit}"), 2).ask(0, &self.deed);
            assert_eq!(reply, Reply::Lost(point.clone()), "{place}");
            assert_eq!(&dump(database).await, if is_committed { &after } else { &before }, "{place}");
            if goes_on {
                let expected = if is_committed { &second } else { &first };
                self.go_on(database, sentence(expected), &place).await;
            }
        }
        reached
    }

    /// The next process: the client asks again, and the worker sends what there is.
    async fn go_on(&self, database: &TestDatabase, expected: &str, place: &str) {
        let posts = self.sink.requests().len();
        let mut process = self.start(database, "", 3);
        let again = process.ask(0, &self.deed);
        assert_eq!(sentence(&again), expected, "{place}, asked again");
        assert_eq!(sentence(&process.ask(AFTER_LEASE, &Deed::Deliver)), "done", "{place}");
        let problems = judge::problems(database, &self.sink.requests()[posts..]).await;
        assert_eq!(problems, [""; 0], "{place}");
    }

    /// Kills the worker at each of its points, with messages to send; the points.
    async fn kill_the_worker(&self) -> Vec<String> {
        let reference = self.base.copy().await;
        let mut process = self.start(&reference, "", 2);
        assert_eq!(sentence(&process.ask(0, &Deed::Deliver)), "done");
        let points: BTreeSet<String> = process.reached.iter().cloned().collect();
        drop(process);
        for point in &points {
            let database = self.base.copy().await;
            let posts = self.sink.requests().len();
            let reply = self.start(&database, &format!("{point}:1"), 2).ask(0, &Deed::Deliver);
            assert_eq!(reply, Reply::Lost(point.clone()), "the worker");
            let reply = self.start(&database, "", 3).ask(AFTER_LEASE, &Deed::Deliver);
            assert_eq!(sentence(&reply), "done", "after the worker was killed at {point}");
            let problems = judge::problems(&database, &self.sink.requests()[posts..]).await;
            assert_eq!(problems, [""; 0], "the worker killed at {point}");
        }
        points.into_iter().collect()
    }
}

/// Every source file below a folder of this crate, and its text up to its tests.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((path, text.split("#[cfg(test)]").next().unwrap().to_owned()));
        }
    }
    files
}

/// The names of all steps and of all other points: the texts in the calls of `step` and `pass`.
fn named_in_code() -> BTreeSet<String> {
    let mut names = BTreeSet::from(["committed".to_owned()]);
    for (path, text) in sources("") {
        for (call, may_be_handed_on) in [(".step(", false), (".pass(", true)] {
            for rest in text.split(call).skip(1) {
                let texts: Vec<&str> = arguments(rest).split('"').skip(1).step_by(2).collect();
                assert!(may_be_handed_on || !texts.is_empty(), "a step without a name in {}", path.display());
                names.extend(texts.into_iter().map(ToOwned::to_owned));
            }
        }
    }
    names
}

/// What stands before the parenthesis that closes a call.
fn arguments(rest: &str) -> &str {
    let mut depth = 1;
    let end = rest.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0
    });
    &rest[..end.unwrap()]
}

/// The workflows and jobs that commit what they did, by their files.
fn committing_workflows() -> Vec<String> {
    let files = sources("workflows").into_iter().chain(sources("jobs"));
    let committing = files.filter(|(_, text)| text.contains("cx.commit()") || text.contains(".pass("));
    committing.map(|(path, _)| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}
