//! Accounts with a second factor that a newer Medusa keeps: a password alone opens nothing here either.

use cr_core::error::ErrorKind;
use cr_core::modules::auth::token::AuthClaims;
use cr_core::options::ContactType;
use cr_core::workflows::{complete_password_reset, login, refresh_token};
use cr_testkit::TestDatabase;
use secrecy::SecretString;
use serde_json::json;

use crate::shop::{Shop, assert_refused, credentials, open};

/// Medusa 2.21.2's table, as far as it is read.
const TABLE: &str = "create table auth_mfa_factor (id text primary key, auth_identity_id text not null, \
                     status text not null, deleted_at text)";
const EMAIL: &str = "ann@shop.test";

/// A shop whose Ann has logged in and then got a factor of this status: her claims.
async fn shop_with_factor(database: TestDatabase, status: &str) -> (Shop, AuthClaims) {
    database.sql(TABLE).await;
    let shop = open(database).await;
    let (claims, id) = shop.account(EMAIL, None).await;
    shop.verify(&claims, &id, ContactType::Email).await.unwrap();
    let output = login::run(&shop.app, credentials(ContactType::Email, EMAIL)).await.unwrap();
    let claims = shop.read(&output.token);
    let identity = &claims.auth_identity_id;
    shop.database
        .sql(&format!(
            "insert into auth_mfa_factor (id, auth_identity_id, status) values ('f', '{identity}', '{status}')"
        ))
        .await;
    (shop, claims)
}

cr_testkit::both! {
    async fn a_password_does_not_go_around_an_enabled_factor(database: TestDatabase) {
        let (shop, claims) = shop_with_factor(database, "enabled").await;
        let refused = login::run(&shop.app, credentials(ContactType::Email, EMAIL)).await;
        assert_eq!(refused.as_ref().err().and_then(|error| error.code), Some("mfa_required"));
        assert_refused(refused, ErrorKind::Forbidden, "Multi-factor authentication is required");
        let refused = refresh_token::run(&shop.app, &claims).await;
        assert_refused(refused, ErrorKind::Unauthenticated, "Unauthorized");
    }

    /// Whoever reads the mailbox may set a password, and has still not shown the factor.
    async fn a_reset_does_not_go_around_an_enabled_factor(database: TestDatabase) {
        let (shop, claims) = shop_with_factor(database, "enabled").await;
        let password = SecretString::from("C0rrect-horse-battery".to_owned());
        let input = complete_password_reset::Input {
            actor_type: "customer".to_owned(),
            contact: ContactType::Email,
            identifier: EMAIL.to_owned(),
            token: shop.reset_token(ContactType::Email, EMAIL).await,
            password: password.clone(),
        };
        complete_password_reset::run(&shop.app, input).await.unwrap();
        let refused = login::run(&shop.app, login::Input { password, ..credentials(ContactType::Email, EMAIL) }).await;
        assert_refused(refused, ErrorKind::Forbidden, "Multi-factor authentication is required");
        assert!(!shop.counts(&claims).await, "sessions of before are over");
    }

    async fn a_token_that_has_shown_its_factor_is_refreshed_with_it(database: TestDatabase) {
        let (shop, claims) = shop_with_factor(database, "enabled").await;
        let shown = json!("2026-01-02T03:04:05.678Z");
        let claims = AuthClaims { mfa_enabled: true, mfa_challenge_completed_at: Some(shown.clone()), ..claims };
        let refreshed = shop.read(&refresh_token::run(&shop.app, &claims).await.unwrap().token);
        assert_eq!((refreshed.mfa_enabled, refreshed.mfa_challenge_completed_at), (true, Some(shown)));
        let outstanding = AuthClaims { mfa_challenge_completed_at: None, ..claims };
        assert_refused(refresh_token::run(&shop.app, &outstanding).await, ErrorKind::Unauthenticated, "Unauthorized");
    }

    async fn a_factor_that_is_not_enabled_yet_asks_nothing(database: TestDatabase) {
        let (shop, claims) = shop_with_factor(database, "pending").await;
        login::run(&shop.app, credentials(ContactType::Email, EMAIL)).await.unwrap();
        refresh_token::run(&shop.app, &claims).await.unwrap();
    }
}
