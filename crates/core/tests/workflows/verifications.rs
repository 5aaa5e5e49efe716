//! Medusa's own verification beside ours: a newer Medusa keeps what it has verified, and both sides go by both.

use cr_core::error::ErrorKind;
use cr_core::options::ContactType;
use cr_core::workflows::{
    adopt_verification, complete_password_reset, create_customer, login, refresh_token, retrieve_customer,
};
use cr_db::models::customer::{self, Customer};
use cr_testkit::{START, TestDatabase, newer_medusa};
use cr_types::ids::CustomerId;
use secrecy::SecretString;
use serde_json::json;

use crate::shop::customer as new_customer;
use crate::shop::{PASSWORD, Shop, assert_refused, credentials, open};
use crate::steps::unwinds;

const EMAIL: &str = "ann@shop.test";
const PHONE: &str = "+15551234567";

/// A shop beside a Medusa that verifies contacts itself.
async fn beside_a_newer_medusa(database: TestDatabase) -> Shop {
    database.sql(&newer_medusa::auth_verification(&database)).await;
    open(database).await
}

/// Medusa's verification of a value for the identity of a credential.
async fn verified_there(shop: &Shop, credential: &str, kind: &str, value: &str) {
    shop.database
        .sql(&format!(
            "insert into auth_verification (id, auth_identity_id, entity_id, entity_type, code_provider, verified_at, \
             requested_at, created_at, updated_at) select 'authver_{kind}', auth_identity_id, '{value}', '{kind}', 'token', \
             '{START}', '{START}', '{START}', '{START}' from provider_identity where entity_id = '{credential}'"
        ))
        .await;
}

/// What Medusa holds for verified: kinds and values.
async fn known_there(shop: &Shop) -> Vec<(String, String)> {
    let sql = "select entity_type, entity_id from auth_verification where verified_at is not null \
               order by entity_type, entity_id";
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = shop.database.rows(sql).await;
    rows.iter().map(|row| (text(row, "entity_type"), text(row, "entity_id"))).collect()
}

/// Pairs of words.
fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(kind, value)| ((*kind).to_owned(), (*value).to_owned())).collect()
}

/// A customer's row.
async fn row(shop: &Shop, id: &str) -> Customer {
    let mut tx = shop.app.db.read().await.unwrap();
    customer::find(&mut tx, &CustomerId::from_stored(id)).await.unwrap().unwrap()
}

