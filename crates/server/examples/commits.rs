//! What `cargo xtask bench` compares `otp/send` and `otp/verify` with: the least that makes anything durable at all.
//!
//! As many tasks as there are clients, each of which writes one small row in a transaction of its own and commits it, again and
//! again, with the same driver and the same settings as the server. On PostgreSQL each has a connection, so none waits for another. On
//! SQLite they take turns outside of the database, so that none shares a commit as the server's requests do.
//! `commits URL TASKS SECONDS` prints the commits a second. Not a program for anything but that comparison.

#![expect(clippy::print_stdout, reason = "the rate is what this is for")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cr_core::env::Env;
use cr_db::models::cr_limit;
use cr_db::{Database, DatabaseKind, DatabaseSettings, PLACE_TIMEOUT};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Whose turn it is to write to SQLite.
static TURN: Mutex<()> = Mutex::const_new(());

/// Commits for a time and prints one line.
#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, tasks, seconds] = arguments.as_slice() else { bail!("commits URL TASKS SECONDS") };
    let tasks: u32 = tasks.parse().context("TASKS is a number")?;
    let settings = DatabaseSettings {
        url: url.clone(),
        schema: "public".to_owned(),
        min_connections: tasks,
        max_connections: tasks,
        place_timeout: PLACE_TIMEOUT,
    };
    let database = Database::connect(&settings).await?;
    let span = Duration::from_secs(seconds.parse().context("SECONDS is a number")?);
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks {
        running.spawn(commit_until(begun + span, database.clone(), task));
    }
    let mut commits = 0;
    while let Some(of_one) = running.join_next().await {
        commits += of_one??;
    }
    println!("{:.1}", f64::from(commits) / begun.elapsed().as_secs_f64());
    database.close().await;
    Ok(())
}

/// One task's part: how many commits. Its rows go into the table of counters, under keys that nobody else has.
async fn commit_until(end: Instant, database: Database, task: u32) -> Result<u32> {
    let env = Env::system();
    let mut commits = 0;
    while Instant::now() < end {
        let now = env.clock.now();
        let key = format!("bench:{}:{task}:{commits}", now.millis());
        let turn = if database.kind() == DatabaseKind::Sqlite { Some(TURN.lock().await) } else { None };
        let mut tx = database.begin().await?;
        cr_limit::take(&mut tx, &key, i64::MAX, now.plus_seconds(60), now).await?;
        tx.commit().await?;
        drop(turn);
        commits += 1;
    }
    Ok(commits)
}
