//! Many replicas that start at once, and a shop that goes on writing.

use std::time::{Duration, Instant};

use cr_db::migrate::{self, Adoption};
use cr_testkit::{TestDatabase, medusa_database};

use super::{every_kind, start};

/// A deployment with eight replicas, each of which migrates when it starts.
#[test]
fn eight_at_once_do_the_work_of_one() {
    cr_testkit::run(async {
        for (kind, test) in every_kind().await {
            let mut runs = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let settings = test.settings();
                runs.spawn(async move {
                    let database = cr_db::Database::connect(&settings).await?;
                    migrate::run(&database, start()).await
                });
            }
            let mut adopted = Vec::new();
            while let Some(run) = runs.join_next().await {
                let report = run.unwrap().unwrap_or_else(|error| panic!("{kind}: {error:?}"));
                if report.adopted != Adoption::default() {
                    adopted.push(report.adopted);
                }
            }
            assert!(adopted.len() <= 1, "{kind}: adopted more than once: {adopted:?}");
            let status = migrate::status(&test.connect_as_is().await).await.unwrap();
            assert!(status.is_current(), "{kind}: {status:?}");
        }
    });
}

/// A long transaction of the shop's holds `customer` while the two columns are to be added.
#[test]
fn adding_columns_gives_way_and_tries_again() {
    cr_testkit::run(async {
        let report = migrate_beside(&medusa_database().await, "select id from customer").await;
        assert_eq!(report.applied.len(), 16);
    });
}

/// The shop writes for longer than an index build may wait: the build is given up, its rest dropped, and built anew.
#[test]
fn building_an_index_gives_way_and_starts_again() {
    cr_testkit::run(async {
        let test = TestDatabase::postgres().await;
        test.sql("drop index cr_customer_phone; insert into customer (id) values ('cus_alice')").await;
        let report = migrate_beside(&test, "update customer set first_name = 'Alice'").await;
        assert_eq!(report.indexes_built, 1);
    });
}

/// Every start asks for the status. A shop with ten million customers would not start: to count its rows takes longer than a
/// statement may.
#[test]
fn the_status_of_a_current_database_reads_no_table_that_grows() {
    cr_testkit::run(async {
        let test = TestDatabase::postgres().await;
        let lock =
            "lock table customer, otp_verification, account_deletion_request, referral_link in access exclusive mode";
        let transaction = test.hold(lock).await;
        let database = test.connect_as_is().await;
        let status = tokio::time::timeout(Duration::from_secs(20), migrate::status(&database)).await;
        assert!(status.expect("it waits for a table").unwrap().is_current());
        transaction.commit().await;
    });
}

/// Migrates while a transaction that ran the statement stays open until migrate gave up waiting and waited again.
async fn migrate_beside(test: &TestDatabase, shop: &str) -> migrate::Report {
    let transaction = test.hold(shop).await;
    let settings = test.settings();
    let mut run = tokio::task::JoinSet::new();
    run.spawn(async move {
        let database = cr_db::Database::connect(&settings).await?;
        migrate::run(&database, start()).await
    });
    for waits in [true, false, true] {
        wait_until(test, waits).await;
    }
    assert!(run.try_join_next().is_none(), "migrate ended beside a transaction that holds its table");
    transaction.commit().await;
    run.join_next().await.unwrap().unwrap().unwrap()
}

/// Until a connection to the database waits for a lock, or none does any more.
async fn wait_until(test: &TestDatabase, waits: bool) {
    let waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while test.rows(waiting).await.is_empty() == waits {
        assert!(Instant::now() < deadline, "nobody came to wait, or went on");
        tokio::task::yield_now().await;
    }
}
