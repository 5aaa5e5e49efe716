//! What the Node plugin left, after each number of its migrations.

use cr_db::migrate::{self, Adoption};
use cr_testkit::{Stage, TestDatabase, plugin_database};
use serde_json::{Value, json};

use super::{start, texts};

/// Migrates and returns what was adopted.
async fn adopt(test: &TestDatabase) -> Adoption {
    migrate::run(&test.connect_as_is().await, start()).await.unwrap().adopted
}

/// A shop owner who reads `migrate --status` first must get what was announced.
#[test]
fn the_counts_are_those_that_status_foresaw() {
    cr_testkit::run(async {
        for (stage, codes_voided, requests_cancelled, links_removed, proofs_written) in [
            (Stage::First, 2, 0, 0, 0),
            (Stage::Middle, 1, 1, 0, 3),
            (Stage::Whole, 1, 1, 1, 3),
            (Stage::Odd, 1, 1, 0, 1),
        ] {
            let test = plugin_database(stage).await;
            let expected =
                Adoption { objects_changed: 0, codes_voided, requests_cancelled, links_removed, proofs_written };
            let foreseen = migrate::status(&test.connect_as_is().await).await.unwrap().adopts;
            assert_eq!(foreseen, expected, "{stage:?}");
            let adopted = adopt(&test).await;
            assert_eq!(Adoption { objects_changed: 0, ..adopted }, expected, "{stage:?}");
        }
    });
}

/// No row that the plugin or Medusa wrote may be lost, nor any value in it but for the marks of the adoption.
#[test]
fn every_row_survives_with_its_values() {
    cr_testkit::run(async {
        for stage in Stage::ALL {
            let test = plugin_database(stage).await;
            let names = texts(&test, "select table_name as name from information_schema.tables where table_schema = 'public' order by table_name").await;
            let mut before = Vec::new();
            for name in &names {
                before.push(test.rows(&format!("select * from \"{name}\"")).await);
            }
            adopt(&test).await;
            for (name, before) in names.iter().zip(before) {
                let after = test.rows(&format!("select * from \"{name}\"")).await;
                assert_eq!(after.len(), before.len(), "{stage:?} {name}");
                for row in before {
                    assert!(after.iter().any(|kept| holds(kept, &row)), "{stage:?} {name}: {row} is not in {after:?}");
                }
            }
        }
    });
}

/// Whether the row holds the values of the row before: all but those that adoption marks, and null that became a value.
fn holds(after: &Value, before: &Value) -> bool {
    const MARKS: [&str; 4] = ["status", "updated_at", "deleted_at", "cancelled_at"];
    before.as_object().unwrap().iter().all(|(column, value)| {
        MARKS.contains(&column.as_str()) || value.is_null() || same(after.get(column).unwrap(), value)
    })
}

/// Equal, or the same moment with its zone named.
fn same(after: &Value, before: &Value) -> bool {
    let moment =
        |value: &Value| value.as_str().map(|text| text.trim_end_matches('Z').trim_end_matches(".000").to_owned());
    after == before || (moment(after).is_some() && moment(after) == moment(before))
}

/// A code of the plugin's is hashed otherwise: left alive it would only cost the customer attempts.
#[test]
fn live_codes_are_voided_and_used_ones_stay() {
    cr_testkit::run(async {
        let test = plugin_database(Stage::First).await;
        adopt(&test).await;
        let rows = test.rows("select id, deleted_at from otp_verification order by id").await;
        let now = start().to_string();
        assert_eq!(
            rows,
            [
                json!({"id": "otp_forgot", "deleted_at": now}),
                json!({"id": "otp_live", "deleted_at": now}),
                json!({"id": "otp_used", "deleted_at": null}),
            ]
        );
    });
}

#[test]
fn the_newest_active_request_of_a_customer_stays_and_the_others_are_cancelled() {
    cr_testkit::run(async {
        let test = plugin_database(Stage::Middle).await;
        adopt(&test).await;
        let rows = test.rows("select id, status, cancelled_at from account_deletion_request order by id").await;
        assert_eq!(
            rows,
            [
                json!({"id": "adr_bob", "status": "pending", "cancelled_at": null}),
                json!({"id": "adr_newer", "status": "pending", "cancelled_at": null}),
                json!({"id": "adr_older", "status": "cancelled", "cancelled_at": start()}),
            ]
        );
    });
}

