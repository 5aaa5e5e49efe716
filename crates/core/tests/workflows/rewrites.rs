//! What is put right on the way, by a login or a look: old hashes, phones in an import's form, flags of another contact.

use cr_core::options::ContactType;
use cr_core::password::{Algorithm, HashParams, HashPool};
use cr_core::workflows::{login, retrieve_customer};
use cr_db::models::customer;
use cr_types::ids::CustomerId;
use secrecy::SecretString;
use serde_json::json;

use crate::shop::{PASSWORD, Shop, credentials, open};

const EMAIL: &str = "ann@shop.test";
const PHONE: &str = "+15551234567";
/// As a shop's import wrote it.
const RAW_PHONE: &str = "+1 555 123 4567";

/// The stored hash of the e-mail credential.
async fn stored_hash(shop: &Shop) -> String {
    let sql = "select provider_metadata ->> 'password' as hash from provider_identity where provider = 'emailpass'";
    shop.value(sql).await.as_str().unwrap().to_owned()
}

cr_testkit::both! {
    /// A shop that raises its hash parameters gets there one login at a time.
    async fn a_hash_of_other_parameters_is_rewritten_at_the_next_good_login(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account(EMAIL, None).await;
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        let usual = stored_hash(&shop).await;
        let pool = HashPool::new(1, Algorithm::Scrypt(HashParams { log_n: 12, r: 8, p: 1 }));
        let other = pool.hash("", SecretString::from(PASSWORD.to_owned()), [7; 32]).await.unwrap();
        shop.database.sql(&format!("update provider_identity set provider_metadata = '{{\"password\":\"{other}\",\"kept\":1}}'")).await;
        let wrong = login::Input { password: SecretString::from("wrong".to_owned()), ..credentials(ContactType::Email, EMAIL) };
        assert!(login::run(&shop.app, wrong).await.is_err());
        assert_eq!(stored_hash(&shop).await, other);
        login::run(&shop.app, credentials(ContactType::Email, EMAIL)).await.unwrap();
        let rewritten = stored_hash(&shop).await;
        assert_eq!(rewritten.get(..20), usual.get(..20), "not of the usual parameters");
        assert_eq!(shop.value("select provider_metadata ->> 'kept' as kept from provider_identity").await.to_string().trim_matches('"'), "1");
        login::run(&shop.app, credentials(ContactType::Email, EMAIL)).await.unwrap();
    }

    /// A phone that an import stored with blanks logs in as it was typed there, and from then on in every form.
    async fn a_phone_of_an_import_is_stored_as_e164_unless_that_is_taken(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account(EMAIL, Some(PHONE)).await;
        shop.verify(&claims, &id, ContactType::Phone).await.unwrap();
        let phone = "select entity_id from provider_identity where provider = 'phonepass' order by entity_id";
        shop.database.sql(&format!("update provider_identity set entity_id = '{RAW_PHONE}' where provider = 'phonepass'")).await;
        login::run(&shop.app, credentials(ContactType::Phone, RAW_PHONE)).await.unwrap();
        assert_eq!(shop.value(phone).await, json!(PHONE));

        shop.database.sql(&format!("update provider_identity set entity_id = '{RAW_PHONE}' where provider = 'phonepass'")).await;
        shop.database.sql(&format!(
            "insert into provider_identity (id, entity_id, provider, auth_identity_id) \
             values ('taken', '{PHONE}', 'phonepass', '{}')", claims.auth_identity_id
        )).await;
        login::run(&shop.app, credentials(ContactType::Phone, RAW_PHONE)).await.unwrap();
        assert_eq!(shop.database.rows(phone).await, [json!({"entity_id": RAW_PHONE}), json!({"entity_id": PHONE})]);
    }

    /// Medusa's admin writes contacts past us: what nobody proved must not stay verified.
    async fn a_flag_of_another_contact_reads_false_and_is_written_so(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account(EMAIL, None).await;
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        shop.database.sql("update customer set email = 'other@shop.test'").await;
        let mut tx = shop.app.db.read().await.unwrap();
        let seen = customer::find(&mut tx, &CustomerId::from_stored(id)).await.unwrap().unwrap();
        let body = retrieve_customer::run(&shop.app, &seen, &[]).await.unwrap().body();
        assert_eq!(body["email_verified"], json!(false));
        assert_eq!(shop.count("customer where email_verified").await, 0);
    }
}
