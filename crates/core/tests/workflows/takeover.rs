//! Ways into somebody else's account, or past their password, that must stay shut. Most were open once.

use cr_core::error::ErrorKind;
use cr_core::options::ContactType;
use cr_core::workflows::{complete_password_reset, login, verify_otp};
use secrecy::SecretString;
use serde_json::json;

use crate::shop::{Shop, assert_refused, credentials, customer, guess, looked_up, open, open_with};

const EMAIL: &str = "ann@shop.test";
const PHONE: &str = "+15551234567";
const NEW_PASSWORD: &str = "C0rrect-horse-battery";

/// Ann's reset by e-mail, from the link to the new password.
async fn reset(shop: &Shop) -> Result<(), cr_core::error::Error> {
    let token = shop.reset_token(ContactType::Email, EMAIL).await;
    let input = complete_password_reset::Input {
        actor_type: "customer".to_owned(),
        contact: ContactType::Email,
        identifier: EMAIL.to_owned(),
        token,
        password: SecretString::from(NEW_PASSWORD.to_owned()),
    };
    complete_password_reset::run(&shop.app, input).await
}

/// A login input with the password of after the reset.
fn with_new_password(contact: ContactType, identifier: &str) -> login::Input {
    login::Input { password: SecretString::from(NEW_PASSWORD.to_owned()), ..credentials(contact, identifier) }
}

cr_testkit::both! {
    /// Whoever holds a number that stands in an old account, a typo or a recycled one, must not get in by it.
    async fn an_anonymous_code_proves_no_phone_of_an_account_older_than_verification(database: TestDatabase) {
        let since = Some("2027-01-01T00:00:00Z".parse().unwrap());
        let shop = open_with(database, |options| options.verification_since = since).await;
        let (_, id) = shop.account(EMAIL, Some(PHONE)).await;
        let (token, code) = shop.code_as(None, &id, ContactType::Phone).await;
        let result = verify_otp::run(&shop.app, guess(&token, &code, None)).await;
        assert_refused(result, ErrorKind::NotAllowed, "Log in to verify this contact");
        assert_eq!(shop.count("provider_identity").await, 1);
    }

    /// An identity from another actor's door, with a phone alone, must not squat somebody's e-mail.
    async fn a_customer_needs_the_contact_that_registrations_take(database: TestDatabase) {
        let shop = open(database).await;
        let claims = shop.register(ContactType::Phone, PHONE).await;
        let input = customer(&claims, Some(EMAIL), Some(PHONE));
        let result = cr_core::workflows::create_customer::run(&shop.app, input).await;
        assert_refused(result, ErrorKind::InvalidData, "Register with the email first");
        shop.account(EMAIL, None).await;
    }

    /// A customer who also logs in with a social provider can still reset the password.
    async fn a_reset_leaves_the_credentials_of_other_providers_alone(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, _) = shop.account(EMAIL, None).await;
        let identity = &claims.auth_identity_id;
        shop.database.sql(&format!("insert into provider_identity (id, entity_id, provider, auth_identity_id) \
                                    values ('p_google', 'google-1', 'google', '{identity}')")).await;
        reset(&shop).await.unwrap();
        login::run(&shop.app, with_new_password(ContactType::Email, EMAIL)).await.unwrap();
        let google = "select provider_metadata from provider_identity where id = 'p_google'";
        assert_eq!(shop.value(google).await, json!(null));
    }

    /// A text message must not become a second way into an administrator's account.
    async fn a_phone_never_lands_on_an_identity_that_an_administrator_shares(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account(EMAIL, Some(PHONE)).await;
        let identity = &claims.auth_identity_id;
        shop.database.sql(&format!("update auth_identity set app_metadata = '{{\"customer_id\":\"{id}\",\"user_id\":\"user_1\"}}' \
                                    where id = '{identity}'")).await;
        shop.verify(&claims, &id, ContactType::Phone).await.unwrap();
        let sql = "select auth_identity_id from provider_identity where provider = 'phonepass'";
        assert_ne!(shop.value(sql).await, json!(identity));
        let as_admin = login::Input { actor_type: "user".to_owned(), ..credentials(ContactType::Phone, PHONE) };
        let token = login::run(&shop.app, as_admin).await.unwrap().token;
        assert_eq!(shop.read(&token).actor_id, "");
        let token = login::run(&shop.app, credentials(ContactType::Phone, PHONE)).await.unwrap().token;
        assert_eq!(shop.read(&token).actor_id, id);
    }

    /// Medusa stores an e-mail as it was typed; two spellings are one mailbox.
    async fn two_spellings_of_an_email_are_proven_once(database: TestDatabase) {
        let shop = open(database).await;
        let (ann, ann_id) = shop.account(EMAIL, None).await;
        let (bob, bob_id) = shop.account("bob@shop.test", None).await;
        shop.database.sql(&format!("update customer set email = 'Ann@Shop.test' where id = '{bob_id}'")).await;
        shop.verify(&bob, &bob_id, ContactType::Email).await.unwrap();
        let result = shop.verify(&ann, &ann_id, ContactType::Email).await;
        assert!(result.is_err(), "both proved one mailbox");
        assert_eq!(shop.count("customer where email_verified").await, 1);
    }

    /// A phone that is proven while the password is reset comes into being under the new password, or is changed with it.
    async fn a_reset_and_a_proof_at_once_leave_one_password(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account(EMAIL, Some(PHONE)).await;
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        for _ in 0..5 {
            shop.database.sql("delete from provider_identity where provider = 'phonepass'").await;
            shop.database.sql("delete from cr_proof where channel = 'phone'").await;
            shop.database.sql("update customer set phone_verified = false").await;
            shop.database.sql("update auth_identity set app_metadata = '{\"customer_id\":\"ID\"}'".replace("ID", &id).as_str()).await;
            let (token, code) = shop.code(&claims, &id, ContactType::Phone).await;
            let (proof, reset) =
                tokio::join!(verify_otp::run(&shop.app, guess(&token, &code, Some(&claims))), reset(&shop));
            reset.unwrap();
            drop(proof);
            let hashes = "select count(distinct provider_metadata ->> 'password') as n from provider_identity";
            assert_eq!(shop.value(hashes).await, json!(1));
        }
    }

    /// A token names its customer and an identity that has become another's since: what it asks for is the other's own, and the first
    /// one's as anybody's.
    async fn a_token_of_anothers_identity_asks_as_anybody(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, ann) = shop.member(EMAIL, Some(PHONE)).await;
        let (_, mallory) = shop.member("mallory@shop.test", Some("+15557654321")).await;
        let metadata = json!({"customer_id": mallory}).to_string();
        let identity = &claims.auth_identity_id;
        shop.database.sql(&format!("update auth_identity set app_metadata = '{metadata}' where id = '{identity}'")).await;
        for is_looked_up in [false, true] {
            for (id, origin) in [(&ann, "anonymous"), (&mallory, "bearer")] {
                let session = if is_looked_up { looked_up(&shop.app, Some(&claims)).await } else { None };
                assert_eq!(session.is_some(), is_looked_up);
                shop.code_with(Some(&claims), session, id.as_str(), ContactType::Phone).await;
                let of = format!("select origin from otp_verification where customer_id = '{id}' and verified_at is null");
                assert_eq!(shop.value(&of).await, json!(origin));
            }
        }
    }
}
