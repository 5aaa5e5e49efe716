//! `cr_outbox`: what a message becomes.

use cr_db::Tx;
use cr_db::models::cr_outbox::{self, NewOutboxMessage, OutboxSummary};
use cr_db::models::cr_outbox_lease::{self, Lane, NextDue};
use cr_types::timestamp::Timestamp;
use serde_json::json;

use super::{after, begin, now, open};

/// Writes a message under its id as key; whether it was written.
async fn enqueue(tx: &mut Tx, id: &str, moment: Timestamp) -> bool {
    let key = format!("key of {id}");
    let message = NewOutboxMessage {
        id,
        channel: "email",
        payload: "sealed",
        template: "email_verification",
        trigger_type: "email_verification",
        receiver_id: Some("cus_1"),
        idempotency_key: &key,
        expires_at: Some(after(900)),
        now: moment,
    };
    cr_outbox::insert(tx, &message).await.unwrap()
}

/// Enqueues one and claims it.
async fn claimed(tx: &mut Tx, id: &str) {
    assert!(enqueue(tx, id, now()).await);
    assert_eq!(cr_outbox_lease::claim(tx, [now(); 2], after(60), Lane::Messages, 1).await.unwrap().len(), 1);
}

/// What settling changes.
const SETTLED: &str = "select status, attempts, payload, next_attempt_at, lease_until, last_error, delivered_at, updated_at from cr_outbox";

