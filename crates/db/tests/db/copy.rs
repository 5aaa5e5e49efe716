//! A shop's way from a file to PostgreSQL.

use std::sync::Arc;

use cr_db::copy::{self, Copied, TABLES};
use cr_db::{Database, DbError};
use cr_testkit::TestDatabase;
use cr_types::timestamp::Timestamp;
use tokio::sync::Notify;

/// Something in every table, more than one batch in some, with whatever a copy could get wrong.
const SHOP: &str = r#"
with recursive n (i) as (select 1 union all select i + 1 from n where i < 1234)
insert into customer (id, email, has_account, metadata, created_at, updated_at)
  select 'cus_' || i, 'c' || i || '@shop.test', i % 2, json_object('n', i), '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z' from n;
insert into customer (id, email, phone, first_name, last_name, has_account, metadata, email_verified, phone_verified, created_at, updated_at, deleted_at) values
  ('cus_Z', 'ö@shop.test', '+15551234567', 'Ünï "quoted" \ back', '', true, '{"z":1,"a":[true,null,1.5,-7,"x"],"n":{"b":9007199254740991}}', true, false, '2026-01-02T03:04:05.001Z', '2026-01-02T03:04:05.999Z', null),
  ('cus_a', null, null, null, null, false, null, false, false, '1999-12-31T23:59:59.000Z', '1999-12-31T23:59:59.000Z', '2026-01-02T03:04:05.678Z');
insert into customer_address (id, customer_id, is_default_shipping, is_default_billing, city, metadata) values ('cuaddr_1', 'cus_Z', true, false, 'Ulm', '{}');
with recursive n (i) as (select 1 union all select i + 1 from n where i < 600)
insert into auth_identity (id, app_metadata) select 'authid_' || i, json_object('customer_id', 'cus_' || i, 'cr_not_before', i) from n;
insert into provider_identity (id, entity_id, provider, auth_identity_id, user_metadata, provider_metadata) values
  ('p_1', 'c1@shop.test', 'emailpass', 'authid_1', null, '{"password":"c2NyeXB0"}');
