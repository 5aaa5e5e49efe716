//! `kill -9` in the middle of long work: the deletion job over thousands of accounts, and the move of a whole shop.

use std::process::Output;
use std::time::Duration;

use cr_db::DatabaseKind;
use cr_testkit::TestDatabase;
use regex::Regex;
use serde_json::json;

use crate::customer::{Customer, PASSWORD};
use crate::program::{PATIENCE, Program};
use crate::shop::Shop;

/// Accounts whose time has come.
const DUE: u32 = 3000;
/// Nothing is sent here.
const LOCAL: &str = "\n[[notification.providers]]\nid = \"local\"\nchannels = [\"email\", \"sms\"]\n";

/// Fills a test's database with accounts that are due.
async fn fill(database: &TestDatabase, count: u32) {
    let mut connection = database.open().await;
    cr_testkit::leaving::fill(&mut connection, 1..=count).await;
    connection.close().await;
}

/// Waits until a count is at least so much; the count.
pub(crate) async fn until(database: &TestDatabase, from: &str, least: i64) -> i64 {
    let mut connection = database.open().await;
    let reached = async {
        loop {
            let rows = connection.rows(&format!("select count(*) as n from {from}")).await;
            let count = rows[0]["n"].as_i64().unwrap();
            if count >= least {
                return count;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let count = tokio::time::timeout(PATIENCE, reached).await;
    connection.close().await;
    count.unwrap_or_else(|_| panic!("{from} never had {least} rows"))
}

/// All rows, but for moments and for ids that the program draws, which no two runs share.
async fn told(database: &TestDatabase) -> String {
    let drawn = Regex::new("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|[0-9A-HJKMNP-TV-Z]{26}").unwrap();
    let dump = database.dump(&["cr_state"]).await;
    let mut lines: Vec<String> = Vec::new();
    let mut table = "";
    for line in dump.lines() {
        match line.strip_prefix(' ') {
            Some(row) => lines.push(format!("{table} {}", drawn.replace_all(row, "*"))),
            None => table = line,
        }
    }
    lines.sort();
    lines.join("\n")
}

/// Asserts that two dumps are one, telling the first line that differs.
fn assert_same(left: &str, right: &str) {
    for (left, right) in left.lines().zip(right.lines()) {
        assert_eq!(left, right);
    }
    assert_eq!(left.len(), right.len());
}

/// An account is there as a whole or gone as a whole, and gone exactly where its request says so.
async fn assert_nothing_is_half_deleted(database: &TestDatabase) {
    for (name, sql) in [
        (
            "gone before its request says so",
            "select r.id from account_deletion_request r join customer c on c.id = r.customer_id \
          where r.status = 'confirmed' and (c.deleted_at is not null or c.email is null)",
        ),
        (
            "there although its request is completed",
            "select r.id from account_deletion_request r join customer c on c.id = r.customer_id \
          where r.status = 'completed' and (c.deleted_at is null or c.email is not null or c.first_name is not null)",
        ),
        (
            "a login of somebody who is gone",
            "select p.id from provider_identity p join account_deletion_request r on 'p_' || substr(r.id, 5) = p.id where r.status = 'completed'",
        ),
        (
            "somebody without a login",
            "select r.id from account_deletion_request r left join provider_identity p on 'p_' || substr(r.id, 5) = p.id \
          where r.status = 'confirmed' and p.id is null",
        ),
        (
            "an address or a proof of somebody who is gone",
            "select r.id from account_deletion_request r where r.status = 'completed' and (\
            exists (select 1 from customer_address a where a.customer_id = r.customer_id) \
            or exists (select 1 from cr_proof p where p.customer_id = r.customer_id))",
        ),
    ] {
        let rows = database.rows(sql).await;
        assert!(rows.is_empty(), "{name}: {rows:?}");
    }
}

cr_testkit::both! {
    /// Killed in the middle, and taken up by two replicas at once: the same rows as a run that nobody disturbed, each account once.
    async fn a_job_that_is_killed_is_taken_up(database: TestDatabase) {
        fill(&database, DUE).await;
        let shop = Shop::new(&database, LOCAL, "");
        let job = ["job", "run", "process-account-deletions"];
        let program = Program::start(shop.command(&job));
        until(&database, "account_deletion_request where status = 'completed'", 200).await;
        program.kill().await;
        let done = until(&database, "account_deletion_request where status = 'completed'", 200).await;
        assert!(done < i64::from(DUE), "it was killed too late");
        assert_nothing_is_half_deleted(&database).await;
        let (one, other) = tokio::join!(shop.run(&job), shop.run(&job));
        let told_by: Vec<String> =
            [&one, &other].iter().map(|ran| String::from_utf8_lossy(&ran.stdout).trim().to_owned()).collect();
        // On SQLite one that finds the file taken each time it looks gives up after five seconds, and the other does it all.
        let may_give_up = database.kind() == DatabaseKind::Sqlite;
        let is_well = |ran: &Output| ran.status.success() || (may_give_up && ran.status.code() == Some(1));
        assert!(is_well(&one) && is_well(&other), "{one:?} {other:?}");
        assert!(one.status.success() || other.status.success(), "{one:?} {other:?}");
        // One that finds all rest in the other's hands is at its end.
        assert!(shop.run(&job).await.status.success());
        assert_nothing_is_half_deleted(&database).await;
        assert_eq!(until(&database, "cr_audit where action = 'account_deletion.completed'", 1).await, i64::from(DUE), "{told_by:?}");

        let undisturbed = match database {
            TestDatabase::Sqlite { .. } => TestDatabase::sqlite().await,
            TestDatabase::Postgres { .. } => TestDatabase::postgres().await,
        };
        fill(&undisturbed, DUE).await;
        let ran = Shop::new(&undisturbed, LOCAL, "").run(&job).await;
        assert_eq!(String::from_utf8_lossy(&ran.stdout), format!("{DUE} accounts deleted, 0 failed\n"));
        assert_same(&told(&database).await, &told(&undisturbed).await);
    }
}

/// Killed in the middle and begun again: PostgreSQL has what the file had, and whoever could log in there can log in here.
#[test]
fn a_move_that_is_killed_is_begun_again() {
    cr_testkit::run(async {
        let (file, server) = (TestDatabase::sqlite().await, TestDatabase::postgres().await);
        let shop = Shop::new(&file, LOCAL, "")
            .variable("CUSTOMER_REGISTRATION__OPTIONS__REGISTRATION__REQUIRE_VERIFICATION", "false");
        let before = shop.serve().await;
        let ann = Customer::register(&before, "ann@shop.test", "+15551234567").await;
        before.program.stop().await;
        fill(&file, 20_000).await;

        let copy = ["db", "copy", "--from", file.url(), "--to", server.url()];
        let program = Program::start(shop.command(&copy));
        until(&server, "customer", 1000).await;
        program.kill().await;
        let copied = until(&server, "customer", 1000).await;
        assert!(copied < 20_001 || until(&server, "cr_proof", 0).await < 20_000, "it was killed too late");
        let ran = shop.run(&copy).await;
        let out = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{out}{}", String::from_utf8_lossy(&ran.stderr));
        assert!(
            out.starts_with("customer                         20001 rows  ") && out.contains("both sides are equal"),
            "{out}"
        );
        assert_same(&told(&server).await, &told(&file).await);

        let again = shop.run(&copy).await;
        assert_eq!(again.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&again.stderr).contains("a copy to this database was done at "));
        let after = Shop::new(&server, LOCAL, "")
            .variable("CUSTOMER_REGISTRATION__OPTIONS__REGISTRATION__REQUIRE_VERIFICATION", "false")
            .serve()
            .await;
        ann.log_in(&after, json!({"email": ann.email, "password": PASSWORD})).await;
        after.program.stop().await;
    });
}