cr_testkit::both! {
    async fn a_message_is_written_once_a_key(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        assert!(enqueue(&mut tx, "msg_1", now()).await);
        assert!(!enqueue(&mut tx, "msg_1", after(1)).await);
        tx.commit().await.unwrap();
        let columns = "id, channel, payload, template, trigger_type, receiver_id, idempotency_key, status, attempts, \
                       next_attempt_at, lease_until, expires_at, last_error, delivered_at, created_at, updated_at";
        assert_eq!(test.rows(&format!("select {columns} from cr_outbox")).await, [json!({
            "id": "msg_1", "channel": "email", "payload": "sealed", "template": "email_verification",
            "trigger_type": "email_verification", "receiver_id": "cus_1", "idempotency_key": "key of msg_1",
            "status": "pending", "attempts": 0, "next_attempt_at": now(), "lease_until": null, "expires_at": after(900),
            "last_error": null, "delivered_at": null, "created_at": now(), "updated_at": now(),
        })]);
    }

    async fn due_messages_are_claimed_longest_due_first_and_again_when_a_lease_runs_out(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        for (id, second) in [("msg_b", 2), ("msg_a", 1), ("msg_c", 3), ("msg_d", 50)] {
            enqueue(&mut tx, id, after(second)).await;
        }
        let mut ids = Vec::new();
        for (second, limit) in [(10, 2), (10, 9), (10, 9), (60, 9), (70, 9)] {
            let mut batch = cr_outbox_lease::claim(&mut tx, [now(), after(second)], after(second + 60), Lane::Messages, limit).await.unwrap();
            batch.sort_by(|left, right| left.id.cmp(&right.id));
            ids.push(batch.iter().map(|row| format!("{} {}", row.id, row.attempts)).collect::<Vec<_>>().join(", "));
        }
        assert_eq!(ids, ["msg_a 1, msg_b 1", "msg_c 1", "", "msg_d 1", "msg_a 2, msg_b 2, msg_c 2"]);
    }

    async fn what_was_due_before_a_claim_begins_is_left(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        for (id, second) in [("msg_a", 1), ("msg_b", 2), ("msg_c", 3)] {
            enqueue(&mut tx, id, after(second)).await;
        }
        for (from, expected) in [(2, &["msg_b"][..]), (2, &[]), (0, &["msg_a"])] {
            let batch = cr_outbox_lease::claim(&mut tx, [after(from), after(2)], after(60), Lane::Messages, 9).await.unwrap();
            assert_eq!(batch.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), expected, "from {from}");
        }
    }

    async fn the_next_due_moment_is_the_earliest_of_what_waits_or_is_leased(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        assert_eq!(cr_outbox_lease::find_next_due(&mut tx).await.unwrap(), NextDue { messages: None, events: None });
        claimed(&mut tx, "msg_1").await;
        assert_eq!(cr_outbox_lease::find_next_due(&mut tx).await.unwrap().messages, Some(after(60)));
        enqueue(&mut tx, "msg_2", after(5)).await;
        let due = cr_outbox_lease::find_next_due(&mut tx).await.unwrap();
        assert_eq!((due.of(Lane::Messages), due.of(Lane::Events), due.first()), (Some(after(5)), None, Some(after(5))));
    }

    async fn a_delivered_message_loses_its_payload(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        claimed(&mut tx, "msg_1").await;
        assert!(!cr_outbox_lease::mark_delivered(&mut tx, "msg_1", 2, after(1)).await.unwrap(), "another attempt's");
        assert!(cr_outbox_lease::mark_delivered(&mut tx, "msg_1", 1, after(1)).await.unwrap());
        assert!(!cr_outbox_lease::mark_dead(&mut tx, "msg_1", 1, "late", after(2)).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(test.rows(SETTLED).await, [json!({
            "status": "delivered", "attempts": 1, "payload": null, "next_attempt_at": after(60), "lease_until": null,
            "last_error": null, "delivered_at": after(1), "updated_at": after(1),
        })]);
    }

    async fn a_dead_message_keeps_the_reason_alone(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        claimed(&mut tx, "msg_1").await;
        assert!(!cr_outbox_lease::mark_dead(&mut tx, "msg_1", 2, "x", after(1)).await.unwrap());
        assert!(cr_outbox_lease::mark_dead(&mut tx, "msg_1", 1, "smtp 550", after(1)).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(test.rows(SETTLED).await, [json!({
            "status": "dead", "attempts": 1, "payload": null, "next_attempt_at": after(60), "lease_until": null,
            "last_error": "smtp 550", "delivered_at": null, "updated_at": after(1),
        })]);
    }

    async fn a_failed_attempt_makes_the_message_due_again(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        claimed(&mut tx, "msg_1").await;
        assert!(!cr_outbox_lease::retry_later(&mut tx, "msg_1", 2, after(30), "x", after(1)).await.unwrap());
        assert!(cr_outbox_lease::retry_later(&mut tx, "msg_1", 1, after(30), "timeout", after(1)).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(test.rows(SETTLED).await, [json!({
            "status": "pending", "attempts": 1, "payload": "sealed", "next_attempt_at": after(30), "lease_until": null,
            "last_error": "timeout", "delivered_at": null, "updated_at": after(1),
        })]);
    }

    async fn a_discarded_message_leaves_nothing(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        claimed(&mut tx, "msg_1").await;
        assert!(!cr_outbox_lease::discard(&mut tx, "msg_1", 2).await.unwrap());
        assert!(cr_outbox_lease::discard(&mut tx, "msg_1", 1).await.unwrap());
        tx.commit().await.unwrap();
        assert!(test.rows("select id from cr_outbox").await.is_empty());
    }

    async fn settled_messages_are_pruned_and_counted(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let empty = OutboxSummary { pending: 0, delivered: 0, dead: 0, oldest_pending: None };
        assert_eq!(cr_outbox::summarise(&mut tx).await.unwrap(), empty);
        for (id, settled) in [("msg_1", 1), ("msg_2", 2), ("msg_3", 3)] {
            claimed(&mut tx, id).await;
            assert!(cr_outbox_lease::mark_delivered(&mut tx, id, 1, after(settled)).await.unwrap());
        }
        claimed(&mut tx, "msg_4").await;
        assert!(cr_outbox_lease::mark_dead(&mut tx, "msg_4", 1, "x", after(4)).await.unwrap());
        claimed(&mut tx, "msg_5").await;
        enqueue(&mut tx, "msg_6", after(6)).await;
        let summary = OutboxSummary { pending: 2, delivered: 3, dead: 1, oldest_pending: Some(now()) };
        assert_eq!(cr_outbox::summarise(&mut tx).await.unwrap(), summary);
        for (limit, count) in [(1, 1), (9, 1), (9, 0)] {
            assert_eq!(cr_outbox::prune(&mut tx, after(3), limit).await.unwrap(), count);
        }
        assert_eq!(cr_outbox::summarise(&mut tx).await.unwrap(), OutboxSummary { delivered: 1, ..summary });
    }

    /// Of two dead rows only the event can be sent again; a claim of one lane leaves the other alone.
    async fn dead_rows_are_listed_and_events_revived(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        claimed(&mut tx, "msg_1").await;
        assert!(cr_outbox_lease::mark_dead(&mut tx, "msg_1", 1, "x", after(1)).await.unwrap());
        let event = NewOutboxMessage {
            id: "evt_1",
            channel: "event",
            payload: "sealed",
            template: "event",
            trigger_type: "customer.created",
            receiver_id: None,
            idempotency_key: "evt_1",
            expires_at: None,
            now: after(2),
        };
        cr_outbox::insert(&mut tx, &event).await.unwrap();
        let lanes = [Lane::Messages, Lane::Events];
        for (lane, count) in lanes.into_iter().zip([0, 1]) {
            assert_eq!(cr_outbox_lease::claim(&mut tx, [now(), after(2)], after(60), lane, 9).await.unwrap().len(), count);
        }
        assert!(cr_outbox_lease::mark_dead(&mut tx, "evt_1", 1, "y", after(3)).await.unwrap());
        let dead = cr_outbox::list_dead(&mut tx, 9).await.unwrap();
        let told: Vec<_> = dead.iter().map(|row| (row.id.as_str(), row.attempts, row.is_kept)).collect();
        assert_eq!(told, [("evt_1", 1, true), ("msg_1", 1, false)]);
        assert_eq!(cr_outbox::list_dead(&mut tx, 1).await.unwrap().len(), 1);
        for (id, count) in [(Some("msg_1"), 0), (Some("evt_2"), 0), (Some("evt_1"), 1), (None, 0)] {
            assert_eq!(cr_outbox::revive(&mut tx, id, after(4)).await.unwrap(), count, "{id:?}");
        }
        assert_eq!(cr_outbox_lease::claim(&mut tx, [now(), after(4)], after(60), Lane::Events, 9).await.unwrap()[0].attempts, 1);
    }
}