cr_testkit::both! {
    /// A shop that asks Medusa for its verification would ask its customers twice.
    async fn a_code_that_came_back_here_counts_at_medusa(database: TestDatabase) {
        let shop = beside_a_newer_medusa(database).await;
        let (claims, id) = shop.account(EMAIL, Some(PHONE)).await;
        assert_eq!(known_there(&shop).await, []);
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        assert_eq!(known_there(&shop).await, pairs(&[("email", EMAIL)]));
        shop.verify(&claims, &id, ContactType::Phone).await.unwrap();
        assert_eq!(known_there(&shop).await, pairs(&[("email", EMAIL), ("phone", PHONE), ("phone_number", PHONE)]));
    }

    async fn what_medusa_verified_logs_in_here(database: TestDatabase) {
        let shop = beside_a_newer_medusa(database).await;
        let (claims, id) = shop.account(EMAIL, Some(PHONE)).await;
        let login = || login::run(&shop.app, credentials(ContactType::Email, EMAIL));
        assert_refused(login().await, ErrorKind::Unauthorized, "Email is not verified");
        for (kind, value) in [("loyalty_card", EMAIL), ("phone_number", EMAIL), ("email", "other@shop.test")] {
            verified_there(&shop, EMAIL, kind, value).await;
            assert_refused(login().await, ErrorKind::Unauthorized, "Email is not verified");
        }
        shop.database.sql("delete from auth_verification").await;
        verified_there(&shop, EMAIL, "email", "Ann@Shop.test").await;
        // The token of the refusal becomes a login, too.
        let refreshed = refresh_token::run(&shop.app, &claims).await.unwrap();
        assert_eq!(shop.read(&refreshed.token).actor_id, id);
        login().await.unwrap();
        let customer = row(&shop, &id).await;
        assert!(customer.is_email_verified() && !customer.is_phone_verified());
        assert_eq!(shop.count("cr_proof").await, 1);
    }

    async fn a_flag_is_true_when_the_customer_is_read(database: TestDatabase) {
        let shop = beside_a_newer_medusa(database).await;
        let (_, id) = shop.account(EMAIL, Some(PHONE)).await;
        verified_there(&shop, EMAIL, "phone_number", PHONE).await;
        let body = retrieve_customer::run(&shop.app, &row(&shop, &id).await, &[]).await.unwrap().body();
        assert_eq!((&body["email_verified"], &body["phone_verified"]), (&json!(false), &json!(true)));
        // The phone is a way in from now on, as if its code had come back here.
        login::run(&shop.app, credentials(ContactType::Phone, PHONE)).await.unwrap();
    }

    async fn a_verification_is_taken_over_whole_or_not_at_all(database: TestDatabase) {
        let shop = beside_a_newer_medusa(database).await;
        let (_, id) = shop.account(EMAIL, None).await;
        verified_there(&shop, EMAIL, "email", EMAIL).await;
        let seen = row(&shop, &id).await;
        let steps = ["verify-email", "sync-phonepass-entity-id", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| { let seen = seen.clone(); async move { adopt_verification::run(&app, &seen).await } }).await;
        assert!(first.unwrap().is_email_verified());
        assert!(second.unwrap().unwrap().is_email_verified(), "seen before, and proven since");
        assert!(adopt_verification::run(&shop.app, &row(&shop, &id).await).await.unwrap().is_none());
    }

    /// Whoever verified an e-mail at Medusa must not lose it to a code here.
    async fn medusas_verification_holds_against_somebody_elses_proof(database: TestDatabase) {
        let shop = beside_a_newer_medusa(database).await;
        let (_, ann) = shop.account(EMAIL, Some(PHONE)).await;
        let (claims, bea) = shop.account("bea@shop.test", Some(PHONE)).await;
        verified_there(&shop, EMAIL, "phone_number", PHONE).await;
        retrieve_customer::run(&shop.app, &row(&shop, &ann).await, &[]).await.unwrap();
        // As it is between Medusa's verification and Ann's next visit.
        shop.database.sql("delete from cr_proof").await;
        let taken = shop.verify(&claims, &bea, ContactType::Phone).await.map(|_| ());
        assert_refused(taken, ErrorKind::Duplicate, "Customer with this phone already has an account");
        let claims = shop.register(ContactType::Email, "cleo@shop.test").await;
        let taken = create_customer::run(&shop.app, new_customer(&claims, Some("cleo@shop.test"), Some(PHONE))).await;
        assert_refused(taken.map(|_| ()), ErrorKind::Duplicate, "Customer with this phone already has an account");
    }

    async fn the_first_proof_wins_over_a_later_verification_there(database: TestDatabase) {
        let shop = beside_a_newer_medusa(database).await;
        let (_, ann) = shop.account(EMAIL, Some(PHONE)).await;
        let (claims, bea) = shop.account("bea@shop.test", Some(PHONE)).await;
        shop.verify(&claims, &bea, ContactType::Phone).await.unwrap();
        verified_there(&shop, EMAIL, "phone_number", PHONE).await;
        assert!(adopt_verification::run(&shop.app, &row(&shop, &ann).await).await.unwrap().is_none());
        assert!(!row(&shop, &ann).await.is_phone_verified() && row(&shop, &bea).await.is_phone_verified());
    }

    /// A reset clears an unproven account's other channel; one that Medusa has verified is proven.
    async fn a_reset_leaves_the_phone_of_an_account_that_medusa_verified(database: TestDatabase) {
        let shop = beside_a_newer_medusa(database).await;
        let (_, id) = shop.account(EMAIL, Some(PHONE)).await;
        verified_there(&shop, EMAIL, "email", EMAIL).await;
        let input = complete_password_reset::Input {
            actor_type: "customer".to_owned(),
            contact: ContactType::Email,
            identifier: EMAIL.to_owned(),
            token: shop.reset_token(ContactType::Email, EMAIL).await,
            password: SecretString::from(format!("{PASSWORD}2")),
        };
        complete_password_reset::run(&shop.app, input).await.unwrap();
        let customer = row(&shop, &id).await;
        assert!(customer.is_email_verified());
        assert_eq!(customer.phone.as_deref(), Some(PHONE));
    }

    /// A verification of a contact that went to somebody else would bring it back.
    async fn a_contact_that_was_lost_is_not_verified_there_any_more(database: TestDatabase) {
        let shop = beside_a_newer_medusa(database).await;
        let (_, ann) = shop.account(EMAIL, Some(PHONE)).await;
        let (claims, bea) = shop.account("bea@shop.test", Some(PHONE)).await;
        shop.verify(&claims, &bea, ContactType::Phone).await.unwrap();
        assert_eq!(row(&shop, &ann).await.phone.as_deref(), Some(PHONE), "a column alone is no holding");
        assert_eq!(known_there(&shop).await, pairs(&[("phone", PHONE), ("phone_number", PHONE)]));
        // Bea's phone goes when her e-mail's owner resets the password.
        let token = shop.reset_token(ContactType::Email, "bea@shop.test").await;
        let input = complete_password_reset::Input {
            actor_type: "customer".to_owned(),
            contact: ContactType::Email,
            identifier: "bea@shop.test".to_owned(),
            token,
            password: SecretString::from(format!("{PASSWORD}2")),
        };
        complete_password_reset::run(&shop.app, input).await.unwrap();
        assert_eq!(known_there(&shop).await, pairs(&[("email", "bea@shop.test")]));
    }
}
