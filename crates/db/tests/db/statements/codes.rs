//! `otp_verification`: codes, and who may guess them how often.

use cr_db::models::otp_verification::{self, OtpVerification};
use cr_types::ids::OtpId;
use serde_json::json;

use super::{after, begin, customer_id, now, open};

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

cr_testkit::both! {
    async fn a_code_takes_the_place_of_the_live_one_of_its_subject(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        otp_verification::replace(&mut tx, &code("otp_1", "s"), now()).await.unwrap();
        otp_verification::take_attempt(&mut tx, &otp("otp_1"), 5, now()).await.unwrap().unwrap();
        otp_verification::replace(&mut tx, &code("otp_2", "s"), after(1)).await.unwrap();
        otp_verification::replace(&mut tx, &code("otp_3", "other"), after(1)).await.unwrap();
        assert_eq!(otp_verification::find(&mut tx, &otp("otp_1")).await.unwrap(), None);
        assert_eq!(otp_verification::find(&mut tx, &otp("otp_2")).await.unwrap(), Some(code("otp_2", "s")));
        assert!(otp_verification::consume(&mut tx, &otp("otp_2"), after(2)).await.unwrap());
        otp_verification::replace(&mut tx, &code("otp_4", "s"), after(3)).await.unwrap();
        tx.commit().await.unwrap();
        let rows = test.rows("select id, attempts, created_at from otp_verification order by id").await;
        assert_eq!(rows, [
            json!({"id": "otp_2", "attempts": 0, "created_at": after(1)}),
            json!({"id": "otp_3", "attempts": 0, "created_at": after(1)}),
            json!({"id": "otp_4", "attempts": 0, "created_at": after(3)}),
        ]);
    }

    async fn the_live_code_is_neither_used_nor_voided(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        otp_verification::replace(&mut tx, &code("otp_1", "s"), now()).await.unwrap();
        let live = otp_verification::find_live(&mut tx, "s", "email_verification").await.unwrap();
        assert_eq!(live, Some(code("otp_1", "s")));
        assert_eq!(otp_verification::find_live(&mut tx, "s", "phone_verification").await.unwrap(), None);
        assert!(otp_verification::consume(&mut tx, &otp("otp_1"), now()).await.unwrap());
        assert_eq!(otp_verification::find_live(&mut tx, "s", "email_verification").await.unwrap(), None);
    }

    async fn guesses_are_counted_up_to_the_limit_and_the_expiry(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        otp_verification::replace(&mut tx, &code("otp_1", "s"), now()).await.unwrap();
        for (second, expected) in [(0, Some(1)), (900, None), (899, Some(2)), (899, None)] {
            let taken = otp_verification::take_attempt(&mut tx, &otp("otp_1"), 2, after(second)).await.unwrap();
            assert_eq!(taken.map(|row| row.attempts), expected, "at {second}");
        }
        assert_eq!(otp_verification::take_attempt(&mut tx, &otp("unknown"), 2, now()).await.unwrap(), None);
    }

    async fn a_code_is_used_once_and_loses_what_was_sealed(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        otp_verification::replace(&mut tx, &code("otp_1", "s"), now()).await.unwrap();
        assert!(otp_verification::consume(&mut tx, &otp("otp_1"), after(1)).await.unwrap());
        assert!(!otp_verification::consume(&mut tx, &otp("otp_1"), after(2)).await.unwrap());
        assert_eq!(otp_verification::take_attempt(&mut tx, &otp("otp_1"), 9, after(2)).await.unwrap(), None);
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
