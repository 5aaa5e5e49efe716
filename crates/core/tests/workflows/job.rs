//! The job that erases accounts whose time has come.

use cr_core::app::App;
use cr_core::error::ErrorKind;
use cr_core::jobs::process_account_deletions::{self, Report};
use cr_core::modules::account_deletion_request::service::AccountDeletionRequestService;
use cr_core::options::{ContactType, Erasure};
use cr_core::workflows::{cancel_account_deletion, login, register};
use cr_testkit::{TestDatabase, newer_medusa};
use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::deletion::{ask_to_stay, schedule};
use crate::races::{at_once, winners};
use crate::shop::{Shop, assert_refused, credentials, open, open_with, registration};
use crate::steps::unwinds;

/// Seconds until a confirmed wish comes true.
const DAYS: i64 = 7 * 86_400;

/// One run.
async fn process(app: &App) -> Result<Report, cr_core::error::Error> {
    process_account_deletions::run(app, &CancellationToken::new(), |_| {}).await
}

/// `(completed, failed)` of a run.
async fn processed(shop: &Shop) -> (u64, u64) {
    let report = process(&shop.app).await.unwrap();
    (report.completed, report.failed)
}

/// A member with a proven phone, an address and a wish to go.
async fn leaving(shop: &Shop, email: &str, phone: &str) -> CustomerId {
    let (claims, id) = shop.member(email, Some(phone)).await;
    shop.verify(&claims, id.as_str(), ContactType::Phone).await.unwrap();
    shop.database.sql(&format!(
        "insert into customer_address (id, customer_id, is_default_shipping, is_default_billing, city, created_at, updated_at) \
         values ('cuaddr_{id}', '{id}', false, false, 'Ulm', '{now}', '{now}')", now = shop.now()
    )).await;
    schedule(shop, &id).await;
    id
}