insert into "user" (id, email) values ('user_1', 'boss@shop.test');
insert into api_key (id, token, salt, redacted, title, type, created_by, created_at, updated_at) values ('apk_1', 'pk_1', '', 'pk_***', 't', 'publishable', '', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z');
insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at, attempts) values ('otp_1', 'cus_1', 'email_verification', 'h', '2026-01-02T03:04:05.678Z', 3);
insert into account_deletion_request (id, customer_id, status, reason, deletion_scheduled_at, created_at, updated_at) values
  ('adr_1', 'cus_1', 'confirmed', 'r', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z');
insert into referral_link (id, customer_id, referrer_id, parent_customers_by_level) values ('refl_1', 'cus_2', 'cus_1', '{"1":"cus_1"}');
insert into cr_state (key, value, updated_at) values ('undone:cus_1', 'spans', '2026-01-02T03:04:05.678Z');
insert into cr_outbox (id, channel, payload, template, trigger_type, receiver_id, idempotency_key, status, attempts, next_attempt_at, created_at, updated_at) values
  ('msg_1', 'email', 'sealed', 't', 't', 'cus_1', 'k1', 'pending', 2, '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z');
insert into cr_limit (key, count, resets_at, updated_at) values ('k:1', 9223372036854775807, '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z');
insert into cr_reset_token (auth_identity_id, jti, expires_at, created_at) values ('authid_1', 'j', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z');
insert into cr_proof (customer_id, channel, value, proven_at) values ('cus_Z', 'email', 'ö@shop.test', '2026-01-02T03:04:05.678Z'), ('cus_Z', 'phone', '+15551234567', '2026-01-02T03:04:05.678Z');
insert into cr_referral_code (customer_id, code, created_at) values ('cus_1', 'ABCDEFGH', '2026-01-02T03:04:05.678Z');
insert into cr_audit (id, actor_type, action, details, created_at) values ('craud_1', 'job', 'a', '{"x":1}', '2026-01-02T03:04:05.678Z'), ('craud_2', 'job', 'a', null, '2026-01-02T03:04:05.678Z');
"#;

/// When the copies here are done.
fn now() -> Timestamp {
    "2026-02-03T04:05:06.789Z".parse().unwrap()
}

/// A shop in a file, and an empty server.
async fn two() -> (TestDatabase, TestDatabase) {
    let source = TestDatabase::sqlite().await;
    source.sql(SHOP).await;
    (source, TestDatabase::postgres().await)
}

/// Copies from one to the other.
async fn run(source: &TestDatabase, target: &TestDatabase) -> Result<Vec<Copied>, DbError> {
    let (from, to) = (source.connect_as_is().await, target.connect_as_is().await);
    let outcome = copy::run(&from, &to, now(), |_| {}).await;
    from.close().await;
    to.close().await;
    outcome
}

/// The sentence of a refusal.
async fn refused(source: &TestDatabase, target: &TestDatabase) -> String {
    match run(source, target).await {
        Err(DbError::Migration(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}

/// All rows but those that belong to a database and not to the shop in it.
async fn rows(database: &TestDatabase) -> String {
    let state = database
        .rows(
            "select key, value from cr_state where key not in ('medusa_made', 'flags_adopted', 'db_copy') order by key",
        )
        .await;
    format!("{}{state:?}", database.dump(&["cr_state"]).await)
}

/// Both sides have the same rows; the first line that differs is told.
async fn assert_equal(source: &TestDatabase, target: &TestDatabase) {
    let (there, here) = (rows(target).await, rows(source).await);
    for (copied, original) in there.lines().zip(here.lines()) {
        assert_eq!(copied, original);
    }
    assert_eq!(there.len(), here.len());
}

/// A table that a new migration brings would be left behind.
#[test]
fn every_table_is_copied() {
    cr_testkit::run(async {
        let (source, _) = two().await;
        let tables = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' and name <> 'cr_migrations' order by name";
        let there: Vec<String> =
            source.rows(tables).await.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
        let mut copied: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
        copied.sort_unstable();
        assert_eq!(there, copied);
        for table in copied {
            let count = source.rows(&format!("select count(*) as n from \"{table}\"")).await;
            assert!(count[0]["n"].as_i64() > Some(0), "the shop of this test has nothing in {table}");
        }
    });
}

#[test]
fn a_copy_holds_what_the_file_held_and_is_done_once() {
    cr_testkit::run(async {
        let (source, target) = two().await;
        let copied = run(&source, &target).await.unwrap();
        let names: Vec<&str> = copied.iter().map(|it| it.table).collect();
        assert_eq!(names, TABLES.map(|(table, _)| table));
        assert_eq!((copied[0].rows, copied[2].rows, copied[13].rows), (1236, 600, 2));
        assert_equal(&source, &target).await;
        let again = refused(&source, &target).await;
        assert_eq!(
            again,
            "a copy to this database was done at 2026-02-03T04:05:06.789Z; it is in use since then and is not written over"
        );
    });
}

/// Whoever loses the connection in the middle begins again, and what changed in the file meanwhile comes along.
#[test]
fn a_copy_that_was_broken_off_is_begun_again() {
    cr_testkit::run(async {
        let (source, target) = two().await;
        let (from, to) = (source.connect_as_is().await, target.connect_as_is().await);
        let half = Arc::new(Notify::new());
        let reached = Arc::clone(&half);
        let copying = copy::run(&from, &to, now(), move |progress| {
            if progress.done >= 1000 {
                reached.notify_one();
            }
        });
        tokio::select! {
            biased;
            () = half.notified() => {}
            outcome = copying => panic!("it was not broken off: {outcome:?}"),
        }
        let written = target.rows("select count(*) as n from customer").await[0]["n"].as_i64().unwrap();
        assert!(written >= 1000, "{written}");
        assert_eq!(target.rows("select value from cr_state where key = 'db_copy'").await[0]["value"], "running");
        source.sql("update customer set first_name = 'later' where id = 'cus_1'").await;
        from.close().await;
        to.close().await;
        run(&source, &target).await.unwrap();
        assert_equal(&source, &target).await;
    });
}

/// Rows that went from the file between two tries are still in the target: that is told, and nothing is called done.
#[test]
fn a_difference_at_the_end_is_told() {
    cr_testkit::run(async {
        let (source, target) = two().await;
        target.sql("insert into cr_state (key, value, updated_at) values ('db_copy', 'running', '2026-01-02T03:04:05.678Z'); \
                    insert into cr_audit (id, actor_type, action, created_at) values ('craud_9', 'job', 'a', '2026-01-02T03:04:05.678Z')").await;
        let told = refused(&source, &target).await;
        assert!(
            told.starts_with("table cr_audit differs after the copy: 2 rows in the source and 3 in the target"),
            "{told}"
        );
        assert_eq!(target.rows("select value from cr_state where key = 'db_copy'").await[0]["value"], "running");
    });
}

#[test]
fn what_would_write_over_somebody_is_refused() {
    cr_testkit::run(async {
        let (source, target) = two().await;
        assert_eq!(refused(&target, &source).await, "a copy goes from sqlite:// to postgres://");
        assert_eq!(refused(&source, &source).await, "a copy goes from sqlite:// to postgres://");
        let empty = TestDatabase::empty_postgres().await;
        assert_eq!(refused(&source, &empty).await, "the target is not up to date; run `migrate` on it first");
        let before = target.dump(&[]).await;
        target.sql("insert into customer (id, has_account) values ('cus_there', false)").await;
        assert_eq!(
            refused(&source, &target).await,
            "the target has 1 customers already, such as cus_there; copy to a database without any"
        );
        target.sql("delete from customer").await;
        target.sql("insert into \"user\" (id, email) values ('user_there', 'boss@shop.test'), ('user_else', 'else@shop.test')").await;
        let told = refused(&source, &target).await;
        assert!(told.starts_with("1 rows clash: user user_1 of the source and user_there of the target."), "{told}");
        target.sql("delete from \"user\"").await;
        assert_eq!(target.dump(&[]).await, before, "a refusal changes nothing");
    });
}

/// Nobody writes to the file while it is copied.
#[test]
fn the_file_is_held_until_the_end() {
    cr_testkit::run(async {
        let (source, target) = two().await;
        let (from, to) = (source.connect_as_is().await, target.connect_as_is().await);
        let writer: Database = source.connect_as_is().await;
        let half = Arc::new(Notify::new());
        let reached = Arc::clone(&half);
        let copying = copy::run(&from, &to, now(), move |_| reached.notify_one());
        tokio::pin!(copying);
        tokio::select! {
            biased;
            () = half.notified() => {}
            outcome = &mut copying => panic!("{outcome:?}"),
        }
        let refused = writer.begin().await.err().unwrap();
        assert!(matches!(refused, DbError::Busy(_)), "{refused:?}");
        copying.await.unwrap();
        writer.begin().await.unwrap().commit().await.unwrap();
    });
}
