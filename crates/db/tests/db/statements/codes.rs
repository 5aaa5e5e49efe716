//! `otp_verification`: codes, and who may guess them how often.

use cr_db::models::cr_limit;
use cr_db::models::cr_outbox::NewOutboxMessage;
use cr_db::models::otp_verification::{self, Consumed, GuessCounter, OtpVerification};
use cr_db::{DatabaseKind, Tx};
use cr_types::ids::OtpId;
use cr_types::timestamp::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;

use super::{after, begin, customer_id, now, open};

/// One who has both contacts, and one who is gone.
const CUSTOMERS: &str = "
insert into customer (id, email, phone, has_account, deleted_at) values
  ('cus_1', 'Ann@shop.test', '+4915112345678', true, null),
  ('cus_2', 'bob@shop.test', '+4915112345679', true, '2026-01-01T00:00:00Z')";

/// A code of `subject` that lives 15 minutes.
fn code(id: &str, subject: &str) -> OtpVerification {
    OtpVerification {
        id: OtpId::from_stored(id),
        customer_id: customer_id("cus_1"),
        purpose: "email_verification".to_owned(),
        hashed_code: format!("hash of {id}"),
        expires_at: after(900),
        attempts: 0,
        verified_at: None,
        deleted_at: None,
        kind: Some("verify".to_owned()),
        origin: Some("bearer".to_owned()),
        subject_hmac: Some(subject.to_owned()),
        destination_hmac: Some("destination".to_owned()),
        sealed: Some("sealed".to_owned()),
    }
}

/// An id.
fn otp(text: &str) -> OtpId {
    OtpId::from_stored(text)
}

/// A guess at a code, by no counter, of which `max` are allowed.
async fn guess(tx: &mut Tx, id: &str, max: i64, second: i64) -> Option<OtpVerification> {
    let guessed = otp_verification::take_attempt(tx, &otp(id), "verify", max, &[], after(second)).await.unwrap();
    guessed.map(|guessed| guessed.otp)
}

/// The counters of a limit of `most` in a minute and two more in an hour.
fn counters(most: i64) -> [GuessCounter; 2] {
    [(60, most), (3600, most + 2)].map(|(seconds, most)| GuessCounter {
        start: format!("wrongCodes:{seconds}:"),
        most,
        window_ends: after(seconds),
    })
}

