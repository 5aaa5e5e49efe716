//! `kill -9` at the points of every workflow, of the worker and of the jobs: a process is told to die at one, another goes on with
//! its database. Nothing is half there, no message is lost, nothing takes effect twice.
//!
//! A plain run dies once at every point, and lets a few lives be cut at random. `FAULT_FULL=1` lives 1,000 lives on each database;
//! `FAULT_SEEDS=250..500` lives those of these seeds.

mod cases;
mod deeds;
mod judge;
mod life;
mod points;
mod process;
mod story;

use cr_core::options::{EventWebhook, Options};
use cr_core::password::HashParams;
use cr_testkit::{START, TestDatabase, WebhookSink};
use secrecy::SecretString;

use crate::shop::usual_options;
use deeds::Deed;
use process::{ORDERS, Process, Reply, orders, serve};

/// The cheapest hashes that a login takes: no kill is about them.
const CHEAPEST: HashParams = HashParams { log_n: 10, r: 1, p: 1 };
/// What posts are signed with.
const SECRET: &str = "whsec_YSBrZXkgb2YgMjQgYnl0ZXMgbGVuZ3Ro";
/// The test that a process runs.
const PROCESS: &str = "kill::a_process_that_is_told_to_die_dies_there_and_not_before";

/// The usual shop, whose events all go to the sink.
fn options(sink: &str) -> Options {
    let mut options = usual_options();
    let secret = SecretString::from(SECRET.to_owned());
    options.event_webhooks = vec![EventWebhook { url: sink.to_owned(), secret, events: vec!["*".to_owned()] }];
    options
}

/// What a test was asked for by its environment.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration file")]
fn asked(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// Were the orders not obeyed, every other test here would say nothing. Also what those processes run.
#[test]
fn a_process_that_is_told_to_die_dies_there_and_not_before() {
    if let Some(orders) = asked(ORDERS) {
        return serve(&serde_json::from_str(&orders).unwrap());
    }
    cr_testkit::run(async {
        let (database, sink) = (TestDatabase::sqlite().await, WebhookSink::start().await);
        let mut process = Process::start(&orders(&database, &sink.url(), "commit:2", START, 1));
        assert!(matches!(process.ask(0, &Deed::CreateApiKey), Reply::Done(_)));
        assert_eq!(process.reached, ["commit", "committed"]);
        assert_eq!(process.ask(0, &Deed::CreateApiKey), Reply::Lost("commit".to_owned()));
        assert_eq!(database.rows("select id from api_key").await.len(), 1);
    });
}

cr_testkit::both! {
    /// A step that were left out would be one that nobody ever saw die.
    async fn a_kill_at_any_point_leaves_nothing_half_there(database: TestDatabase) {
        points::kill_at_every_one(&database);
    }

    /// What a client was told stays, what it was not told is there as a whole or not at all, and it comes through by asking again.
    async fn lives_that_are_cut_at_random_come_out_as_if_they_were_not(database: TestDatabase) {
        life::live_many(&database).await;
    }
}