cr_testkit::both! {
    async fn an_account_goes_when_its_time_has_come_and_not_before(database: TestDatabase) {
        let shop = open(database).await;
        let id = leaving(&shop, "ann@shop.test", "+15551234567").await;
        shop.clock.advance_seconds(DAYS - 1);
        assert_eq!(processed(&shop).await, (0, 0));
        shop.clock.advance_seconds(1);
        assert_eq!(processed(&shop).await, (1, 0));
        assert_eq!(processed(&shop).await, (0, 0));
        let customer = shop.database.rows("select id, email, phone, first_name, metadata, deleted_at is not null as gone from customer").await.remove(0);
        assert_eq!((customer["id"].as_str(), &customer["email"], &customer["phone"], &customer["first_name"]),
                   (Some(id.as_str()), &serde_json::Value::Null, &serde_json::Value::Null, &serde_json::Value::Null));
        for table in ["auth_identity", "provider_identity", "customer_address", "otp_verification", "cr_proof", "cr_outbox"] {
            assert_eq!(shop.count(table).await, 0, "{table}");
        }
        let request = shop.database.rows("select status, reason from account_deletion_request").await.remove(0);
        assert_eq!((request["status"].as_str(), &request["reason"]), (Some("completed"), &serde_json::Value::Null));
    }

    /// Half of an erasure must not be possible, whichever step fails.
    async fn a_step_that_fails_leaves_the_account_whole(database: TestDatabase) {
        let shop = open(database).await;
        leaving(&shop, "ann@shop.test", "+15551234567").await;
        shop.clock.advance_seconds(DAYS);
        let steps = ["delete-auth-identities", "delete-customer", "mark-completed", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| async move {
            let mut cx = app.begin().await?;
            let after = (Timestamp::from_millis(0).unwrap(), "");
            let due = AccountDeletionRequestService::list_due_for_deletion(&mut cx, after, 9).await?;
            let Some(request) = due.first() else { return Ok(false) };
            process_account_deletions::complete(&mut cx, request).await?;
            cx.commit().await?;
            Ok(true)
        }).await;
        assert_eq!((first, second.unwrap()), (true, false));
    }

    /// One step of a batch fails: its accounts are tried one by one, and none is lost.
    async fn a_batch_that_fails_is_tried_one_by_one(database: TestDatabase) {
        let shop = open(database).await;
        for number in 1..4 {
            leaving(&shop, &format!("c{number}@shop.test"), &format!("+1555123456{number}")).await;
        }
        shop.clock.advance_seconds(DAYS);
        shop.faults.begin(Some(4));
        assert_eq!(processed(&shop).await, (3, 0));
        shop.faults.begin(None);
        assert_eq!(shop.count("customer where deleted_at is null").await, 0);
    }

    /// A foreign key of the shop's own keeps one account; the others go, and it is tried again.
    async fn a_failing_account_stops_nobody(database: TestDatabase) {
        let shop = open_with(database, |options| options.erasure = Erasure::Hard).await;
        let mut ids = Vec::new();
        for number in 1..4 {
            ids.push(leaving(&shop, &format!("c{number}@shop.test"), &format!("+1555123456{number}")).await);
        }
        shop.database.sql(&format!(
            "create table receipt (customer_id text references customer (id)); insert into receipt values ('{}')", ids[1]
        )).await;
        shop.clock.advance_seconds(DAYS);
        for run in [(2, 1), (0, 1)] {
            assert_eq!(processed(&shop).await, run);
        }
        assert_eq!(shop.count("auth_identity").await, 1, "the one that stays is whole");
        shop.database.sql("delete from receipt").await;
        assert_eq!(processed(&shop).await, (1, 0));
    }

    async fn held_and_pending_requests_are_not_due(database: TestDatabase) {
        let shop = open(database).await;
        leaving(&shop, "ann@shop.test", "+15551234567").await;
        leaving(&shop, "bob@shop.test", "+15551234568").await;
        shop.database.sql("update account_deletion_request set held_at = '2026-01-02T03:04:05.678Z' where customer_id = (select id from customer where email = 'ann@shop.test')").await;
        shop.database.sql("update account_deletion_request set status = 'pending' where held_at is null").await;
        shop.clock.advance_seconds(2 * DAYS);
        assert_eq!(processed(&shop).await, (0, 0));
        shop.database.sql("update account_deletion_request set held_at = null, status = 'confirmed'").await;
        assert_eq!(processed(&shop).await, (2, 0));
    }

    async fn each_mode_leaves_what_it_says_and_frees_the_contacts(database: TestDatabase) {
        let shop = open_with(database, |options| options.erasure = Erasure::Hard).await;
        leaving(&shop, "ann@shop.test", "+15551234567").await;
        shop.clock.advance_seconds(DAYS);
        assert_eq!(processed(&shop).await, (1, 0));
        assert_eq!((shop.count("customer").await, shop.count("customer_address").await), (0, 0));
        leaving(&shop, "ann@shop.test", "+15551234567").await;
        login_is_refused(&shop).await;
    }

    async fn a_soft_erasure_keeps_the_row_and_frees_the_contacts(database: TestDatabase) {
        let shop = open_with(database, |options| options.erasure = Erasure::Soft).await;
        leaving(&shop, "ann@shop.test", "+15551234567").await;
        shop.clock.advance_seconds(DAYS);
        assert_eq!(processed(&shop).await, (1, 0));
        assert_eq!(shop.count("customer where email = 'ann@shop.test' and deleted_at is not null").await, 1);
        assert_eq!(shop.count("customer_address where deleted_at is not null").await, 1);
        leaving(&shop, "ann@shop.test", "+15551234567").await;
        login_is_refused(&shop).await;
    }

    /// An administrator who was a customer, too, goes on logging in as one.
    async fn a_shared_identity_keeps_its_other_actor(database: TestDatabase) {
        database.sql(&newer_medusa::auth_verification(&database)).await;
        let shop = open(database).await;
        let id = leaving(&shop, "ann@shop.test", "+15551234567").await;
        shop.database.sql(&format!(
            "update auth_identity set app_metadata = '{{\"customer_id\": \"{id}\", \"user_id\": \"user_1\"}}'"
        )).await;
        let verified = "auth_verification where entity_id = '+15551234567'";
        shop.database.sql("update auth_verification set deleted_at = updated_at where entity_type = 'phone'").await;
        assert_eq!(shop.count(verified).await, 2, "one of them soft-deleted");
        shop.clock.advance_seconds(DAYS);
        assert_eq!(processed(&shop).await, (1, 0));
        assert_eq!(shop.count(verified).await, 0);
        let output = login::run(&shop.app, login::Input { actor_type: "user".to_owned(), ..credentials(ContactType::Email, "ann@shop.test") }).await;
        assert_eq!(shop.read(&output.unwrap().token).actor_id, "user_1");
        assert_eq!(shop.count("provider_identity where provider = 'phonepass'").await, 0);
        let again = register::run(&shop.app, registration(ContactType::Email, "ann@shop.test")).await;
        assert_refused(again, ErrorKind::Unauthorized, "Identity with email already exists");
    }

    /// At the due second a cancellation and two jobs run: either the account stays whole, or it goes, once.
    async fn a_cancellation_and_the_job_exclude_each_other(database: TestDatabase) {
        let shop = open(database).await;
        for round in 0..6 {
            let email = format!("ann{round}@shop.test");
            let id = leaving(&shop, &email, &format!("+1555123456{round}")).await;
            shop.clock.advance_seconds(DAYS);
            let (token, code) = ask_to_stay(&shop, &email).await;
            let results = at_once(&shop, 3, move |app, n| {
                let input = cancel_account_deletion::Input { token: token.clone(), code: code.clone() };
                async move {
                    if n == 1 {
                        return cancel_account_deletion::run(&app, input).await.map(|_| 0);
                    }
                    process(&app).await.map(|report| report.completed)
                }
            }).await;
            // A deadlock would come as a conflict.
            for refused in results.iter().filter_map(|result| result.as_ref().err()) {
                assert_ne!(refused.kind, ErrorKind::Conflict, "{refused:?}");
            }
            let erased: u64 = results.iter().filter_map(|result| result.as_ref().ok()).sum();
            let status = shop.value(&format!("select status from account_deletion_request where customer_id = '{id}'")).await;
            let identities = shop.count(&format!("provider_identity where entity_id = '{email}'")).await;
            match status.as_str() {
                Some("cancelled") => assert_eq!((erased, identities, winners(&results)), (0, 1, 3), "{results:?}"),
                Some("completed") => assert_eq!((erased, identities, winners(&results)), (1, 0, 2), "{results:?}"),
                other => panic!("{other:?} {results:?}"),
            }
        }
    }

    /// More than fit into many batches: each goes, once, and a run that is stopped in between is taken up by the next.
    async fn two_thousand_accounts_go_batch_by_batch(database: TestDatabase) {
        let shop = open(database).await;
        let now = shop.now();
        let many = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 2000)";
        for insert in [
            format!("{many} insert into customer (id, email, has_account, created_at, updated_at) \
                     select 'cus_' || i, 'c' || i || '@shop.test', true, '{now}', '{now}' from n"),
            format!("{many} insert into auth_identity (id, app_metadata, created_at, updated_at) \
                     select 'authid_' || i, {}, '{now}', '{now}' from n", shop.json_of("customer_id", "'cus_' || i")),
            format!("{many} insert into provider_identity (id, entity_id, provider, auth_identity_id, created_at, updated_at) \
                     select 'p' || i, 'c' || i || '@shop.test', 'emailpass', 'authid_' || i, '{now}', '{now}' from n"),
            format!("{many} insert into account_deletion_request (id, customer_id, status, deletion_scheduled_at, created_at, updated_at) \
                     select 'adr_' || i, 'cus_' || i, 'confirmed', '{now}', '{now}', '{now}' from n"),
        ] {
            shop.database.sql(&insert).await;
        }
        let stop = CancellationToken::new();
        let until = stop.clone();
        let stopped = process_account_deletions::run(&shop.app, &stop, move |report| {
            if report.completed >= 500 {
                until.cancel();
            }
        }).await.unwrap();
        assert_eq!((stopped.due, stopped.completed, stopped.failed), (2000, 500, 0));
        let begun = std::time::Instant::now();
        assert_eq!(processed(&shop).await, (1500, 0));
        println!("{:.0} accounts a second", 1500.0 / begun.elapsed().as_secs_f64());
        assert_eq!(processed(&shop).await, (0, 0));
        for left in ["customer where deleted_at is null", "auth_identity", "provider_identity"] {
            assert_eq!(shop.count(left).await, 0, "{left}");
        }
        assert_eq!(shop.count("account_deletion_request where status = 'completed'").await, 2000);
    }

    /// Several replicas on one database share the work.
    async fn jobs_at_once_delete_each_account_once(database: TestDatabase) {
        let shop = open(database).await;
        for number in 0..30 {
            let (_, id) = shop.account(&format!("c{number}@shop.test"), None).await;
            shop.database.sql(&format!(
                "insert into account_deletion_request (id, customer_id, status, deletion_scheduled_at, created_at, updated_at) \
                 values ('adr_{number}', '{id}', 'confirmed', '{now}', '{now}', '{now}')", now = shop.now()
            )).await;
        }
        let results = at_once(&shop, 6, |app, _| async move { process(&app).await }).await;
        let completed: u64 = results.into_iter().map(|result| result.unwrap().completed).sum();
        let rest = processed(&shop).await.0;
        assert_eq!(completed + rest, 30);
        assert_eq!(shop.count("customer where deleted_at is null").await, 0);
        assert_eq!(shop.count("cr_audit where action = 'account_deletion.completed'").await, 30);
    }
}

