//! `cr_limit`, `cr_audit` and `cr_state`.

use cr_db::models::cr_audit::{self, AuditLine};
use cr_db::models::cr_limit::{self, Taking};
use cr_db::models::cr_state;
use serde_json::json;

use super::{after, begin, now, open};

cr_testkit::both! {
    async fn a_window_has_room_for_so_many_and_begins_anew_at_its_end(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        for (second, expected) in [(0, Some(1)), (1, Some(2)), (2, None), (9, None), (10, Some(1)), (11, Some(2)), (12, None)] {
            let row = cr_limit::take(&mut tx, "k", 2, after(second + 10), after(second)).await.unwrap();
            assert_eq!(row.map(|row| row.count), expected, "at {second}");
        }
        let rows = cr_limit::list(&mut tx, &["k"]).await.unwrap();
        assert_eq!((rows[0].count, rows[0].resets_at), (2, after(20)));
    }

    async fn counters_come_in_order_of_their_keys(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        for key in ["c", "a", "b", "d"] {
            cr_limit::take(&mut tx, key, 1, after(10), now()).await.unwrap();
        }
        for (keys, expected) in [(&["c", "x", "a"][..], vec!["a", "c"]), (&["d", "d"], vec!["d"]), (&["x"], vec![]), (&[], vec![])] {
            let rows = cr_limit::list(&mut tx, keys).await.unwrap();
            assert_eq!(rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), expected);
        }
    }

    /// What has no room is left as it is and not named; what has, is counted beside it, each in its own window.
    async fn of_many_counters_those_with_room_are_taken(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let odd = r#"it's "odd": \ 'é"#;
        let take = async |tx: &mut cr_db::Tx, second: i64| {
            let of = |key, most, seconds| Taking { key, most, amount: 1, window_ends: after(second + seconds) };
            let counters = [of("b", 1, 60), of(odd, 2, 10), of("a", i64::MAX, 30)];
            cr_limit::take_all(tx, &counters, after(second)).await.unwrap()
        };
        for (second, expected) in [
            (0, vec!["b", odd, "a"]),
            (1, vec![odd, "a"]),
            (2, vec!["a"]),
            (10, vec![odd, "a"]),
            (60, vec!["b", odd, "a"]),
        ] {
            let mut taken = take(&mut tx, second).await;
            taken.sort_unstable_by_key(|key| ["b", odd, "a"].iter().position(|it| it == key));
            assert_eq!(taken, expected, "at {second}");
        }
        assert!(cr_limit::take_all(&mut tx, &[], now()).await.unwrap().is_empty());
        let rows = cr_limit::list(&mut tx, &["a", "b", odd]).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.count, row.resets_at)).collect();
        assert_eq!(told, [("a", 1, after(90)), ("b", 1, after(120)), (odd, 1, after(70))]);

        // What costs nothing is refused as what does, and uses nothing up.
        let free = ["b", "c", odd].map(|key| Taking { key, most: 1, amount: 0, window_ends: after(200) });
        assert_eq!(cr_limit::take_all(&mut tx, &free, after(61)).await.unwrap(), ["c"]);
        let mut taken = cr_limit::take_all(&mut tx, &free, after(70)).await.unwrap();
        taken.sort_unstable();
        assert_eq!(taken, ["c", odd]);
        let rows = cr_limit::list(&mut tx, &["b", "c", odd]).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.count, row.resets_at)).collect();
        assert_eq!(told, [("b", 1, after(120)), ("c", 0, after(200)), (odd, 0, after(200))]);
    }

    async fn a_count_is_given_back_but_never_below_zero(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        cr_limit::take(&mut tx, "k", 5, after(10), now()).await.unwrap();
        cr_limit::give_back(&mut tx, "k", after(1)).await.unwrap();
        cr_limit::give_back(&mut tx, "k", after(2)).await.unwrap();
        cr_limit::give_back(&mut tx, "unknown", after(2)).await.unwrap();
        tx.commit().await.unwrap();
        let rows = test.rows("select key, count, resets_at, blocked_until, updated_at from cr_limit").await;
        let expected = json!({"key": "k", "count": 0, "resets_at": after(10), "blocked_until": null, "updated_at": after(1)});
        assert_eq!(rows, [expected]);
    }

    async fn a_counter_is_shut_and_forgotten(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        cr_limit::take(&mut tx, "k", 5, after(10), now()).await.unwrap();
        cr_limit::take(&mut tx, "other", 5, after(10), now()).await.unwrap();
        cr_limit::block(&mut tx, "k", after(60), after(1)).await.unwrap();
        let rows = cr_limit::list(&mut tx, &["k", "other"]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.blocked_until).collect::<Vec<_>>(), [Some(after(60)), None]);
        cr_limit::clear(&mut tx, "k").await.unwrap();
        let rows = cr_limit::list(&mut tx, &["k", "other"]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["other"]);
    }

    /// Of those who saw the same opening one gets it, and gives it back as it was.
    async fn an_opening_is_claimed_once_and_given_back(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let seen = cr_limit::take(&mut tx, "k", 5, after(10), now()).await.unwrap().unwrap();
        for (second, expected) in [(1, true), (1, false), (70, false)] {
            let claimed = cr_limit::claim(&mut tx, &seen, after(60), after(second)).await.unwrap();
            assert_eq!(claimed, expected, "at {second}");
        }
        let shut = cr_limit::list(&mut tx, &["k"]).await.unwrap().remove(0);
        assert_eq!((shut.count, shut.blocked_until), (2, Some(after(60))));
        assert!(!cr_limit::claim(&mut tx, &shut, after(90), after(59)).await.unwrap(), "it is shut");
        cr_limit::unclaim(&mut tx, &seen, after(2)).await.unwrap();
        assert_eq!(cr_limit::list(&mut tx, &["k"]).await.unwrap(), std::slice::from_ref(&seen));
        // More was counted since: there is nothing to undo.
        cr_limit::block(&mut tx, "k", after(90), after(3)).await.unwrap();
        cr_limit::unclaim(&mut tx, &seen, after(4)).await.unwrap();
        assert_eq!(cr_limit::list(&mut tx, &["k"]).await.unwrap()[0].blocked_until, Some(after(90)));
    }

    async fn counters_are_pruned_when_window_and_block_are_over(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        for (key, ends) in [("over", 10), ("open", 30), ("shut", 10)] {
            cr_limit::take(&mut tx, key, 5, after(ends), now()).await.unwrap();
        }
        cr_limit::block(&mut tx, "shut", after(30), now()).await.unwrap();
        assert_eq!(cr_limit::prune(&mut tx, after(20)).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(test.rows("select key from cr_limit order by key").await, [json!({"key": "open"}), json!({"key": "shut"})]);
    }

    async fn an_audit_line_is_written_as_it_is(test: TestDatabase) {
        let database = open(&test, "").await;
        let details = json!({"contact_type": "email"});
        let full = AuditLine {
            id: "1",
            actor_type: "user",
            actor_id: Some("user_1"),
            action: "contact.lost",
            subject_id: Some("cus_1"),
            details: Some(&details),
        };
        let mut tx = begin(&database).await;
        cr_audit::insert(&mut tx, &full, now()).await.unwrap();
        let bare = AuditLine { id: "2", actor_id: None, subject_id: None, details: None, ..full };
        cr_audit::insert(&mut tx, &bare, now()).await.unwrap();
        tx.commit().await.unwrap();
        let select = "select id, actor_type, actor_id, action, subject_id, details, created_at from cr_audit order by id";
        assert_eq!(test.rows(select).await, [
            json!({"id": "1", "actor_type": "user", "actor_id": "user_1", "action": "contact.lost", "subject_id": "cus_1",
                   "details": details, "created_at": now()}),
            json!({"id": "2", "actor_type": "user", "actor_id": null, "action": "contact.lost", "subject_id": null,
                   "details": null, "created_at": now()}),
        ]);
    }

    async fn a_fact_is_found_by_its_key(test: TestDatabase) {
        let database = open(&test, "insert into cr_state (key, value, updated_at) values ('k', 'v', '2026-01-02T03:04:05.678Z')").await;
        let mut tx = begin(&database).await;
        assert_eq!(cr_state::find(&mut tx, "k").await.unwrap().as_deref(), Some("v"));
        assert_eq!(cr_state::find(&mut tx, "unknown").await.unwrap(), None);
    }
}
