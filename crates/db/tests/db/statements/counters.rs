//! `cr_limit`, `cr_audit` and `cr_state`.

use cr_db::Tx;
use cr_db::models::cr_audit::{self, AuditLine};
use cr_db::models::cr_limit::{self, Taking};
use cr_db::models::cr_state;
use serde_json::json;
use tokio::task::JoinSet;

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

    /// Where one is full, nothing is written, whether it was to be counted or was only looked at; each has its own window.
    async fn many_counters_are_taken_where_all_have_room(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let odd = r#"it's "odd": \ 'é"#;
        let of = |key, most, amount, window_ends| Taking { key, most, amount, window_ends };
        let take = async |tx: &mut Tx, second: i64, looked_at: i64| {
            let counters = [
                of("b", 2, Some(1), after(second + 60)),
                of(odd, 1, Some(1), after(second + 10)),
                of("a", i64::MAX, Some(1), after(second + 30)),
                of("seen", looked_at, None, after(second + 99)),
            ];
            let mut taken = cr_limit::take_all(tx, &counters, after(second)).await.unwrap();
            taken.sort_unstable();
            taken
        };
        let all = ["a", "b", odd];
        for (second, expected) in [(0, &all[..]), (1, &[]), (10, &all), (59, &[]), (60, &all)] {
            assert_eq!(take(&mut tx, second, 5).await, expected, "at {second}");
        }
        cr_limit::take(&mut tx, "seen", 5, after(99), after(61)).await.unwrap();
        for (second, looked_at, expected) in [(70, 1, &[][..]), (70, 2, &all), (99, 1, &[])] {
            assert_eq!(take(&mut tx, second, looked_at).await, expected, "at {second}");
        }
        assert!(cr_limit::take_all(&mut tx, &[], now()).await.unwrap().is_empty());
        let rows = cr_limit::list(&mut tx, &["a", "b", odd, "seen"]).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.count, row.resets_at)).collect();
        assert_eq!(told, [("a", 2, after(90)), ("b", 2, after(120)), (odd, 1, after(80)), ("seen", 1, after(99))]);

        // What costs nothing is refused as what does, and uses nothing up.
        let free = |keys: [&'static str; 2]| keys.map(|key| of(key, 2, Some(0), after(200)));
        assert!(cr_limit::take_all(&mut tx, &free(["b", "c"]), after(90)).await.unwrap().is_empty());
        let mut taken = cr_limit::take_all(&mut tx, &free(["c", "a"]), after(90)).await.unwrap();
        taken.sort_unstable();
        assert_eq!(taken, ["a", "c"]);
        let rows = cr_limit::list(&mut tx, &["a", "b", "c"]).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.count, row.resets_at)).collect();
        assert_eq!(told, [("a", 0, after(200)), ("b", 2, after(120)), ("c", 0, after(200))]);
    }

    /// One that fills up between the look and the count is missing among the keys; the others were counted.
    async fn a_counter_that_fills_up_meanwhile_is_not_taken(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut takes = JoinSet::new();
        for _ in 0..40 {
            let database = database.clone();
            takes.spawn(async move {
                let mut tx = begin(&database).await;
                let counters = [("narrow", 5), ("wide", i64::MAX)]
                    .map(|(key, most)| Taking { key, most, amount: Some(1), window_ends: after(60) });
                let taken = cr_limit::take_all(&mut tx, &counters, now()).await.unwrap();
                let is_whole = taken.len() == 2;
                if is_whole { tx.commit().await.unwrap() } else { tx.roll_back().await.unwrap() }
                is_whole
            });
        }
        let whole = takes.join_all().await.into_iter().filter(|is_whole| *is_whole).count();
        assert_eq!(whole, 5);
        let rows = test.rows("select key, count from cr_limit order by key").await;
        assert_eq!(rows, [json!({"key": "narrow", "count": 5}), json!({"key": "wide", "count": 5})]);
    }

    async fn a_window_begins_anew_whatever_was_counted(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        cr_limit::take(&mut tx, "k", 5, after(10), now()).await.unwrap();
        cr_limit::take(&mut tx, "k", 5, after(10), now()).await.unwrap();
        cr_limit::block(&mut tx, "k", after(60), now()).await.unwrap();
        for key in ["k", "new"] {
            cr_limit::renew(&mut tx, key, after(20), after(5)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let rows = test.rows("select key, count, resets_at, blocked_until, updated_at from cr_limit order by key").await;
        let expected = |key| json!({"key": key, "count": 1, "resets_at": after(20), "blocked_until": null, "updated_at": after(5)});
        assert_eq!(rows, [expected("k"), expected("new")]);
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
        cr_limit::clear(&mut tx, &["unknown".to_owned(), "k".to_owned()]).await.unwrap();
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
