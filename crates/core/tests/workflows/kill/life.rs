//! A life: one database, one client, and processes that are killed at random and started again. What took effect is counted as a
//! client would count it, and compared with what the receivers got.

use std::collections::BTreeMap;
use std::sync::Arc;

use cr_core::env::Rng;
use cr_testkit::{START, TestDatabase, WebhookSink, seeded};
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use super::deeds::Deed;
use super::process::{Process, Reply, orders};
use super::story::Story;
use super::{asked, judge};

/// Lives of a plain run and of a full one.
const LIVES: [u64; 2] = [2, 1000];
/// Kills of one life at most.
const KILLS: usize = 4;
/// Points at most until the next kill. A life passes some hundred, so that its end is cut as well as its beginning.
const POINTS: usize = 120;
/// Seconds after which a message is no longer the worker's that was killed.
const AFTER_LEASE: i64 = 61;
/// Messages and events that a worker has on their way at once, and so may send again after a kill.
const IN_FLIGHT: usize = 16;
/// Messages of which there is one for each effect; codes and links there may be more of, since who hears nothing asks again.
const NOTICES: [&str; 3] = ["contact_change_notice", "password_changed_notice", "account_deletion_notice"];

/// How often each thing happened, by its name and the customer's id.
pub(super) type Effects = BTreeMap<String, usize>;

/// One life.
pub(super) struct Life<'a> {
    pub(super) database: &'a TestDatabase,
    sink: &'a WebhookSink,
    seed: u64,
    chance: Arc<dyn Rng>,
    process: Option<Process>,
    started: u64,
    now: Timestamp,
    kills: Vec<String>,
    effects: Effects,
}

/// Lives as many lives as were asked for, each on a copy of the empty database, and prints what came of them.
pub(super) async fn live_many(empty: &TestDatabase) {
    let seeds = seeds();
    let (first, count) = (seeds.start, seeds.end - seeds.start);
    let (mut killed, mut effects, mut repeats) = (BTreeMap::<String, usize>::new(), 0, 0);
    for seed in seeds {
        let (database, sink) = (empty.copy().await, WebhookSink::start().await);
        let life = live(&database, &sink, seed).await;
        for point in &life.kills {
            *killed.entry(point.clone()).or_default() += 1;
        }
        effects += life.effects.values().sum::<usize>();
        let posts = sink.requests();
        repeats += posts.len() - judge::by_id(&posts).len();
    }
    let kills: usize = killed.values().sum();
    println!(
        "{:?}: {count} lives from seed {first}, {kills} kills at {} points, {effects} effects, {repeats} posts came again, 0 violations",
        empty.kind(),
        killed.len()
    );
    println!("kills by point: {killed:?}");
    assert!(kills > 0, "a life that nothing cuts shows nothing");
}

/// The seeds that were asked for.
fn seeds() -> std::ops::Range<u64> {
    if let Some(asked_for) = asked("FAULT_SEEDS") {
        let (first, end) = asked_for.split_once("..").expect("FAULT_SEEDS is such as 250..500");
        return first.parse().unwrap()..end.parse().unwrap();
    }
    0..LIVES[usize::from(asked("FAULT_FULL").is_some())]
}

/// One life to its end, and the judgement.
async fn live<'a>(database: &'a TestDatabase, sink: &'a WebhookSink, seed: u64) -> Life<'a> {
    let mut life = Life {
        database,
        sink,
        seed,
        chance: seeded(seed),
        process: None,
        started: 0,
        now: START.parse().unwrap(),
        kills: Vec::new(),
        effects: Effects::new(),
    };
    Story::default().tell(&mut life).await;
    life.deliver();
    let place = life.place();
    let posts = sink.requests();
    assert_eq!(judge::problems(database, &posts).await, [""; 0], "{place}");
    let received = judge::by_id(&posts);
    assert_eq!(effects_of(received.values().map(|bodies| bodies[0])), life.effects, "{place}");
    let repeats = posts.len() - received.len();
    assert!(repeats <= IN_FLIGHT * life.kills.len(), "{repeats} posts came again: {place}");
    life
}

/// What receivers that drop repeats learn to have happened.
fn effects_of<'a>(bodies: impl Iterator<Item = &'a str>) -> Effects {
    let mut effects = Effects::new();
    for body in bodies {
        let post: Value = serde_json::from_str(body).unwrap();
        let (kind, data) = (post["type"].as_str().unwrap(), &post["data"]);
        let what = if kind == "notification.send" { data["template"].as_str().unwrap() } else { kind };
        if kind == "auth.password_reset" || (kind == "notification.send" && !NOTICES.contains(&what)) {
            continue;
        }
        let whose = ["customer_id", "receiver_id", "id"].into_iter().find_map(|key| data[key].as_str());
        *effects.entry(format!("{what} {}", whose.unwrap())).or_default() += 1;
    }
    effects
}