cr_testkit::both! {
    async fn a_code_takes_the_place_of_the_live_one_of_its_subject(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        otp_verification::replace(&mut tx, &code("otp_1", "s"), now()).await.unwrap();
        guess(&mut tx, "otp_1", 5, 0).await.unwrap();
        otp_verification::replace(&mut tx, &code("otp_2", "s"), after(1)).await.unwrap();
        otp_verification::replace(&mut tx, &code("otp_3", "other"), after(1)).await.unwrap();
        assert_eq!(otp_verification::find(&mut tx, &otp("otp_1")).await.unwrap(), None);
        assert_eq!(otp_verification::find(&mut tx, &otp("otp_2")).await.unwrap(), Some(code("otp_2", "s")));
        assert!(otp_verification::consume(&mut tx, &otp("otp_2"), &[], &[], after(2)).await.unwrap().is_some());
        otp_verification::replace(&mut tx, &code("otp_4", "s"), after(3)).await.unwrap();
        tx.commit().await.unwrap();
        let rows = test.rows("select id, attempts, created_at from otp_verification order by id").await;
        assert_eq!(rows, [
            json!({"id": "otp_2", "attempts": 0, "created_at": after(1)}),
            json!({"id": "otp_3", "attempts": 0, "created_at": after(1)}),
            json!({"id": "otp_4", "attempts": 0, "created_at": after(3)}),
        ]);
    }

    /// One message a key.
    async fn a_code_is_stored_with_its_message(test: TestDatabase) {
        let database = open(&test, "").await;
        let message = |id: &'static str, key: &'static str, moment: Timestamp| NewOutboxMessage {
            id,
            channel: "email",
            payload: "sealed",
            template: "template",
            trigger_type: "trigger",
            receiver_id: None,
            idempotency_key: key,
            expires_at: Some(after(900)),
            now: moment,
        };
        let mut tx = begin(&database).await;
        for (id, (message_id, key), moment) in
            [("otp_1", ("msg_1", "1"), now()), ("otp_2", ("msg_2", "2"), after(1)), ("otp_3", ("msg_3", "2"), after(2))]
        {
            let message = message(message_id, key, moment);
            let written = otp_verification::replace_with_message(&mut tx, &code(id, "s"), &message).await.unwrap();
            assert_eq!(written, message_id != "msg_3");
        }
        tx.commit().await.unwrap();
        assert_eq!(test.rows("select id, created_at from otp_verification").await, [json!({"id": "otp_3", "created_at": after(2)})]);
        let rows = test.rows("select id, channel, payload, template, trigger_type, receiver_id, idempotency_key, status, attempts, \
                              next_attempt_at, expires_at, created_at, updated_at from cr_outbox order by id").await;
        let expected = [("msg_1", "1", now()), ("msg_2", "2", after(1))].map(|(id, key, moment)| json!({
            "id": id, "channel": "email", "payload": "sealed", "template": "template", "trigger_type": "trigger", "receiver_id": null,
            "idempotency_key": key, "status": "pending", "attempts": 0, "next_attempt_at": moment, "expires_at": after(900),
            "created_at": moment, "updated_at": moment,
        }));
        assert_eq!(rows, expected);
    }

    async fn the_live_code_is_neither_used_nor_voided(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        otp_verification::replace(&mut tx, &code("otp_1", "s"), now()).await.unwrap();
        let live = otp_verification::find_live(&mut tx, "s", "email_verification").await.unwrap();
        assert_eq!(live, Some(code("otp_1", "s")));
        assert_eq!(otp_verification::find_live(&mut tx, "s", "phone_verification").await.unwrap(), None);
        assert!(otp_verification::consume(&mut tx, &otp("otp_1"), &[], &[], now()).await.unwrap().is_some());
        assert_eq!(otp_verification::find_live(&mut tx, "s", "email_verification").await.unwrap(), None);
    }

    async fn guesses_are_counted_up_to_the_limit_and_the_expiry(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        otp_verification::replace(&mut tx, &code("otp_1", "s"), now()).await.unwrap();
        for (second, expected) in [(0, Some(1)), (900, None), (899, Some(2)), (899, None)] {
            let taken = guess(&mut tx, "otp_1", 2, second).await;
            assert_eq!(taken.map(|row| row.attempts), expected, "at {second}");
        }
        assert_eq!(guess(&mut tx, "unknown", 2, 0).await, None);
    }

    /// By all counters or by none, each in its own window; of one that is no such code nothing is counted.
    async fn a_guess_is_counted_by_its_subject_too(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let plugins = OtpVerification { kind: Some("verify".to_owned()), subject_hmac: None, ..code("otp_2", "") };
        for row in [code("otp_1", "s"), plugins] {
            otp_verification::replace(&mut tx, &row, now()).await.unwrap();
        }
        tx.commit().await.unwrap();
        for (id, kind, expected) in [
            ("otp_1", "verify", Some(1)),
            ("otp_1", "deletion", None),
            ("unknown", "verify", None),
            ("otp_1", "verify", Some(2)),
            ("otp_1", "verify", None),
            ("otp_2", "verify", Some(1)),
        ] {
            let mut tx = begin(&database).await;
            let taken = otp_verification::take_attempt(&mut tx, &otp(id), kind, 9, &counters(2), now()).await.unwrap();
            assert_eq!(taken.as_ref().map(|guessed| guessed.otp.attempts), expected, "{id}");
            if taken.is_some() { tx.commit().await.unwrap() } else { tx.roll_back().await.unwrap() }
        }
        let select = "select key, count, resets_at from cr_limit order by key";
        let of = |key: &str, count: i64, seconds: i64| json!({"key": key, "count": count, "resets_at": after(seconds)});
        assert_eq!(test.rows(select).await, [
            of("wrongCodes:3600:email_verification:cus_1", 1, 3600),
            of("wrongCodes:3600:email_verification:s", 2, 3600),
            of("wrongCodes:60:email_verification:cus_1", 1, 60),
            of("wrongCodes:60:email_verification:s", 2, 60),
        ]);
        let attempts = test.rows("select id, attempts from otp_verification order by id").await;
        assert_eq!(attempts, [json!({"id": "otp_1", "attempts": 2}), json!({"id": "otp_2", "attempts": 1})]);

        let keys = ["wrongCodes:60:email_verification:s", "wrongCodes:3600:email_verification:s"].map(str::to_owned);
        for (expected, left) in [(true, 1), (false, 1)] {
            let mut tx = begin(&database).await;
            assert_eq!(otp_verification::consume(&mut tx, &otp("otp_1"), &keys, &[], after(1)).await.unwrap().is_some(), expected);
            tx.commit().await.unwrap();
            let select = "select key, count, updated_at from cr_limit where key like '%:s' order by key";
            let of = |key: &String| json!({"key": key, "count": left, "updated_at": after(1)});
            assert_eq!(test.rows(select).await, [of(&keys[1]), of(&keys[0])]);
        }
    }

    /// Of very many at once, at one code and at several of one subject, as many get through as there is room for, and are counted.
    async fn guesses_that_race_get_no_more_than_there_is_room_for(test: TestDatabase) {
        let database = open(&test, "").await;
        for (most, max, rates, expected) in [(5, 9, 1, 5), (9, 5, 1, 5), (4, 9, 2, 4), (8, 3, 2, 3)] {
            let mut tx = begin(&database).await;
            let subject = format!("s{most}");
            otp_verification::replace(&mut tx, &code(&format!("otp_{most}"), &subject), now()).await.unwrap();
            tx.commit().await.unwrap();
            let mut guesses = JoinSet::new();
            for _ in 0..40 {
                let database = database.clone();
                guesses.spawn(async move {
                    let is_one = rates == 1 && database.kind() == DatabaseKind::Postgres;
                    let tx = if is_one { database.single().await } else { database.begin().await };
                    let (mut tx, id) = (tx.unwrap(), otp(&format!("otp_{most}")));
                    let counters = &counters(most)[..rates];
                    let taken = otp_verification::take_attempt(&mut tx, &id, "verify", max, counters, now()).await.unwrap();
                    if taken.is_some() { tx.commit().await.unwrap() } else { tx.roll_back().await.unwrap() }
                    taken.map(|guessed| guessed.otp.attempts)
                });
            }
            let mut taken: Vec<i64> = guesses.join_all().await.into_iter().flatten().collect();
            taken.sort_unstable();
            assert_eq!(taken, (1..=expected).collect::<Vec<_>>());
            let select = format!("select count from cr_limit where key like 'wrongCodes:%:email_verification:{subject}'");
            assert_eq!(test.rows(&select).await, vec![json!({"count": expected}); rates]);
            let select = format!("select attempts from otp_verification where id = 'otp_{most}'");
            assert_eq!(test.rows(&select).await, [json!({"attempts": expected})]);
        }
    }

    /// A guess tells the contact that it is about; of a customer who is gone, or of nobody, none.
    async fn a_guess_brings_the_contact(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let mut tx = begin(&database).await;
        for (id, customer, purpose, expected) in [
            ("otp_1", "cus_1", "email_verification", Some("Ann@shop.test")),
            ("otp_2", "cus_1", "phone_verification", Some("+4915112345678")),
            ("otp_3", "cus_1", "account_deletion_request", None),
            ("otp_4", "cus_2", "email_verification", None),
            ("otp_5", "cus_3", "email_verification", None),
        ] {
            let row = OtpVerification { customer_id: customer_id(customer), purpose: purpose.to_owned(), ..code(id, id) };
            otp_verification::replace(&mut tx, &row, now()).await.unwrap();
            let guessed = otp_verification::take_attempt(&mut tx, &otp(id), "verify", 9, &[], now()).await.unwrap();
            assert_eq!(guessed.unwrap().contact.as_deref(), expected, "{id}");
        }
    }

    /// Who uses a code up is told of counters to forget. SQLite does not look for them.
    async fn counters_are_looked_for_with_the_code(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        cr_limit::take(&mut tx, "b", 9, after(60), now()).await.unwrap();
        let is_unseen = database.kind() == DatabaseKind::Sqlite;
        for (id, watched, expected) in
            [("otp_1", &[][..], false), ("otp_2", &["a"], is_unseen), ("otp_3", &["a", "b"], true)]
        {
            otp_verification::replace(&mut tx, &code(id, id), now()).await.unwrap();
            let watched: Vec<String> = watched.iter().map(|key| (*key).to_owned()).collect();
            let consumed = otp_verification::consume(&mut tx, &otp(id), &[], &watched, after(1)).await.unwrap();
            assert_eq!(consumed, Some(Consumed { has_watched: expected }), "{id}");
            assert_eq!(otp_verification::consume(&mut tx, &otp(id), &[], &watched, after(1)).await.unwrap(), None);
        }
        assert_eq!(cr_limit::list(&mut tx, &["b"]).await.unwrap().len(), 1, "looked for, and left");
    }

    async fn a_code_is_used_once_and_loses_what_was_sealed(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        otp_verification::replace(&mut tx, &code("otp_1", "s"), now()).await.unwrap();
        assert!(otp_verification::consume(&mut tx, &otp("otp_1"), &[], &[], after(1)).await.unwrap().is_some());
        assert_eq!(otp_verification::consume(&mut tx, &otp("otp_1"), &[], &[], after(2)).await.unwrap(), None);
        assert_eq!(guess(&mut tx, "otp_1", 9, 2).await, None);
        tx.commit().await.unwrap();
        let select = "select verified_at, updated_at, sealed from otp_verification";
        assert_eq!(test.rows(select).await, [json!({"verified_at": after(1), "updated_at": after(1), "sealed": null})]);
    }

    async fn codes_are_pruned_by_their_expiry(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let old = OtpVerification { expires_at: after(10), ..code("otp_old", "a") };
        for row in [old, OtpVerification { expires_at: after(11), ..code("otp_new", "b") }] {
            otp_verification::replace(&mut tx, &row, now()).await.unwrap();
        }
        assert_eq!(otp_verification::prune(&mut tx, after(11)).await.unwrap(), 1);
        assert!(otp_verification::find(&mut tx, &otp("otp_new")).await.unwrap().is_some());
    }
}
