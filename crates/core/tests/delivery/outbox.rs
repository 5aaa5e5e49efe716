//! Enqueueing: with the transaction, once a key, sealed, and alike for nobody.

use cr_core::delivery::message;
use cr_testkit::both;

use crate::stage::stage;

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
        // The name with its blank: three letters alone come about in what is sealed.
        for secret in ["135790", "ann@shop.test", " Ann"] {
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
}
