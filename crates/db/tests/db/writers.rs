//! Many who write at once: each keeps or loses its own, whoever shares a commit with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use cr_db::models::cr_state;
use cr_db::{Database, DbError};
use cr_testkit::{TestDatabase, env};
use cr_types::timestamp::Timestamp;
use tokio::task::JoinSet;

/// Who writes at once: more than one commit makes durable.
const WRITERS: u32 = 120;

/// The moment of all rows.
fn now() -> Timestamp {
    env(1).0.clock.now()
}

/// The key that a writer writes.
fn key(number: u32) -> String {
    format!("writer {number:03}")
}

/// Writes a row and does not commit yet.
async fn write(database: &Database, number: u32) -> cr_db::Tx {
    let mut tx = database.begin().await.unwrap();
    cr_state::replace(&mut tx, &key(number), "written", now()).await.unwrap();
    tx
}

/// Whether somebody who opens the database anew sees the row of a writer.
async fn is_seen(database: &Database, number: u32) -> bool {
    let mut tx = database.read().await.unwrap();
    cr_state::find(&mut tx, &key(number)).await.unwrap().is_some()
}

/// The writers whose rows are there.
async fn written(database: &TestDatabase) -> BTreeSet<String> {
    let rows = database.rows("select key from cr_state where key like 'writer %'").await;
    rows.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect()
}

