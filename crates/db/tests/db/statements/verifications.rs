//! `auth_verification`, which only a newer Medusa makes.

use cr_db::models::auth_verification::{self, NewVerification, Verified};
use cr_db::models::medusa_tables::MedusaTables;
use cr_testkit::TestDatabase;
use cr_testkit::newer_medusa;

use super::{after, begin, customer_id, identity_id, now, open};

/// Two identities of one customer, one of another.
fn identities() -> String {
    let row = |id: &str, customer: &str| {
        let moment = cr_testkit::START;
        format!("('authid_{id}', '{{\"customer_id\":\"cus_{customer}\"}}', '{moment}', '{moment}')")
    };
    let rows = [row("1", "1"), row("2", "1"), row("3", "2")].join(", ");
    format!("insert into auth_identity (id, app_metadata, created_at, updated_at) values {rows};")
}

/// A row of Medusa's making: of an identity, of a kind, verified or not, there or not.
fn row(id: &str, identity: &str, entity: &str, kind: &str, verified: bool, deleted: bool) -> String {
    let moment = cr_testkit::START;
    let time = |is_set: bool| if is_set { format!("'{moment}'") } else { "null".to_owned() };
    format!(
        "insert into auth_verification values ('{id}', 'authid_{identity}', '{entity}', '{kind}', 'token', {}, '{moment}', \
         null, null, '{moment}', '{moment}', {});",
        time(verified),
        time(deleted)
    )
}

/// The ids of the rows that a condition has.
async fn ids(test: &TestDatabase, condition: &str) -> Vec<String> {
    let rows = test.rows(&format!("select id from auth_verification where {condition} order by id")).await;
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

cr_testkit::both! {
    async fn what_medusa_verified_for_a_customer_is_listed(test: TestDatabase) {
        test.sql(&newer_medusa::auth_verification(&test)).await;
        let fixtures = [
            identities(),
            row("1", "1", "ann@shop.test", "email", true, false),
            row("2", "2", "+15551234567", "phone_number", true, false),
            row("3", "1", "waiting@shop.test", "email", false, false),
            row("4", "1", "removed@shop.test", "email", true, true),
            row("5", "3", "bea@shop.test", "email", true, false),
        ];
        let database = open(&test, &fixtures.concat()).await;
        assert_eq!(database.medusa_tables(), MedusaTables { verifications: true, ..MedusaTables::default() });
        let mut tx = begin(&database).await;
        let verified = |entity_id: &str, entity_type: &str| Verified { entity_id: entity_id.to_owned(), entity_type: entity_type.to_owned() };
        assert_eq!(
            auth_verification::list_verified(&mut tx, &customer_id("cus_1")).await.unwrap(),
            [verified("+15551234567", "phone_number"), verified("ann@shop.test", "email")]
        );
    }

    async fn a_proof_confirms_the_row_that_waits_or_makes_one(test: TestDatabase) {
        test.sql(&newer_medusa::auth_verification(&test)).await;
        let fixtures = [identities(), row("waiting", "1", "ann@shop.test", "email", false, false)];
        let database = open(&test, &fixtures.concat()).await;
        let mut tx = begin(&database).await;
        let identity = identity_id("authid_1");
        let new = |id, entity_type| NewVerification { id, identity: &identity, entity_id: "ann@shop.test", entity_type, code_provider: "customer-registration" };
        for id in ["authver_a", "authver_b"] {
            auth_verification::confirm(&mut tx, new(id, "email"), now()).await.unwrap();
        }
        auth_verification::confirm(&mut tx, new("authver_c", "other"), now()).await.unwrap();
        auth_verification::confirm(&mut tx, new("authver_d", "other"), after(60)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ids(&test, "verified_at is not null").await, ["authver_c", "waiting"]);
        let later = ids(&test, &format!("verified_at > '{}'", cr_testkit::START)).await;
        assert!(later.is_empty(), "the first moment stays");
    }

    async fn what_a_customer_lost_is_not_verified_any_more(test: TestDatabase) {
        test.sql(&newer_medusa::auth_verification(&test)).await;
        let fixtures = [
            identities(),
            row("1 old", "1", "old@shop.test", "email", true, false),
            row("2 kept", "2", "ann@shop.test", "email", true, false),
            row("3 phone", "1", "+15551234567", "phone_number", true, false),
            row("4 waiting", "1", "new@shop.test", "email", false, false),
            row("5 other", "3", "old@shop.test", "email", true, false),
            row("6 deleted", "1", "old@shop.test", "email", true, true),
        ];
        let credential = "insert into provider_identity (id, entity_id, provider, auth_identity_id) \
                          values ('provid_1', '+15551234567', 'phonepass', 'authid_1');";
        let database = open(&test, &[fixtures.concat(), credential.to_owned()].concat()).await;
        let mut tx = begin(&database).await;
        auth_verification::forget_but(&mut tx, &customer_id("cus_1"), "email", "ann@shop.test").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ids(&test, "deleted_at is null").await, ["2 kept", "3 phone", "4 waiting", "5 other"]);
        let mut tx = begin(&database).await;
        auth_verification::delete_left(&mut tx, &identity_id("authid_1")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ids(&test, "true").await, ["2 kept", "3 phone", "5 other"]);
    }
}
