//! The outbox's statements: who may hold a row, who may settle it, and what remains of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cr_db::models::cr_outbox::{self, NewOutboxMessage};
use cr_db::models::cr_outbox_lease::{self, ClaimedMessage};
use cr_db::{Database, DatabaseKind};
use cr_testkit::{START, both};
use cr_types::timestamp::Timestamp;
use tokio::task::JoinSet;

/// The moment that these tests begin at.
fn start() -> Timestamp {
    START.parse().unwrap()
}

/// Writes a row that is due at `start`; false when its key is taken.
async fn insert(db: &Database, key: &str) -> bool {
    let mut tx = db.begin().await.unwrap();
    let message = NewOutboxMessage {
        id: &format!("msg_{key}"),
        channel: "email",
        payload: "sealed",
        template: "email_verification",
        trigger_type: "email_verification",
        receiver_id: Some("cus_1"),
        idempotency_key: key,
        expires_at: Some(start().plus_seconds(900)),
        now: start(),
    };
    let written = cr_outbox::insert(&mut tx, &message).await.unwrap();
    tx.commit().await.unwrap();
    written
}

/// Claims up to `limit` rows for a minute, and commits.
async fn claim(db: &Database, now: Timestamp, limit: i64) -> Vec<ClaimedMessage> {
    let mut tx = db.begin().await.unwrap();
    let claimed =
        cr_outbox_lease::claim(&mut tx, [start(), now], now.plus_seconds(60), cr_outbox_lease::Lane::Messages, limit)
            .await
            .unwrap();
    tx.commit().await.unwrap();
    claimed
}

/// When the next row is due.
async fn next_due(db: &Database) -> Option<Timestamp> {
    let mut tx = db.read().await.unwrap();
    cr_outbox_lease::find_next_due(&mut tx).await.unwrap().first()
}