impl Life<'_> {
    /// A number below another one.
    pub(super) fn below(&self, count: usize) -> usize {
        let mut bytes = [0; 4];
        self.chance.fill(&mut bytes);
        usize::try_from(u32::from_be_bytes(bytes)).unwrap() % count
    }

    /// Where one is, for a failure.
    pub(super) fn place(&self) -> String {
        format!("seed {}, killed at {:?}", self.seed, self.kills)
    }

    /// Something took effect so many times.
    pub(super) fn happened(&mut self, what: &str, whose: &str, times: usize) {
        *self.effects.entry(format!("{what} {whose}")).or_default() += times;
    }

    /// Asks the process, or a new one where the last was killed.
    fn ask(&mut self, seconds: i64, deed: &Deed) -> Reply {
        let mut process = self.process.take().unwrap_or_else(|| self.start());
        self.now = self.now.plus_seconds(seconds);
        let reply = process.ask(seconds, deed);
        match &reply {
            Reply::Lost(point) => self.kills.push(point.clone()),
            Reply::Done(_) | Reply::Refused(_) => self.process = Some(process),
        }
        reply
    }

    /// A process that is to die soon, until there were enough of these.
    fn start(&mut self) -> Process {
        let kill_at = if self.kills.len() < KILLS { format!("any:{}", 1 + self.below(POINTS)) } else { String::new() };
        self.started += 1;
        let seed = self.seed * 1000 + self.started;
        Process::start(&orders(self.database, &self.sink.url(), &kill_at, &self.now.to_string(), seed))
    }

    /// Asks as a client does that hears nothing: again. `None` when the second answer is the one that says that the first time was
    /// enough.
    ///
    /// # Panics
    /// When it is refused otherwise.
    pub(super) fn insist(&mut self, deed: &Deed, done_already: &str) -> Option<Value> {
        let mut is_lost = false;
        loop {
            match self.ask(1, deed) {
                Reply::Done(value) => return Some(value),
                Reply::Refused(sentence) if is_lost && sentence == done_already => return None,
                Reply::Refused(sentence) => panic!("{sentence}: {deed:?}, {}", self.place()),
                Reply::Lost(_) => is_lost = true,
            }
        }
    }

    /// Asks for what may happen more than once; what the last answer holds.
    ///
    /// # Panics
    /// When it is refused.
    pub(super) fn get(&mut self, deed: &Deed, key: &str) -> String {
        let value = self.insist(deed, "").unwrap();
        value[key].as_str().unwrap_or_default().to_owned()
    }

    /// Asks for what is refused.
    ///
    /// # Panics
    /// When it is not.
    pub(super) fn is_refused(&mut self, deed: &Deed) {
        loop {
            match self.ask(1, deed) {
                Reply::Refused(_) => return,
                Reply::Done(_) => panic!("{deed:?} was not refused, {}", self.place()),
                Reply::Lost(_) => {}
            }
        }
    }

    /// Lets time pass, and nothing else.
    pub(super) fn wait(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
        self.process = None;
    }

    /// Lets the worker send all there is; one that was killed is followed by another once its leases are over.
    pub(super) fn deliver(&mut self) {
        let mut seconds = 1;
        while let Reply::Lost(_) = self.ask(seconds, &Deed::Deliver) {
            seconds = AFTER_LEASE;
        }
    }

    /// A variable of the newest message of a kind that came to a contact.
    ///
    /// # Panics
    /// When there is none.
    pub(super) fn letter(&self, template: &str, to: &str, variable: &str) -> String {
        let posts = self.sink.requests();
        let letters = posts.iter().filter_map(|post| {
            let body: Value = serde_json::from_str(&post.body).unwrap();
            let is_wanted = body["data"]["template"] == template && body["data"]["to"] == to;
            is_wanted.then(|| (post.header("webhook-id").unwrap(), body))
        });
        // Ids are in the order of their time, which passes from one deed to the next.
        let newest = letters.max_by_key(|(id, _)| *id);
        let (_, body) = newest.unwrap_or_else(|| panic!("no {template} came to {to}, {}", self.place()));
        body["data"]["data"][variable].as_str().unwrap().to_owned()
    }
}
