//! `account_deletion_request`, and what erasing a customer takes away.

use cr_db::models::account_deletion_request::{self, Decision, NewConfirmedRequest, OrderBy};
use cr_db::models::{
    belongings, cr_limit, cr_outbox, cr_reset_token, cr_state, customer, customer_address, customer_group_customer,
};
use cr_types::timestamp::Timestamp;
use serde_json::json;

use super::{after, begin, customer_id, identity_id, now, open};

/// Requests in every state; ids sort against their times.
const REQUESTS: &str = "
insert into account_deletion_request (id, customer_id, reason, status, deletion_scheduled_at, held_at, deleted_at, created_at, updated_at) values
  ('adr_1', 'cus_9', 'r', 'confirmed', '2026-01-02T03:04:06.678Z', null, null, '2026-01-03T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('adr_2', 'cus_8', 'r', 'confirmed', '2026-01-02T03:04:05.678Z', null, null, '2026-01-02T00:00:00.000Z', '2026-01-02T00:00:00.000Z'),
  ('adr_3', 'cus_7', 'r', 'confirmed', '2026-01-02T03:04:05.678Z', '2026-01-01T00:00:00.000Z', null, '2026-01-01T00:00:00.000Z', '2026-01-03T00:00:00.000Z'),
  ('adr_4', 'cus_6', 'r', 'pending', '2026-01-02T03:04:05.678Z', null, null, '2026-01-01T00:00:00.000Z', '2026-01-04T00:00:00.000Z'),
  ('adr_5', 'cus_5', 'r', 'confirmed', '2026-01-02T03:04:05.678Z', null, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('adr_6', 'cus_4', 'r', 'cancelled', '2026-01-02T03:04:05.678Z', null, null, '2026-01-01T00:00:00.000Z', '2026-01-05T00:00:00.000Z');
";

/// Everything that belongs to `cus_1`, and one thing each that does not.
const BELONGINGS: &str = r#"
insert into customer (id, email, phone, first_name, last_name, company_name, metadata, has_account, created_by, email_verified, created_at, updated_at) values
  ('cus_1', 'a@shop.test', '+15551234567', 'Ann', 'Lee', 'Shop', '{"a": 1}', true, 'user_1', true, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('cus_2', 'b@shop.test', null, 'Bob', null, null, null, true, null, false, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
insert into customer_address (id, customer_id, is_default_shipping, is_default_billing, created_at, updated_at) values
  ('cuaddr_1', 'cus_1', false, false, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('cuaddr_2', 'cus_2', false, false, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
insert into cr_proof (customer_id, channel, value, proven_at) values
  ('cus_1', 'email', 'a@shop.test', '2026-01-01T00:00:00.000Z'), ('cus_2', 'email', 'b@shop.test', '2026-01-01T00:00:00.000Z');
insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at) values
  ('otp_1', 'cus_1', 'email_verification', 'h', '2026-01-01T00:00:00.000Z'), ('otp_2', 'cus_2', 'email_verification', 'h', '2026-01-01T00:00:00.000Z');
insert into account_deletion_request (id, customer_id, reason, status, created_at, updated_at) values
  ('adr_1', 'cus_1', 'r', 'cancelled', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('adr_2', 'cus_1', 'r', 'confirmed', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('adr_3', 'cus_2', 'r', 'confirmed', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
insert into cr_referral_code (customer_id, code, created_at) values
  ('cus_1', 'AAAAAAAA', '2026-01-01T00:00:00.000Z'), ('cus_2', 'BBBBBBBB', '2026-01-01T00:00:00.000Z');
insert into cr_state (key, value, updated_at) values
  ('undone:cus_1', '1', '2026-01-01T00:00:00.000Z'), ('undone:cus_2', '1', '2026-01-01T00:00:00.000Z');
insert into cr_reset_token (auth_identity_id, jti, expires_at, created_at) values
  ('authid_1', 'j', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'), ('authid_2', 'j', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
insert into cr_outbox (id, channel, template, trigger_type, receiver_id, idempotency_key, status, attempts, next_attempt_at, created_at, updated_at) values
  ('msg_1', 'email', 't', 't', 'cus_1', 'k1', 'pending', 0, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('evt_2', 'event', 't', 'auth.password_reset', 'cus_1', 'k4', 'pending', 0, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('evt_1', 'event', 't', 't', 'cus_1', 'k2', 'pending', 0, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('msg_2', 'email', 't', 't', 'cus_2', 'k3', 'pending', 0, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
"#;

cr_testkit::both! {
    async fn a_confirmed_request_is_one_a_customer_and_cancelled_once(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let cus = customer_id("cus_1");
        let new = |id| NewConfirmedRequest { id, customer_id: &cus, reason: Some("r"), deletion_scheduled_at: after(60) };
        let made = account_deletion_request::insert_confirmed(&mut tx, &new("adr_1"), now()).await.unwrap().unwrap();
        assert_eq!((made.status.as_str(), made.reason.as_deref(), made.deletion_scheduled_at), ("confirmed", Some("r"), Some(after(60))));
        assert_eq!(account_deletion_request::insert_confirmed(&mut tx, &new("adr_2"), now()).await.unwrap(), None);
        assert_eq!(account_deletion_request::find(&mut tx, "adr_1").await.unwrap(), Some(made));
        assert_eq!(account_deletion_request::find(&mut tx, "adr_2").await.unwrap(), None);
        let gone = account_deletion_request::cancel(&mut tx, &cus, after(1)).await.unwrap().unwrap();
        assert_eq!((gone.status.as_str(), gone.cancelled_at, gone.updated_at), ("cancelled", Some(after(1)), after(1)));
        assert_eq!(account_deletion_request::cancel(&mut tx, &cus, after(1)).await.unwrap(), None);
        assert!(account_deletion_request::insert_confirmed(&mut tx, &new("adr_2"), now()).await.unwrap().is_some());
    }

    async fn lists_are_filtered_sorted_and_paged(test: TestDatabase) {
        let database = open(&test, REQUESTS).await;
        let mut tx = begin(&database).await;
        for (status, order, descending, limit, offset, ids) in [
            (None, OrderBy::CreatedAt, true, 9, 0, "1 2 6 4 3"),
            (None, OrderBy::CreatedAt, false, 9, 0, "3 4 6 2 1"),
            (None, OrderBy::UpdatedAt, true, 2, 1, "4 3"),
            (None, OrderBy::UpdatedAt, false, 9, 0, "1 2 3 4 6"),
            (None, OrderBy::CustomerId, false, 9, 0, "6 4 3 2 1"),
            (Some("confirmed"), OrderBy::CustomerId, true, 9, 0, "1 2 3"),
            (Some("completed"), OrderBy::CreatedAt, true, 9, 0, ""),
            (None, OrderBy::CreatedAt, true, 0, 0, ""),
        ] {
            let page = account_deletion_request::list(&mut tx, status, order, descending, limit, offset).await.unwrap();
            let listed: Vec<_> = page.iter().map(|row| row.id.trim_start_matches("adr_")).collect();
            assert_eq!(listed.join(" "), ids, "{status:?} {order:?} {descending}");
        }
        for (status, count) in [(None, 5), (Some("confirmed"), 3), (Some("completed"), 0)] {
            assert_eq!(account_deletion_request::count(&mut tx, status).await.unwrap(), count);
        }
    }

    async fn due_requests_are_held_in_order_and_completed_once(test: TestDatabase) {
        let database = open(&test, REQUESTS).await;
        let mut tx = begin(&database).await;
        let start = Timestamp::from_millis(0).unwrap();
        assert_eq!(account_deletion_request::count_due(&mut tx, now()).await.unwrap(), 1);
        assert_eq!(account_deletion_request::count_due(&mut tx, after(1)).await.unwrap(), 2);
        for (moment, from, limit, ids) in [
            (after(1), (start, ""), 9, vec!["adr_2", "adr_1"]),
            (after(1), (start, ""), 1, vec!["adr_2"]),
            (after(1), (now(), "adr_2"), 9, vec!["adr_1"]),
            (now(), (start, ""), 9, vec!["adr_2"]),
            (after(1), (after(1), "adr_1"), 9, vec![]),
        ] {
            let due = account_deletion_request::lock_due(&mut tx, moment, from, limit).await.unwrap();
            assert_eq!(due.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ids);
        }
        for (id, due) in [("adr_1", true), ("adr_3", false), ("adr_4", false), ("adr_5", false), ("adr_6", false)] {
            assert_eq!(account_deletion_request::lock_if_due(&mut tx, id, after(1)).await.unwrap().is_some(), due, "{id}");
            assert_eq!(account_deletion_request::mark_completed(&mut tx, id, after(2)).await.unwrap(), due, "{id}");
        }
        assert!(account_deletion_request::lock_if_due(&mut tx, "adr_2", after(-1)).await.unwrap().is_none());
        let done = account_deletion_request::find(&mut tx, "adr_1").await.unwrap().unwrap();
        assert_eq!((done.status.as_str(), done.updated_at), ("completed", after(2)));
    }

    async fn a_decision_is_taken_where_the_state_allows_it(test: TestDatabase) {
        let database = open(&test, REQUESTS).await;
        for (decision, allowed) in [
            (Decision::Cancel, "1 2 3 4"), (Decision::Hold, "1 2"), (Decision::Release, "3"), (Decision::Run, "1 2"),
        ] {
            let mut tx = begin(&database).await;
            let mut done = Vec::new();
            for number in ["1", "2", "3", "4", "5", "6", "7"] {
                let id = format!("adr_{number}");
                let before = account_deletion_request::find(&mut tx, &id).await.unwrap();
                let Some(row) = account_deletion_request::decide(&mut tx, &id, decision, after(3)).await.unwrap() else {
                    assert_eq!(account_deletion_request::find(&mut tx, &id).await.unwrap(), before);
                    continue;
                };
                let told = (row.status.as_str(), row.cancelled_at, row.held_at, row.updated_at);
                assert_eq!(told, match decision {
                    Decision::Cancel => ("cancelled", Some(after(3)), before.unwrap().held_at, after(3)),
                    Decision::Hold => ("confirmed", None, Some(after(3)), after(3)),
                    Decision::Release | Decision::Run => ("confirmed", None, None, after(3)),
                });
                assert_eq!(account_deletion_request::find(&mut tx, &id).await.unwrap(), Some(row));
                done.push(number);
            }
            assert_eq!(done.join(" "), allowed, "{decision:?}");
            tx.roll_back().await.unwrap();
        }
    }

    async fn the_messages_to_a_customer_are_listed_without_events(test: TestDatabase) {
        let database = open(&test, BELONGINGS).await;
        let mut tx = begin(&database).await;
        let of = |id| customer_id(id);
        let traces = cr_outbox::list_of_receiver(&mut tx, &of("cus_1"), 9).await.unwrap();
        let told: Vec<_> = traces.iter().map(|row| (row.channel.as_str(), row.status.as_str(), row.attempts, &row.delivered_at)).collect();
        assert_eq!(told, [("email", "pending", 0, &None)]);
        assert!(cr_outbox::list_of_receiver(&mut tx, &of("cus_1"), 0).await.unwrap().is_empty());
        assert!(cr_outbox::list_of_receiver(&mut tx, &of("cus_9"), 9).await.unwrap().is_empty());
        let names = customer::list_names(&mut tx, &["cus_2", "cus_1", "cus_9", "cus_1"]).await.unwrap();
        let told: Vec<_> = names.iter().map(|row| (row.id.as_str(), row.email.as_deref(), row.phone.as_deref(), row.first_name.as_deref(), row.last_name.as_deref())).collect();
        assert_eq!(told, [
            ("cus_1", Some("a@shop.test"), Some("+15551234567"), Some("Ann"), Some("Lee")),
            ("cus_2", Some("b@shop.test"), None, Some("Bob"), None),
        ]);
        assert!(customer::list_names(&mut tx, &[]).await.unwrap().is_empty());
    }

    async fn what_belongs_to_a_customer_goes_and_nothing_else(test: TestDatabase) {
        let database = open(&test, BELONGINGS).await;
        let mut tx = begin(&database).await;
        let cus = customer_id("cus_1");
        belongings::delete(&mut tx, &cus, "undone:cus_1", after(1)).await.unwrap();
        cr_reset_token::delete(&mut tx, &identity_id("authid_1")).await.unwrap();
        customer_address::soft_delete_of_customer(&mut tx, &cus, after(1)).await.unwrap();
        tx.commit().await.unwrap();
        let deleted = test.rows("select id from customer_address where deleted_at is not null").await;
        assert_eq!(deleted, [json!({"id": "cuaddr_1"})]);
        let mut tx = begin(&database).await;
        customer_address::delete_of_customer(&mut tx, &cus).await.unwrap();
        customer::anonymize(&mut tx, &cus, after(1)).await.unwrap();
        assert!(customer::find(&mut tx, &cus).await.unwrap().is_none());
        let hidden = customer::find_even_deleted(&mut tx, &cus).await.unwrap().unwrap();
        assert_eq!(hidden.deleted_at, Some(after(1)));
        tx.commit().await.unwrap();
        for (sql, left) in [
            ("select id from otp_verification", json!([{"id": "otp_2"}])),
            ("select id from cr_outbox order by id", json!([{"id": "evt_1"}, {"id": "msg_2"}])),
            ("select customer_id, reason from account_deletion_request order by id", json!([
                {"customer_id": "cus_1", "reason": null}, {"customer_id": "cus_1", "reason": null}, {"customer_id": "cus_2", "reason": "r"}])),
            ("select customer_id from cr_referral_code", json!([{"customer_id": "cus_2"}])),
            ("select key from cr_state where key like 'undone:%'", json!([{"key": "undone:cus_2"}])),
            ("select customer_id from cr_proof", json!([{"customer_id": "cus_2"}])),
            ("select auth_identity_id from cr_reset_token", json!([{"auth_identity_id": "authid_2"}])),
            ("select id from customer_address", json!([{"id": "cuaddr_2"}])),
            ("select email, phone, first_name, last_name, company_name, metadata, created_by, deleted_at, updated_at from customer where id = 'cus_1'",
             json!([{"email": null, "phone": null, "first_name": null, "last_name": null, "company_name": null, "metadata": null,
                     "created_by": null, "deleted_at": after(1), "updated_at": after(1)}])),
        ] {
            assert_eq!(json!(test.rows(sql).await), left, "{sql}");
        }
        let mut tx = begin(&database).await;
        customer::delete(&mut tx, &cus).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(test.rows("select id from customer").await, [json!({"id": "cus_2"})]);
    }

    async fn memberships_are_taken_away_where_there_are_groups(test: TestDatabase) {
        let database = open(&test, "").await;
        assert!(!database.medusa_tables().customer_groups);
        database.close().await;
        test.sql("create table customer_group_customer (id text primary key, customer_id text not null)").await;
        let database = open(&test, "insert into customer_group_customer (id, customer_id) values ('1', 'cus_1'), ('2', 'cus_2')").await;
        assert!(database.medusa_tables().customer_groups);
        let mut tx = begin(&database).await;
        customer_group_customer::delete_of_customer(&mut tx, &customer_id("cus_1")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(test.rows("select id from customer_group_customer").await, [json!({"id": "2"})]);
    }

    async fn many_counters_and_a_fact_are_forgotten(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        for key in ["a", "b", "c"] {
            cr_limit::take(&mut tx, key, 5, after(60), now()).await.unwrap();
        }
        cr_limit::delete(&mut tx, &["a".to_owned(), "c".to_owned(), "x".to_owned()]).await.unwrap();
        let left = cr_limit::list(&mut tx, &["a", "b", "c"]).await.unwrap();
        assert_eq!(left.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["b"]);
        cr_limit::delete(&mut tx, &[]).await.unwrap();
        let known = ["loginKnown:ab:1", "loginKnown:ab:f", "loginKnown:abc:1", "loginKnown:aa:1", "loginKnow:ab:1"];
        for key in known {
            cr_limit::take(&mut tx, key, 5, after(60), now()).await.unwrap();
        }
        cr_limit::delete_known(&mut tx, "loginKnown:ab:").await.unwrap();
        let left = cr_limit::list(&mut tx, &[known[0], known[1], known[2]]).await.unwrap();
        assert_eq!(left.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), [known[2]]);
        assert_eq!(cr_limit::list(&mut tx, &[known[3], known[4], "b"]).await.unwrap().len(), 3);
        for value in ["1", "2"] {
            cr_state::replace(&mut tx, "fact", value, now()).await.unwrap();
            assert_eq!(cr_state::find(&mut tx, "fact").await.unwrap().as_deref(), Some(value));
        }
    }

    async fn a_part_of_a_transaction_is_taken_back_alone(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        cr_state::replace(&mut tx, "a", "1", now()).await.unwrap();
        tx.begin_part().await.unwrap();
        cr_state::replace(&mut tx, "b", "1", now()).await.unwrap();
        tx.roll_back_part().await.unwrap();
        tx.begin_part().await.unwrap();
        cr_state::replace(&mut tx, "c", "1", now()).await.unwrap();
        tx.end_part().await.unwrap();
        tx.commit().await.unwrap();
        let keys = test.rows("select key from cr_state where key in ('a', 'b', 'c') order by key").await;
        assert_eq!(keys, [json!({"key": "a"}), json!({"key": "c"})]);
    }
}
