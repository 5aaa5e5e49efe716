//! What is left of somebody whose account was erased.

use cr_core::jobs::process_account_deletions;
use cr_core::options::{ContactType, EventWebhook, Rate};
use cr_core::workflows::{cancel_account_deletion, login, request_password_reset};
use cr_testkit::TestDatabase;
use cr_types::ids::CustomerId;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::deletion::{ask_to_stay, schedule};
use crate::shop::{Shop, credentials, open, open_with, reset};

const EMAIL: &str = "ann@shop.test";
const PHONE: &str = "+15551234567";
/// Where Ann logs in from.
const ADDRESS: &str = "192.0.2.1";
/// What `deletion::wish` gives as the reason.
const REASON: &str = "Too many mails";

/// A login of Ann's from her address.
fn from_home(contact: ContactType, identifier: &str) -> login::Input {
    login::Input { address: Some(ADDRESS.to_owned()), ..credentials(contact, identifier) }
}

/// Lets the time of every wish come and runs the job: how many accounts went.
async fn erase(shop: &Shop) -> u64 {
    shop.clock.advance_seconds(8 * 86_400);
    process_account_deletions::run(&shop.app, &CancellationToken::new(), |_| {}).await.unwrap().completed
}

/// What stands for a person in the rows: both contacts, their hashes, and their words.
fn traces(shop: &Shop) -> Vec<String> {
    let keys = &shop.app.shared.keys;
    vec![
        EMAIL.to_owned(),
        PHONE.to_owned(),
        keys.contact_hmac("email", EMAIL),
        keys.contact_hmac("phone", PHONE),
        REASON.to_owned(),
    ]
}

cr_testkit::both! {
    /// Every table is searched, so that a new one cannot be forgotten.
    async fn no_table_keeps_contact_hash_or_reason(database: TestDatabase) {
        let shop = open_with(database, |options| {
            let limit = vec![Rate { count: 5, seconds: 365 * 86_400 }];
            options.limits.login_failures.clone_from(&limit);
            options.limits.resets.clone_from(&limit);
            options.limits.sends_per_destination = limit;
            options.event_webhooks = vec![EventWebhook {
                url: "http://127.0.0.1:9/".to_owned(),
                secret: SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
                events: vec!["*".to_owned()],
            }];
        }).await;
        let (claims, id) = shop.member(EMAIL, Some(PHONE)).await;
        shop.verify(&claims, id.as_str(), ContactType::Phone).await.unwrap();
        for contact in [(ContactType::Email, EMAIL), (ContactType::Phone, PHONE)] {
            let wrong = login::Input { password: SecretString::from("wrong".to_owned()), ..from_home(contact.0, contact.1) };
            assert!(login::run(&shop.app, wrong).await.is_err());
            login::run(&shop.app, from_home(contact.0, contact.1)).await.unwrap();
            request_password_reset::run(&shop.app, reset(contact.0, contact.1)).await.unwrap();
        }
        schedule(&shop, &id).await;
        let (token, code) = ask_to_stay(&shop, EMAIL).await;
        cancel_account_deletion::run(&shop.app, cancel_account_deletion::Input { token, code }).await.unwrap();
        schedule(&shop, &id).await;
        let before = shop.database.dump(&[]).await;
        for trace in traces(&shop) {
            assert!(before.contains(&trace), "the test is about {trace}: {before}");
        }
        assert!(shop.count("cr_outbox where trigger_type = 'auth.password_reset' and channel = 'event'").await > 0);

        assert_eq!(erase(&shop).await, 1);
        let after = shop.database.dump(&[]).await;
        for trace in traces(&shop) {
            assert!(!after.contains(&trace), "{trace} is left: {after}");
        }
        assert_eq!(shop.count("cr_outbox where trigger_type = 'auth.password_reset'").await, 0, "sealed, it names the contact");
    }

    /// Medusa's admin deletes a customer: the row is hidden, the identity loses the customer and keeps e-mail and password.
    async fn who_was_deleted_at_medusa_first_leaves_no_credential_either(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.member(EMAIL, None).await;
        schedule(&shop, &id).await;
        hide_as_medusa_does(&shop, &id).await;
        assert_eq!(erase(&shop).await, 1);
        let after = shop.database.dump(&[]).await;
        for trace in [EMAIL.to_owned(), shop.app.shared.keys.contact_hmac("email", EMAIL)] {
            assert!(!after.contains(&trace), "{trace} is left: {after}");
        }
    }

    /// The same of somebody whose identity an administrator shares: the administrator keeps e-mail and password, and no phone.
    async fn who_was_deleted_at_medusa_first_leaves_an_administrator_no_phone(database: TestDatabase) {
        assert_no_phone_is_left(database, &format!("'{PHONE}'")).await;
    }

    /// Also where the customer's row does not have it any more.
    async fn who_was_deleted_at_medusa_first_leaves_no_phone_that_the_row_has_lost(database: TestDatabase) {
        assert_no_phone_is_left(database, "null").await;
    }

    /// Who has the number by a right of their own, as a vendor who was never a customer, goes on logging in with it.
    async fn who_was_deleted_at_medusa_first_takes_nothing_from_anybody_else(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.member(EMAIL, Some(PHONE)).await;
        schedule(&shop, &id).await;
        hide_as_medusa_does(&shop, &id).await;
        shop.database.sql(&format!(
            "insert into auth_identity (id, app_metadata) values ('authid_vendor', '{{\"vendor_id\": \"ven_1\"}}'); \
             insert into provider_identity (id, entity_id, provider, auth_identity_id) \
             values ('p_vendor', '{PHONE}', 'phonepass', 'authid_vendor')"
        )).await;
        assert_eq!(erase(&shop).await, 1);
        assert_eq!(shop.value("select auth_identity_id from provider_identity").await, "authid_vendor");
    }
}

/// Erases somebody whom Medusa's admin deleted, whose identity an administrator shares, and whose row has this phone by then.
async fn assert_no_phone_is_left(database: TestDatabase, column: &str) {
    let shop = open(database).await;
    let (claims, id) = shop.member(EMAIL, Some(PHONE)).await;
    shop.verify(&claims, id.as_str(), ContactType::Phone).await.unwrap();
    schedule(&shop, &id).await;
    hide_as_medusa_does(&shop, &id).await;
    let shared = r#"'{"customer_id": null, "user_id": "user_1"}'"#;
    shop.database.sql(&format!("update auth_identity set app_metadata = {shared}")).await;
    shop.database.sql(&format!("update customer set phone = {column}")).await;
    assert_eq!(erase(&shop).await, 1);
    assert!(!shop.database.dump(&[]).await.contains(PHONE));
    assert_eq!(shop.value("select entity_id from provider_identity").await, EMAIL);
}

/// `DELETE /admin/customers/{id}` of Medusa 2.11.2.
async fn hide_as_medusa_does(shop: &Shop, id: &CustomerId) {
    let now = shop.now();
    shop.database.sql(&format!("update customer set deleted_at = '{now}' where id = '{id}'")).await;
    shop.database.sql("update auth_identity set app_metadata = '{\"customer_id\": null}'").await;
}