both! {
    async fn a_claimed_message_is_the_one_that_was_written(database: TestDatabase) {
        let db = database.connect().await;
        assert_eq!(next_due(&db).await, None);
        assert!(insert(&db, "a").await);
        assert!(!insert(&db, "a").await, "a key makes one message");
        assert_eq!(next_due(&db).await, Some(start()));
        assert!(claim(&db, start().plus_millis(-1), 10).await.is_empty(), "not due yet");
        let claimed = claim(&db, start(), 10).await;
        let expected = ClaimedMessage {
            id: "msg_a".to_owned(),
            channel: "email".to_owned(),
            payload: Some("sealed".to_owned()),
            template: "email_verification".to_owned(),
            trigger_type: "email_verification".to_owned(),
            receiver_id: Some("cus_1".to_owned()),
            idempotency_key: "a".to_owned(),
            attempts: 1,
            expires_at: Some(start().plus_seconds(900)),
            created_at: start(),
        };
        assert_eq!(claimed, [expected]);
        assert_eq!(next_due(&db).await, Some(start().plus_seconds(60)), "when the lease runs out");
    }

    /// Two replicas that took the same row would send a code twice.
    async fn no_row_is_claimed_twice_while_its_lease_holds(database: TestDatabase) {
        let db = Arc::new(database.connect().await);
        for number in 0..60 {
            insert(&db, &format!("{number:02}")).await;
        }
        let mut workers = JoinSet::new();
        for _ in 0..6 {
            let db = Arc::clone(&db);
            workers.spawn(async move {
                let mut mine = Vec::new();
                // Rows that another is claiming at this moment are passed over, so an empty answer is not yet the end.
                for _ in 0..30 {
                    mine.extend(claim(&db, start(), 3).await.into_iter().map(|message| message.id));
                }
                mine
            });
        }
        let mut claims: BTreeMap<String, usize> = BTreeMap::new();
        for id in workers.join_all().await.into_iter().flatten() {
            *claims.entry(id).or_default() += 1;
        }
        assert_eq!(claims.len(), 60);
        assert!(claims.values().all(|count| *count == 1), "{claims:?}");
    }

    /// A worker that comes back late must not undo what another did meanwhile.
    async fn an_attempt_whose_lease_ran_out_settles_nothing(database: TestDatabase) {
        let db = database.connect().await;
        insert(&db, "a").await;
        assert_eq!(claim(&db, start(), 10).await.len(), 1);
        assert!(claim(&db, start().plus_seconds(59), 10).await.is_empty());
        let now = start().plus_seconds(60);
        let second = claim(&db, now, 10).await;
        assert_eq!(second[0].attempts, 2);

        let mut tx = db.begin().await.unwrap();
        assert!(!cr_outbox_lease::mark_delivered(&mut tx, "msg_a", 1, now).await.unwrap());
        assert!(!cr_outbox_lease::mark_dead(&mut tx, "msg_a", 1, "late", now).await.unwrap());
        assert!(!cr_outbox_lease::retry_later(&mut tx, "msg_a", 1, now, "late", now).await.unwrap());
        assert!(!cr_outbox_lease::discard(&mut tx, "msg_a", 1).await.unwrap());
        assert!(cr_outbox_lease::mark_delivered(&mut tx, "msg_a", 2, now).await.unwrap());
        assert!(!cr_outbox_lease::mark_dead(&mut tx, "msg_a", 2, "settled already", now).await.unwrap());
        tx.commit().await.unwrap();
        let sql = "select status, attempts, case when payload is null then 0 else 1 end as payloads from cr_outbox";
        let row = database.rows(sql).await.remove(0);
        assert_eq!((row["status"].as_str(), row["attempts"].as_i64()), (Some("delivered"), Some(2)));
        assert_eq!(row["payloads"].as_i64(), Some(0), "wiped");
    }

    async fn a_message_put_off_is_due_when_it_was_put_off_to(database: TestDatabase) {
        let db = database.connect().await;
        insert(&db, "a").await;
        claim(&db, start(), 10).await;
        let later = start().plus_seconds(5);
        let mut tx = db.begin().await.unwrap();
        assert!(cr_outbox_lease::retry_later(&mut tx, "msg_a", 1, later, "timed out", start()).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(next_due(&db).await, Some(later));
        assert!(claim(&db, later.plus_millis(-1), 10).await.is_empty());
        assert_eq!(claim(&db, later, 10).await[0].payload.as_deref(), Some("sealed"));
    }

    /// What nobody shall get leaves nothing that tells an unknown account from a known one.
    async fn a_discarded_message_is_gone(database: TestDatabase) {
        let db = database.connect().await;
        insert(&db, "a").await;
        claim(&db, start(), 10).await;
        let mut tx = db.begin().await.unwrap();
        assert!(cr_outbox_lease::discard(&mut tx, "msg_a", 1).await.unwrap());
        tx.commit().await.unwrap();
        assert!(database.rows("select id from cr_outbox").await.is_empty());
    }

    /// The operator's numbers, and rows that go after their time.
    async fn the_queue_is_counted_and_pruned(database: TestDatabase) {
        let db = database.connect().await;
        for key in ["a", "b", "c"] {
            insert(&db, key).await;
        }
        claim(&db, start(), 2).await;
        let now = start().plus_seconds(10);
        let mut tx = db.begin().await.unwrap();
        assert!(cr_outbox_lease::mark_delivered(&mut tx, "msg_a", 1, now).await.unwrap());
        assert!(cr_outbox_lease::mark_dead(&mut tx, "msg_b", 1, "timed out", now).await.unwrap());
        let summary = cr_outbox::summarise(&mut tx).await.unwrap();
        assert_eq!((summary.pending, summary.delivered, summary.dead), (1, 1, 1));
        assert_eq!(summary.oldest_pending, Some(start()));
        assert_eq!(cr_outbox::prune(&mut tx, now, 10).await.unwrap(), 0, "not older than now");
        assert_eq!(cr_outbox::prune(&mut tx, now.plus_seconds(1), 1).await.unwrap(), 1, "no more than asked");
        assert_eq!(cr_outbox::prune(&mut tx, now.plus_seconds(1), 10).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(database.rows("select id from cr_outbox").await.len(), 1, "what waits stays");
    }

    /// What an operator makes due again while a pruning waits for it stays.
    async fn a_revived_event_is_not_pruned(database: TestDatabase) {
        let db = database.connect().await;
        let mut tx = db.begin().await.unwrap();
        let event = NewOutboxMessage {
            id: "evt_1",
            channel: "event",
            payload: "sealed",
            template: "event",
            trigger_type: "customer.created",
            receiver_id: None,
            idempotency_key: "evt_1",
            expires_at: None,
            now: start(),
        };
        assert!(cr_outbox::insert(&mut tx, &event).await.unwrap());
        cr_outbox_lease::claim(&mut tx, [start(); 2], start().plus_seconds(60), cr_outbox_lease::Lane::Events, 1).await.unwrap();
        assert!(cr_outbox_lease::mark_dead(&mut tx, "evt_1", 1, "timed out", start()).await.unwrap());
        tx.commit().await.unwrap();

        let mut operator = db.begin().await.unwrap();
        let now = start().plus_seconds(100);
        assert_eq!(cr_outbox::revive(&mut operator, Some("evt_1"), now).await.unwrap(), 1);
        let worker = db.clone();
        let mut tasks = JoinSet::new();
        let pruning = tasks.spawn(async move {
            let mut tx = worker.begin().await.unwrap();
            let pruned = cr_outbox::prune(&mut tx, start().plus_seconds(50), 10).await.unwrap();
            tx.commit().await.unwrap();
            pruned
        });
        if db.kind() == DatabaseKind::Postgres {
            let waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            while database.rows(waiting).await.is_empty() {
                assert!(!pruning.is_finished(), "it did not wait");
                tokio::task::yield_now().await;
            }
        }
        operator.commit().await.unwrap();
        assert_eq!(tasks.join_all().await, [0]);
        assert_eq!(database.rows("select status from cr_outbox").await, [serde_json::json!({"status": "pending"})]);
    }
}