/// Somebody's open transaction holds one customer: that one waits for the next run, the others go.
#[test]
fn a_row_that_is_held_stops_nobody() {
    cr_testkit::run(async {
        let shop = open(TestDatabase::postgres().await).await;
        leaving(&shop, "ann@shop.test", "+15551234567").await;
        leaving(&shop, "bob@shop.test", "+15551234568").await;
        let held = shop.database.hold("select 1 from customer where email = 'ann@shop.test' for update").await;
        shop.clock.advance_seconds(DAYS);
        assert_eq!(processed(&shop).await, (1, 1));
        held.commit().await;
        assert_eq!(processed(&shop).await, (1, 0));
    });
}

/// PostgreSQL keeps microseconds, which somebody may have written by hand.
#[test]
fn a_failing_account_whose_time_is_finer_than_ours_is_tried_once_a_run() {
    cr_testkit::run(async {
        let shop = open_with(TestDatabase::postgres().await, |options| options.erasure = Erasure::Hard).await;
        let id = leaving(&shop, "ann@shop.test", "+15551234567").await;
        shop.database.sql(&format!(
            "create table receipt (customer_id text references customer (id)); insert into receipt values ('{id}');
             update account_deletion_request set deletion_scheduled_at = deletion_scheduled_at + interval '456 microseconds'"
        )).await;
        shop.clock.advance_seconds(DAYS + 1);
        assert_eq!(processed(&shop).await, (0, 1));
    });
}

/// The new account of the same contacts is leaving already, so its login says so: it is a new one, with a password that is right.
async fn login_is_refused(shop: &Shop) {
    let result = login::run(&shop.app, credentials(ContactType::Phone, "+15551234567")).await;
    assert_refused(result, ErrorKind::Forbidden, "Account deletion is scheduled");
}