cr_testkit::both! {
    /// Commits, takes back by word and takes back by going away, all at once. Who hears that the commit is done can be seen by
    /// others from then on.
    async fn of_many_writers_each_keeps_or_loses_its_own(test: TestDatabase) {
        let database = test.connect().await;
        let mut writers = JoinSet::new();
        for number in 0..WRITERS {
            let database = database.clone();
            writers.spawn(async move {
                let tx = write(&database, number).await;
                match number % 4 {
                    0 => tx.roll_back().await.unwrap(),
                    1 => drop(tx),
                    _ => {
                        tx.commit().await.unwrap();
                        assert!(is_seen(&database, number).await, "{number} was told too early");
                    }
                }
            });
        }
        writers.join_all().await;
        let expected: BTreeSet<String> = (0..WRITERS).filter(|number| number % 4 > 1).map(key).collect();
        assert_eq!(written(&test).await, expected);
    }

    /// A request may end at any moment, since its client may go away: those who write with it notice nothing.
    async fn who_goes_away_in_the_middle_takes_nobody_along(test: TestDatabase) {
        let database = test.connect().await;
        let mut staying = JoinSet::new();
        let mut leavers = JoinSet::new();
        let mut leaving = Vec::new();
        for number in 0..WRITERS {
            let database = database.clone();
            let writes = async move {
                write(&database, number).await.commit().await.unwrap();
                number
            };
            if number % 3 == 0 {
                leaving.push(leavers.spawn(writes));
            } else {
                staying.spawn(writes);
            }
        }
        for (place, leaver) in leaving.into_iter().enumerate() {
            tokio::time::sleep(Duration::from_micros(u64::try_from(place).unwrap() * 37 % 700)).await;
            leaver.abort();
        }
        let stayed: BTreeSet<String> = staying.join_all().await.into_iter().map(key).collect();
        assert!(written(&test).await.is_superset(&stayed), "a writer was told of a commit that was not");
        assert_eq!(stayed.len(), usize::try_from(WRITERS - WRITERS / 3).unwrap());
        // And the next one still gets a turn.
        write(&database, WRITERS).await.commit().await.unwrap();
        assert!(is_seen(&database, WRITERS).await);
    }

    /// A part that is taken back is the writer's own, whoever shares the transaction.
    async fn a_part_that_is_taken_back_costs_its_own_alone(test: TestDatabase) {
        let database = test.connect().await;
        let mut writers = JoinSet::new();
        for number in 0..WRITERS {
            let database = database.clone();
            writers.spawn(async move {
                let mut tx = write(&database, number).await;
                tx.begin_part().await.unwrap();
                cr_state::replace(&mut tx, &key(number), "part", now()).await.unwrap();
                if number % 2 == 0 {
                    tx.roll_back_part().await.unwrap();
                } else {
                    tx.end_part().await.unwrap();
                }
                tx.commit().await.unwrap();
            });
        }
        writers.join_all().await;
        for (value, rest) in [("written", 0), ("part", 1)] {
            let rows = test.rows(&format!("select key from cr_state where key like 'writer %' and value = '{value}'")).await;
            let found: BTreeSet<&str> = rows.iter().map(|row| row["key"].as_str().unwrap()).collect();
            let expected: Vec<String> = (0..WRITERS).filter(|number| number % 2 == rest).map(key).collect();
            assert_eq!(found, expected.iter().map(String::as_str).collect());
        }
    }

    /// Closing waits for the commits that are under way.
    async fn closing_loses_no_commit(test: TestDatabase) {
        let database = test.connect().await;
        let mut writers = JoinSet::new();
        for number in 0..WRITERS {
            let tx = {
                let database = database.clone();
                async move {
                    let Ok(mut tx) = database.begin().await else { return None };
                    cr_state::replace(&mut tx, &key(number), "written", now()).await.ok()?;
                    tx.commit().await.ok().map(|()| number)
                }
            };
            writers.spawn(tx);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        database.close().await;
        let told: BTreeSet<String> = writers.join_all().await.into_iter().flatten().map(key).collect();
        assert_eq!(written(&test).await, told);
    }
}

/// A command of an operator on a busy shop: another process, which knows nothing of the queue and looks only now and then whether the
/// file is free.
#[test]
fn another_process_gets_in_between() {
    // Fewer than one commit is for, and more.
    for busy in [24, WRITERS] {
        cr_testkit::run(get_in_between(busy));
    }
}

/// The same with so many who write all the time.
async fn get_in_between(writing: u32) {
    let test = TestDatabase::sqlite().await;
    let (busy, other) = (test.connect().await, test.connect().await);
    let is_over = Arc::new(AtomicBool::new(false));
    let commits = Arc::new(AtomicU32::new(0));
    let mut writers = JoinSet::new();
    for number in 0..writing {
        let (busy, is_over, commits) = (busy.clone(), Arc::clone(&is_over), Arc::clone(&commits));
        writers.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                write(&busy, number).await.commit().await.unwrap();
                commits.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let busy = async {
        while commits.load(Ordering::Relaxed) < 2 * writing {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), busy).await.is_ok(), "the shop is not busy");
    // Each waits for five seconds at the most; now and then one finds the file taken each time that it looks.
    let mut refusals = 0;
    for number in writing..writing + 20 {
        let mut tx = loop {
            match other.begin().await {
                Ok(tx) => break tx,
                Err(DbError::Busy(_)) if refusals < 5 => refusals += 1,
                Err(error) => panic!("after {refusals} refusals: {error}"),
            }
        };
        cr_state::replace(&mut tx, &key(number), "written", now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    writers.join_all().await;
    assert_eq!(written(&test).await.len(), usize::try_from(writing + 20).unwrap());
}

/// Opens a database, uses it, and keeps it beyond the runtime in which it was opened, with a transaction that is open.
fn outlive_the_runtime(stage: impl Future<Output = TestDatabase>) {
    let kept = cr_testkit::run(async {
        let test = stage.await;
        let database = test.connect().await;
        assert!(!is_seen(&database, 1).await);
        let tx = write(&database, 1).await;
        (database, tx, test)
    });
    let (database, tx, test) = kept;
    drop(tx);
    drop(database);
    drop(test);
}

/// A program that embeds the product may let go of it anywhere.
#[test]
fn what_outlives_its_runtime_is_let_go_of_in_peace() {
    outlive_the_runtime(TestDatabase::sqlite());
    outlive_the_runtime(TestDatabase::postgres());
}

/// A server that is restarted, or an administrator who ends connections, costs each connection one request and no more.
#[test]
fn a_connection_that_the_server_ended_is_lent_to_nobody_else() {
    cr_testkit::run(async {
        let test = TestDatabase::postgres().await;
        let database = test.connect().await;
        let mut administrator = test.open().await;
        let mut was_met = false;
        // One that rested for long is looked at before it is lent, and then nobody meets it: on a slow machine now and then.
        for _ in 0..20 {
            write(&database, 1).await.commit().await.unwrap();
            let end = "select pg_terminate_backend(pid) from pg_stat_activity \
                       where datname = current_database() and pid <> pg_backend_pid()";
            administrator.try_sql(end).await.unwrap();
            let mut tx = database.read().await.unwrap();
            was_met |= cr_state::find(&mut tx, &key(1)).await.is_err();
            drop(tx);
            assert!(is_seen(&database, 1).await);
        }
        assert!(was_met, "the connection that rested was never the one in use");
    });
}