#[test]
fn the_oldest_link_of_a_customer_stays_and_the_others_are_soft_deleted() {
    cr_testkit::run(async {
        let test = plugin_database(Stage::Whole).await;
        adopt(&test).await;
        let rows = test.rows("select id, deleted_at from referral_link order by id").await;
        assert_eq!(
            rows,
            [
                json!({"id": "refl_carol", "deleted_at": null}),
                json!({"id": "refl_newer", "deleted_at": start()}),
                json!({"id": "refl_older", "deleted_at": null}),
            ]
        );
    });
}

/// Customers who verified with the plugin must not have to verify again; later, a true flag without a proof means that
/// somebody wrote the contact past us, and must not become a proof by itself.
#[test]
fn true_flags_get_their_proofs_once_and_again_when_asked() {
    cr_testkit::run(async {
        let test = plugin_database(Stage::Whole).await;
        let database = test.connect_as_is().await;
        migrate::run(&database, start()).await.unwrap();
        let proofs = "select customer_id, channel, value, proven_at from cr_proof order by customer_id, channel";
        let proof = |customer: &str, channel: &str, value: &str| json!({"customer_id": customer, "channel": channel, "value": value, "proven_at": start()});
        let first = [
            proof("cus_alice", "email", "Alice@Example.com"),
            proof("cus_alice", "phone", "+4915112345678"),
            proof("cus_carol", "email", "carol@example.com"),
        ];
        assert_eq!(test.rows(proofs).await, first);

        test.sql("update customer set email_verified = true where id = 'cus_bob'").await;
        migrate::run(&database, start().plus_seconds(60)).await.unwrap();
        assert_eq!(test.rows(proofs).await, first, "a second run adopts no flag");

        assert_eq!(migrate::adopt_flags(&database, start()).await.unwrap(), 1);
        let [alice_email, alice_phone, carol] = first;
        let all = [alice_email, alice_phone, proof("cus_bob", "email", "bob@example.com"), carol];
        assert_eq!(test.rows(proofs).await, all);
    });
}

/// Whatever the plugin's checks knew, our purposes and states can be stored, and so can what rows held before.
#[test]
fn checks_take_our_values_and_keep_theirs() {
    cr_testkit::run(async {
        for stage in Stage::ALL {
            let test = plugin_database(stage).await;
            adopt(&test).await;
            for purpose in
                ["email_verification", "phone_verification", "account_deletion_request", "account_deletion_cancel"]
            {
                let columns = if stage == Stage::Odd { ", channel" } else { "" };
                let values = if stage == Stage::Odd { ", 'email'" } else { "" };
                test.sql(&format!(
                    "insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at{columns})
                     values ('new_{purpose}', 'decoy', '{purpose}', 'ours', '2026-01-02T03:14:05Z'{values})"
                ))
                .await;
            }
            for status in ["pending", "confirmed", "cancelled", "completed"] {
                test.sql(&format!(
                    "insert into account_deletion_request (id, customer_id, status) values ('new_{status}', 'of_{status}', '{status}')"
                ))
                .await;
            }
            let refused =
                "insert into account_deletion_request (id, customer_id, status) values ('x', 'x', 'nonsense')";
            assert!(test.try_sql(refused).await.is_err(), "{stage:?}");
        }
    });
}

/// A column of the plugin's that we do not know must not refuse our rows.
#[test]
fn an_unknown_required_column_asks_us_for_nothing() {
    cr_testkit::run(async {
        let test = plugin_database(Stage::Odd).await;
        adopt(&test).await;
        test.sql(
            "insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at)
             values ('new', 'decoy', 'email_verification', 'ours', '2026-01-02T03:14:05Z');
             insert into account_deletion_request (id, customer_id, status) values ('new', 'cus_bob', 'pending')",
        )
        .await;
    });
}
