//! Claim, send, settle: what a message goes through when things break.

use std::time::Duration;

use cr_core::delivery::message;
use cr_core::delivery::retry::RetryPolicy;
use cr_core::delivery::worker::Worker;
use cr_db::models::cr_outbox_lease;
use cr_testkit::smtp_sink::{Answer, SinkTls};
use cr_testkit::{SmtpSink, both};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::stage::{application, mail_providers, stage};

both! {
    async fn a_delivered_message_is_wiped(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        stage.enqueue("key").await;
        assert_eq!(stage.worker(&sink).run_once().await.unwrap(), 1);
        assert_eq!(sink.messages().len(), 1);
        assert_eq!(stage.rows().await, [("delivered".to_owned(), 1, String::new(), false)]);
        assert_eq!(stage.worker(&sink).run_once().await.unwrap(), 0);
    }

    /// A mail server that is down for ten minutes must not cost a code that lives fifteen.
    async fn ten_minutes_without_a_mail_server_lose_nothing(database: TestDatabase) {
        let stage = stage(database).await;
        let mut sink = SmtpSink::start(SinkTls::None, None).await;
        sink.stop().await;
        for key in ["a", "b", "c"] {
            stage.enqueue(key).await;
        }
        let worker = stage.worker(&sink);
        let mut attempts = 0;
        for _ in 0..120 {
            attempts += worker.run_once().await.unwrap();
            stage.clock.advance_seconds(5);
        }
        assert!((15..=30).contains(&attempts), "{attempts}");
        for (status, _, error, payload) in stage.rows().await {
            assert_eq!((status.as_str(), error.as_str(), payload), ("pending", "connection failed", true));
        }
        sink.restart().await;
        for _ in 0..48 {
            stage.clock.advance_seconds(5);
            worker.run_once().await.unwrap();
        }
        assert_eq!(sink.messages().len(), 3);
        for (status, _, error, payload) in stage.rows().await {
            assert_eq!((status.as_str(), error.as_str(), payload), ("delivered", "", false));
        }
    }

    /// Nobody wants a code that no longer works.
    async fn an_expired_message_dies_unsent(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        stage.enqueue("key").await;
        stage.clock.advance_seconds(900);
        stage.worker(&sink).run_once().await.unwrap();
        assert_eq!(sink.connections(), 0);
        let error = "expired before it could be sent".to_owned();
        assert_eq!(stage.rows().await, [("dead".to_owned(), 1, error, false)]);
    }

    /// A mailbox that does not exist is not asked again, and its name is not kept.
    async fn a_refused_recipient_is_final(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        sink.answer_next(&[Answer::RefuseRecipient(550)]);
        stage.enqueue("key").await;
        stage.worker(&sink).run_once().await.unwrap();
        stage.clock.advance_seconds(600);
        stage.worker(&sink).run_once().await.unwrap();
        assert_eq!(sink.connections(), 1);
        let error = "mail server refused the message with 550".to_owned();
        assert_eq!(stage.rows().await, [("dead".to_owned(), 1, error, false)]);
    }

    async fn a_mail_server_that_is_busy_is_asked_again(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        let busy = [Answer::RefuseSession(421), Answer::RefuseRecipient(451), Answer::RefuseMessage(452), Answer::HangUp];
        sink.answer_next(&busy);
        stage.enqueue("key").await;
        let worker = stage.worker(&sink);
        for attempt in 1..=4 {
            assert_eq!(worker.run_once().await.unwrap(), 1, "{attempt}");
            assert_eq!(worker.run_once().await.unwrap(), 0, "{attempt} is not repeated at once");
            stage.clock.advance_seconds(60);
        }
        worker.run_once().await.unwrap();
        assert_eq!(stage.rows().await, [("delivered".to_owned(), 5, String::new(), false)]);
        // One that the server kept without saying so, and one that it confirmed: the same to the recipient.
        let ids: Vec<_> =
            sink.messages().iter().map(|message| message.mail().header("Message-ID").map(str::to_owned)).collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1]);
    }

    async fn a_message_out_of_attempts_dies(database: TestDatabase) {
        let stage = stage(database).await;
        let mut sink = SmtpSink::start(SinkTls::None, None).await;
        sink.stop().await;
        stage.enqueue("key").await;
        let policy = RetryPolicy { attempts: 3, ..RetryPolicy::default() };
        let worker = Worker::new(stage.app.clone(), mail_providers(&sink), policy);
        for _ in 0..5 {
            worker.run_once().await.unwrap();
            stage.clock.advance_seconds(60);
        }
        assert_eq!(stage.rows().await, [("dead".to_owned(), 3, "connection failed".to_owned(), false)]);
    }

    /// A message that ends every worker that touches it must not block the queue for ever.
    async fn a_message_whose_worker_always_dies_is_given_up(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        stage.enqueue("key").await;
        for attempt in 1..=10 {
            let mut tx = stage.app.db.begin().await.unwrap();
            let claimed = cr_outbox_lease::claim(&mut tx, [stage.now().plus_seconds(-900), stage.now()], stage.now().plus_seconds(60), cr_outbox_lease::Lane::Messages, 8).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(claimed[0].attempts, attempt);
            stage.clock.advance_seconds(60);
        }
        stage.worker(&sink).run_once().await.unwrap();
        assert_eq!(sink.connections(), 0);
        let error = "the last attempt was interrupted".to_owned();
        assert_eq!(stage.rows().await, [("dead".to_owned(), 11, error, false)]);
    }

    /// `kill -9` before the send: the message goes out when the lease has run out.
    async fn a_worker_that_dies_before_sending_loses_nothing(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        stage.enqueue("key").await;
        let mut tx = stage.app.db.begin().await.unwrap();
        cr_outbox_lease::claim(&mut tx, [stage.now().plus_seconds(-900), stage.now()], stage.now().plus_seconds(60), cr_outbox_lease::Lane::Messages, 8).await.unwrap();
        tx.commit().await.unwrap();
        let worker = stage.worker(&sink);
        assert_eq!(worker.run_once().await.unwrap(), 0);
        stage.clock.advance_seconds(60);
        assert_eq!(worker.run_once().await.unwrap(), 1);
        assert_eq!(stage.rows().await, [("delivered".to_owned(), 2, String::new(), false)]);
    }

    /// `kill -9` in the middle of a send: it arrives twice at worst, and the recipient's program sees that it is one.
    async fn a_worker_that_dies_while_sending_sends_again_under_the_same_id(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        sink.answer_next(&[Answer::Hold]);
        stage.enqueue("key").await;
        let mut running = JoinSet::new();
        running.spawn(stage.worker(&sink).run(CancellationToken::new()));
        sink.wait_for(1).await;
        running.shutdown().await;
        assert_eq!(stage.rows().await, [("sending".to_owned(), 1, String::new(), true)]);
        stage.clock.advance_seconds(60);
        stage.worker(&sink).run_once().await.unwrap();
        assert_eq!(stage.rows().await, [("delivered".to_owned(), 2, String::new(), false)]);
        let messages = sink.messages();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].source, messages[1].source);
    }

    /// A deployment must neither cut a message off nor leave it to the next replica's lease.
    async fn stopping_settles_what_is_on_its_way_and_claims_nothing_more(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        sink.answer_next(&[Answer::Hold]);
        stage.enqueue("a").await;
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(stage.worker(&sink).run(stop.clone()));
        sink.wait_for(1).await;
        stop.cancel();
        // The worker may look at the queue once more while `stop` reaches it, but not after this.
        tokio::task::yield_now().await;
        sink.release();
        running.join_all().await;
        assert_eq!(stage.rows().await, [("delivered".to_owned(), 1, String::new(), false)]);
        stage.enqueue("b").await;
        assert_eq!(sink.connections(), 1);
        assert_eq!(stage.rows().await[1], ("pending".to_owned(), 0, String::new(), true));
    }

    /// The worker is woken by the commit, and looks by itself when nobody wakes it.
    async fn a_running_worker_delivers_what_is_committed(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        let stop = CancellationToken::new();
        let mut workers = JoinSet::new();
        for _ in 0..3 {
            workers.spawn(stage.worker(&sink).run(stop.clone()));
        }
        for number in 0..20 {
            stage.enqueue(&format!("key {number:02}")).await;
        }
        sink.wait_for(20).await;
        stop.cancel();
        workers.join_all().await;
        assert_eq!(sink.messages().len(), 20);
        assert!(stage.rows().await.iter().all(|(status, attempts, ..)| status == "delivered" && *attempts == 1));
    }

    /// Who has left nothing to deliver costs the worker nothing.
    async fn a_commit_without_a_message_wakes_nobody(database: TestDatabase) {
        let stage = stage(database).await;
        stage.app.begin().await.unwrap().commit().await.unwrap();
        assert_eq!(stage.woken().await, [false, false]);
        stage.enqueue("key").await;
        assert_eq!(stage.woken().await, [true, false]);
        stage.enqueue("key").await;
        assert_eq!(stage.woken().await, [false, false], "it is queued already");
    }

    /// Who waits is delivered though nobody wakes the worker any more: by looks alone it would be eight a second.
    async fn a_running_worker_delivers_all_that_waited_for_it(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        for number in 0..200 {
            stage.enqueue(&format!("key {number:03}")).await;
        }
        let env = cr_testkit::env(2).0;
        let app = application(&stage.database, env).await;
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(Worker::new(app, mail_providers(&sink), RetryPolicy::default()).run(stop.clone()));
        timeout(Duration::from_secs(15), sink.wait_for(200)).await.expect("a full claim is followed by the next");
        stop.cancel();
        running.join_all().await;
        assert!(stage.rows().await.iter().all(|(status, attempts, ..)| status == "delivered" && *attempts == 1));
    }

    /// What is committed is claimed at once: by looks alone it would be one a second.
    async fn a_wake_is_followed_by_a_claim(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(stage.worker(&sink).run(stop.clone()));
        let one_by_one = async {
            for number in 0..20 {
                stage.enqueue(&format!("key {number:02}")).await;
                sink.wait_for(number + 1).await;
            }
        };
        timeout(Duration::from_secs(10), one_by_one).await.expect("each wake is followed by a claim");
        stop.cancel();
        running.join_all().await;
    }

    /// What came due before the last look is found by the next.
    async fn a_message_of_a_replica_whose_clock_is_late_is_delivered(database: TestDatabase) {
        let late = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        let (env, clock) = cr_testkit::env(2);
        clock.advance_seconds(600);
        let app = application(&late.database, env).await;
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(Worker::new(app.clone(), mail_providers(&sink), RetryPolicy::default()).run(stop.clone()));
        let mut cx = app.begin().await.unwrap();
        message::enqueue(&mut cx, late.message("email", "ann@shop.test", "a")).await.unwrap();
        cx.commit().await.unwrap();
        sink.wait_for(1).await;
        late.enqueue("b").await;
        sink.wait_for(2).await;
        stop.cancel();
        running.join_all().await;
    }

    /// An unknown account costs what a known one does, and leaves nothing behind.
    async fn a_message_for_nobody_is_discarded(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        let mut cx = stage.app.begin().await.unwrap();
        message::enqueue_nothing(&mut cx, stage.message("email", "ann@shop.test", "key")).await.unwrap();
        cx.commit().await.unwrap();
        assert_eq!(stage.worker(&sink).run_once().await.unwrap(), 1);
        assert_eq!(sink.connections(), 0);
        assert!(stage.rows().await.is_empty());
    }

    /// A row that does not open (another secret, or moved from another row) is given up, and the others still go out.
    async fn a_payload_that_does_not_open_is_given_up(database: TestDatabase) {
        let stage = stage(database).await;
        let sink = SmtpSink::start(SinkTls::None, None).await;
        stage.enqueue("a").await;
        stage.enqueue("b").await;
        stage
            .database
            .sql(
                "update cr_outbox set payload = (select payload from cr_outbox where idempotency_key = 'b') \
                 where idempotency_key = 'a'",
            )
            .await;
        stage.worker(&sink).run_once().await.unwrap();
        let error = "payload cannot be opened".to_owned();
        assert_eq!(
            stage.rows().await,
            [("dead".to_owned(), 1, error, false), ("delivered".to_owned(), 1, String::new(), false)]
        );
    }

    /// A channel that lost its provider in a restart may get it back in the next.
    async fn a_channel_without_a_provider_waits(database: TestDatabase) {
        let stage = stage(database).await;
        stage.enqueue("key").await;
        stage.worker_with(&[]).run_once().await.unwrap();
        let error = "no provider serves the channel".to_owned();
        assert_eq!(stage.rows().await, [("pending".to_owned(), 1, error, true)]);
    }
}
