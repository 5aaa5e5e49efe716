//! A shop that was filled for measuring, asked what is measured on it.

use cr_core::env::Env;
use cr_testkit::crowd::{self, Person, Who};
use serde_json::{Value, json};

use crate::stage::{asked, prove};
use crate::support::{CHEAP, DEVELOPMENT, TestServer};

/// What signs tokens in [`DEVELOPMENT`].
const SECRET: &str = "a test's jwt secret of thirty-two bytes or more";
/// Enough for somebody in each state.
const CUSTOMERS: u32 = 1000;
/// Tables that grow with the customers.
const GROWING: [&str; 12] = [
    "customer",
    "auth_identity",
    "provider_identity",
    "cr_proof",
    "customer_address",
    "referral_link",
    "cr_referral_code",
    "account_deletion_request",
    "otp_verification",
    "cr_limit",
    "cr_outbox",
    "cr_audit",
];

/// Name and definition of every index.
async fn indexes(database: &cr_testkit::TestDatabase) -> Vec<Value> {
    database
        .rows(match database {
            cr_testkit::TestDatabase::Postgres { .. } => {
                "select indexname, indexdef from pg_indexes where schemaname = 'public' order by indexname"
            }
            cr_testkit::TestDatabase::Sqlite { .. } => {
                "select name, sql from sqlite_master where type = 'index' order by name"
            }
        })
        .await
}

/// Three customers of a kind.
fn three(who: Who) -> Vec<Person> {
    crowd::people(CUSTOMERS, who, 3, &SECRET.into())
}

cr_testkit::both! {
    /// Otherwise one would measure how quickly the server refuses.
    async fn a_seeded_shop_answers_as_one_that_grew(database: TestDatabase) {
        let before = indexes(&database).await;
        crowd::fill(database.url(), CUSTOMERS, |_| {}).await.unwrap();
        assert_eq!(indexes(&database).await, before, "the indexes are those that the program made");
        for table in GROWING {
            let found = database.rows(&format!("select count(*) as n from {table}")).await;
            assert!(found[0]["n"].as_i64().unwrap() >= 19, "{table}: {found:?}");
        }
        let states = database.rows("select status from account_deletion_request group by status order by status").await;
        assert_eq!(states, ["cancelled", "completed", "confirmed", "pending"].map(|status| json!({"status": status})));

        // Tokens of people are of this very day.
        let server = TestServer::start(&database, DEVELOPMENT, &[], Env::system(), CHEAP).await;
        for person in three(Who::Active) {
            let me = server.get("/store/customers/me", Some(&person.token)).await;
            assert_eq!((me.status.as_u16(), me.field("/customer/email")), (200, person.email), "{}", me.text);
        }
        for person in three(Who::Referrers) {
            let brought = server.get("/store/my-referrals", Some(&person.token)).await.json();
            assert!((1..=2).contains(&brought["children"].as_array().unwrap().len()), "{brought}");
            assert!(brought["referral_code"].is_string(), "{brought}");
        }
        for person in three(Who::WithUnprovenPhone) {
            let proven = prove(&server, &person.token, "phone_verification", &person.phone).await;
            assert_eq!(proven.status.as_u16(), 200, "{}", proven.text);
        }
        for person in three(Who::Leaving) {
            let body = json!({"email": person.email});
            asked(&server, "/store/customers/account-deletion/cancel-request", None, body, &person.email).await;
        }
        let person = &three(Who::WithUnprovenPhone)[0];
        for (contact, value) in [("email", &person.email), ("phone", &person.phone)] {
            let body = json!({contact: value, "password": crowd::PASSWORD});
            let answer = server.post("/auth/customer/emailpass", None, body).await;
            assert_eq!(answer.status.as_u16(), 200, "{contact}: {}", answer.text);
        }
        server.stop().await;
    }

    /// The ids would be the same ones again.
    async fn a_shop_that_has_customers_is_not_filled(database: TestDatabase) {
        database.sql("insert into customer (id, email, has_account) values ('cus_1', 'a@shop.test', true)").await;
        assert!(crowd::fill(database.url(), 10, |_| {}).await.is_err());
        assert_eq!(database.rows("select id from customer").await, [json!({"id": "cus_1"})]);
    }
}
