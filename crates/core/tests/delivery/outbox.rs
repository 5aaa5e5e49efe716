//! Enqueueing and the outbox's statements.

use std::collections::BTreeMap;
use std::sync::Arc;

use cr_core::delivery::message;
use cr_db::models::cr_outbox;
use cr_testkit::both;
use tokio::task::JoinSet;

use crate::stage::{Stage, stage};

/// Claims up to `limit` rows for a minute, and commits.
async fn claim(stage: &Stage, limit: i64) -> Vec<cr_outbox::ClaimedMessage> {
    let mut tx = stage.app.db.begin().await.unwrap();
    let now = stage.now();
    let claimed = cr_outbox::claim(&mut tx, now, now.plus_seconds(60), limit).await.unwrap();
    tx.commit().await.unwrap();
    claimed
}

both! {
    /// Otherwise a rejected request would still send its code.
    async fn a_message_goes_with_its_transaction(database: TestDatabase) {
        let stage = stage(database).await;
        let mut cx = stage.app.begin().await.unwrap();
        message::enqueue(&mut cx, stage.message("email", "ann@shop.test", "key")).await.unwrap();
        drop(cx);
        assert!(stage.rows().await.is_empty());
        stage.enqueue("key").await;
        assert_eq!(stage.rows().await, [("pending".to_owned(), 0, String::new(), true)]);
    }

    /// Otherwise a repeated request would send twice.
    async fn a_key_makes_one_message(database: TestDatabase) {
        let stage = stage(database).await;
        stage.enqueue("key").await;
        stage.enqueue("key").await;
        assert_eq!(stage.rows().await.len(), 1);
    }

    /// A stolen backup must hold no code and no address.
    async fn what_is_stored_shows_neither_code_nor_address(database: TestDatabase) {
        let stage = stage(database).await;
        stage.enqueue("key").await;
        let dump = stage.database.dump(&[]).await;
        assert!(dump.contains("cus_1"));
        for secret in ["135790", "ann@shop.test", "Ann"] {
            assert!(!dump.contains(secret), "{secret}");
        }
    }

    /// Otherwise the size of the row would tell an unknown account.
    async fn a_message_for_nobody_is_a_row_like_any_other(database: TestDatabase) {
        let stage = stage(database).await;
        stage.enqueue("a").await;
        let mut cx = stage.app.begin().await.unwrap();
        message::enqueue_nothing(&mut cx, stage.message("email", "bob@shop.test", "b")).await.unwrap();
        cx.commit().await.unwrap();
        let sql = "select channel, length(payload) as size, status from cr_outbox order by idempotency_key";
        let rows = stage.database.rows(sql).await;
        assert_eq!(rows[0]["size"], rows[1]["size"]);
        assert_eq!(rows[0]["status"], rows[1]["status"]);
        assert_eq!((rows[0]["channel"].as_str(), rows[1]["channel"].as_str()), (Some("email"), Some("none")));
    }

    /// Two replicas that took the same row would send a code twice.
    async fn no_row_is_claimed_twice_while_its_lease_holds(database: TestDatabase) {
        let stage = Arc::new(stage(database).await);
        for number in 0..60 {
            stage.enqueue(&format!("key {number:02}")).await;
        }
        let mut workers = JoinSet::new();
        for _ in 0..6 {
            let stage = Arc::clone(&stage);
            workers.spawn(async move {
                let mut mine = Vec::new();
                // Rows that another is claiming at this moment are passed over, so an empty answer is not yet the end.
                for _ in 0..30 {
                    mine.extend(claim(&stage, 3).await.into_iter().map(|message| message.id));
                }
                mine
            });
        }
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for id in workers.join_all().await.into_iter().flatten() {
            *times.entry(id).or_default() += 1;
        }
        assert_eq!(times.len(), 60);
        assert!(times.values().all(|claims| *claims == 1), "{times:?}");
    }

    /// A worker that comes back late must not undo what another did meanwhile.
    async fn an_attempt_whose_lease_ran_out_settles_nothing(database: TestDatabase) {
        let stage = stage(database).await;
        stage.enqueue("key").await;
        let first = claim(&stage, 10).await;
        assert_eq!((first.len(), first[0].attempts), (1, 1));
        stage.clock.advance_seconds(59);
        assert!(claim(&stage, 10).await.is_empty());
        stage.clock.advance_seconds(1);
        let second = claim(&stage, 10).await;
        assert_eq!((second.len(), second[0].attempts), (1, 2));

        let (id, now) = (second[0].id.as_str(), stage.now());
        let mut tx = stage.app.db.begin().await.unwrap();
        assert!(!cr_outbox::mark_delivered(&mut tx, id, 1, now).await.unwrap());
        assert!(!cr_outbox::mark_dead(&mut tx, id, 1, "late", now).await.unwrap());
        assert!(!cr_outbox::retry_later(&mut tx, id, 1, now, "late", now).await.unwrap());
        assert!(!cr_outbox::discard(&mut tx, id, 1).await.unwrap());
        assert!(cr_outbox::mark_delivered(&mut tx, id, 2, now).await.unwrap());
        assert!(!cr_outbox::mark_dead(&mut tx, id, 2, "settled", now).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(stage.rows().await, [("delivered".to_owned(), 2, String::new(), false)]);
    }

    /// The operator's numbers, and rows that go after their time.
    async fn the_queue_is_counted_and_pruned(database: TestDatabase) {
        let stage = stage(database).await;
        for key in ["a", "b", "c"] {
            stage.enqueue(key).await;
        }
        let enqueued = stage.now();
        let claimed = claim(&stage, 2).await;
        stage.clock.advance_seconds(10);
        let mut tx = stage.app.db.begin().await.unwrap();
        assert!(cr_outbox::mark_delivered(&mut tx, &claimed[0].id, 1, stage.now()).await.unwrap());
        assert!(cr_outbox::mark_dead(&mut tx, &claimed[1].id, 1, "timed out", stage.now()).await.unwrap());
        let summary = cr_outbox::summarise(&mut tx).await.unwrap();
        assert_eq!((summary.pending, summary.delivered, summary.dead), (1, 1, 1));
        assert_eq!(summary.oldest_pending, Some(enqueued));
        assert_eq!(cr_outbox::prune(&mut tx, stage.now(), 10).await.unwrap(), 0);
        assert_eq!(cr_outbox::prune(&mut tx, stage.now().plus_seconds(1), 1).await.unwrap(), 1);
        assert_eq!(cr_outbox::prune(&mut tx, stage.now().plus_seconds(1), 10).await.unwrap(), 1);
        assert_eq!(cr_outbox::find_next_due(&mut tx).await.unwrap(), Some(enqueued));
        tx.commit().await.unwrap();
    }
}
