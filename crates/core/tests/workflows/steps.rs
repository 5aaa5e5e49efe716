//! Each workflow with each of its steps failing: nothing of it may remain. Then twice: what the second run does.

use cr_core::app::App;
use cr_core::error::{Error, ErrorKind};
use cr_core::modules::auth::session;
use cr_core::options::{ContactType, Rate};
use cr_core::workflows::create_api_key::ApiKeyType;
use cr_core::workflows::{
    complete_password_reset, create_api_key, create_customer, create_user, login, refresh_token, register,
    request_password_reset, send_otp, update_customer, verify_otp,
};
use cr_testkit::StepFaults;
use cr_types::ids::CustomerId;
use secrecy::SecretString;

use crate::shop::{
    PASSWORD, Shop, assert_refused, credentials, customer, guess, looked_up, open, open_with, registration, reset,
};

/// Fails each step in turn and compares all rows with those before; then runs through, and once more with the same input.
/// Both results come back. `steps` are those that the good run reaches, so that a new one is noticed here.
pub(crate) async fn unwinds<T, R>(shop: &Shop, steps: &[&str], run: impl Fn(App) -> R) -> (T, Result<T, Error>)
where
    R: Future<Output = Result<T, Error>>,
{
    let before = shop.dump().await;
    let mut number = 0;
    let first = loop {
        shop.faults.begin(Some(number));
        let result = run(shop.app.clone()).await;
        let reached = shop.faults.reached();
        if reached.len() <= number {
            assert_eq!(reached, steps);
            break result.unwrap();
        }
        let Err(error) = result else { panic!("{} failed and the workflow did not", reached[number]) };
        assert_eq!(StepFaults::injected(&error).as_deref(), Some(reached[number]), "{error:?}");
        assert_eq!(error.kind, ErrorKind::Internal);
        assert_eq!(shop.dump().await, before, "{} failed and left something", reached[number]);
        number += 1;
    };
    shop.faults.begin(None);
    (first, run(shop.app.clone()).await)
}

cr_testkit::both! {
    async fn a_second_registration_puts_the_first_out(database: TestDatabase) {
        let shop = open(database).await;
        let input = || registration(ContactType::Email, "ann@shop.test");
        let steps = ["release-unclaimed-identity", "create-auth-identity", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| async move { register::run(&app, input()).await }).await;
        let (first, second) = (shop.read(&first.token), shop.read(&second.unwrap().token));
        let mut tx = shop.app.db.read().await.unwrap();
        assert_eq!(session::live_identity(&mut tx, &first).await.unwrap_err().kind, ErrorKind::Unauthenticated);
        session::live_identity(&mut tx, &second).await.unwrap();
        assert_eq!((shop.count("auth_identity").await, shop.count("provider_identity").await), (1, 1));
        drop(tx);
        shop.create(&second, Some("ann@shop.test"), None).await;
        let third = register::run(&shop.app, input()).await;
        assert_refused(third, ErrorKind::Unauthorized, "Identity with email already exists");
    }

    async fn a_registration_makes_its_customer_once(database: TestDatabase) {
        let shop = open_with(database, |options| {
            options.email_verification.as_mut().unwrap().auto_send_on_registration = true;
        }).await;
        let claims = shop.register(ContactType::Email, "ann@shop.test").await;
        let steps = ["validate-customer-account-creation", "create-customers", "set-auth-app-metadata", "generate-otp",
                     "send-notification", "commit"];
        let input = || customer(&claims, Some("ann@shop.test"), Some("+15551234567"));
        let (first, second) = unwinds(&shop, &steps, |app| async move { create_customer::run(&app, input()).await }).await;
        assert_eq!(first.verifications.unwrap().len(), 1);
        assert_refused(second, ErrorKind::Duplicate, "Customer with this email already has an account");
        assert_eq!((shop.count("customer").await, shop.count("cr_outbox").await), (1, 1));
    }

    async fn an_unverified_registration_logs_in_by_both_contacts_or_not_at_all(database: TestDatabase) {
        let shop = open_with(database, |options| options.require_verification = false).await;
        let claims = shop.register(ContactType::Email, "ann@shop.test").await;
        let steps = ["validate-customer-account-creation", "create-customers", "set-auth-app-metadata",
                     "sync-phonepass-entity-id", "sync-phonepass-entity-id", "commit"];
        let input = || customer(&claims, Some("ann@shop.test"), Some("+15551234567"));
        let (_, second) = unwinds(&shop, &steps, |app| async move { create_customer::run(&app, input()).await }).await;
        assert_refused(second, ErrorKind::Duplicate, "Customer with this email already has an account");
        for (contact, identifier) in [(ContactType::Email, "ann@shop.test"), (ContactType::Phone, "+15551234567")] {
            login::run(&shop.app, credentials(contact, identifier)).await.unwrap();
        }
    }

    async fn a_code_asked_for_again_within_the_throttle_is_the_same(database: TestDatabase) {
        let shop = open_with(database, |options| {
            options.email_verification.as_mut().unwrap().resend_throttle_seconds = 60;
            options.phone_verification.as_mut().unwrap().resend_throttle_seconds = 60;
        })
        .await;
        let (registered, id) = shop.account("ann@shop.test", None).await;
        let (login, member) = shop.member("bob@shop.test", Some("+15551234567")).await;
        let session = looked_up(&shop.app, Some(&login)).await;
        assert!(session.is_some());
        let by_phone = send_otp::Named::Contact(ContactType::Phone, "+15551234567".to_owned());
        for (contact, named, claims, session) in [
            (ContactType::Email, send_otp::Named::Customer(id), registered, None),
            (ContactType::Phone, send_otp::Named::Customer(member.as_str().to_owned()), login.clone(), session.clone()),
            (ContactType::Phone, by_phone.clone(), login.clone(), session),
            (ContactType::Phone, by_phone, login, None),
        ] {
            let input = || send_otp::Input {
                contact,
                named: named.clone(),
                claims: Some(claims.clone()),
                session: session.clone(),
                address: None,
            };
            let before = (shop.count("otp_verification").await, shop.count("cr_outbox").await);
            let steps = ["retrieve-customer", "generate-otp", "send-notification", "commit"];
            let (first, second) = unwinds(&shop, &steps, |app| async move { send_otp::run(&app, input()).await }).await;
            assert_eq!(first.token, second.unwrap().token);
            // The customer's one live code of a contact, however it is asked for.
            let replaced = i64::from(matches!(named, send_otp::Named::Contact(..)));
            let after = (shop.count("otp_verification").await, shop.count("cr_outbox").await);
            assert_eq!(after, (before.0 + 1 - replaced, before.1 + 1));
            shop.clock.advance_seconds(60);
            let third = send_otp::run(&shop.app, input()).await.unwrap();
            assert_ne!(first.token, third.token);
            shop.clock.advance_seconds(60);
        }
    }

    /// A known and an unknown e-mail must do the same, or an answer's time tells them apart.
    async fn an_anonymous_code_asked_for_again_within_the_throttle_has_to_wait(database: TestDatabase) {
        let shop = open_with(database, |options| options.email_verification.as_mut().unwrap().resend_throttle_seconds = 60).await;
        shop.account("ann@shop.test", None).await;
        for email in ["ann@shop.test", "nobody@shop.test"] {
            let input = || send_otp::Input {
                contact: ContactType::Email,
                named: send_otp::Named::Contact(ContactType::Email, email.to_owned()),
                claims: None,
                session: None,
                address: None,
            };
            let steps = ["retrieve-customer", "generate-otp", "send-notification", "commit"];
            let (_, second) = unwinds(&shop, &steps, |app| async move { send_otp::run(&app, input()).await }).await;
            assert_refused(second, ErrorKind::TooManyRequests, "Please wait 60 seconds before requesting another code");
        }
    }

    async fn a_code_proves_its_contact_once(database: TestDatabase) {
        let shop = open(database).await;
        for (contact, step) in [(ContactType::Email, "verify-email"), (ContactType::Phone, "verify-phone")] {
            let name = contact.as_str();
            let email = format!("{name}@shop.test");
            let (claims, id) = shop.account(&email, Some("+15551234567")).await;
            let (token, code) = shop.code(&claims, &id, contact).await;
            let input = || guess(&token, &code, Some(&claims));
            let steps = ["verify-otp", step, "sync-phonepass-entity-id", "commit"];
            let (first, second) = unwinds(&shop, &steps, |app| async move { verify_otp::run(&app, input()).await }).await;
            assert_eq!(first.customer[&format!("{name}_verified")], true);
            assert_eq!(shop.read(&first.login.unwrap()).actor_id, id);
            assert_refused(second, ErrorKind::InvalidData, "OTP is no longer valid");
        }
    }

    async fn of_two_resets_the_newer_link_counts(database: TestDatabase) {
        let shop = open(database).await;
        shop.account("ann@shop.test", None).await;
        let old = shop.reset_token(ContactType::Email, "ann@shop.test").await;
        let steps = ["find-customer-by-email", "generate-reset-password-token", "send-notification", "commit"];
        for email in ["ann@shop.test", "nobody@shop.test"] {
            let input = || reset(ContactType::Email, email);
            let ((), second) = unwinds(&shop, &steps, |app| async move { request_password_reset::run(&app, input()).await }).await;
            second.unwrap();
        }
        assert_refused(complete_password_reset::run(&shop.app, new_password(&old)).await, ErrorKind::Unauthorized, "Invalid token");
        let new = shop.reset_token(ContactType::Email, "ann@shop.test").await;
        complete_password_reset::run(&shop.app, new_password(&new)).await.unwrap();
    }

    async fn a_reset_token_sets_one_password(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account("ann@shop.test", Some("+15551234567")).await;
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        shop.verify(&claims, &id, ContactType::Phone).await.unwrap();
        let token = shop.reset_token(ContactType::Email, "ann@shop.test").await;
        let steps = ["find-customer-by-email", "update-password", "send-notification", "commit"];
        let input = || new_password(&token);
        let ((), second) = unwinds(&shop, &steps, |app| async move { complete_password_reset::run(&app, input()).await }).await;
        assert_refused(second, ErrorKind::Unauthorized, "Invalid token");
        for (contact, identifier) in [(ContactType::Email, "ann@shop.test"), (ContactType::Phone, "+15551234567")] {
            let old = login::run(&shop.app, credentials(contact, identifier)).await;
            assert_eq!(old.err().map(|error| error.kind), Some(ErrorKind::Unauthorized));
            let new = login::Input { password: SecretString::from(NEW_PASSWORD.to_owned()), ..credentials(contact, identifier) };
            login::run(&shop.app, new).await.unwrap();
        }
    }

    /// A reset of an unproven contact proves it: more steps, that must unwind as well.
    async fn a_reset_that_proves_unwinds_too(database: TestDatabase) {
        let shop = open(database).await;
        shop.account("ann@shop.test", Some("+15551234567")).await;
        let token = shop.reset_token(ContactType::Email, "ann@shop.test").await;
        let steps = ["find-customer-by-email", "update-password", "sync-phonepass-entity-id", "send-notification", "commit"];
        let input = || new_password(&token);
        let ((), second) = unwinds(&shop, &steps, |app| async move { complete_password_reset::run(&app, input()).await }).await;
        assert_refused(second, ErrorKind::Unauthorized, "Invalid token");
    }

    async fn a_profile_changed_twice_alike_changes_once(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.account("ann@shop.test", None).await;
        shop.clock.advance_seconds(5);
        let id = CustomerId::from_stored(id);
        let id = &id;
        let input = || update_customer::Input { last_name: Some(Some("Lee".to_owned())), ..Default::default() };
        let (first, second) = unwinds(&shop, &["update-customers", "commit"], |app| async move { update_customer::run(&app, id, input()).await }).await;
        let changed = shop.dump().await;
        assert_eq!((first["last_name"].as_str(), &first), (Some("Lee"), &second.unwrap()));
        shop.clock.advance_seconds(5);
        assert_eq!(update_customer::run(&shop.app, id, input()).await.unwrap(), first);
        assert_eq!(shop.dump().await, changed);
    }

    /// Login has no step that could fail half-way: what it writes are counters.
    async fn a_login_writes_nothing_but_counters(database: TestDatabase) {
        let shop = open_with(database, |options| options.limits.login_failures = vec![Rate { count: 10, seconds: 86_400 }]).await;
        let (claims, id) = shop.account("ann@shop.test", None).await;
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        let before = shop.dump().await;
        let wrong = login::Input { password: SecretString::from("wrong".to_owned()), ..credentials(ContactType::Email, "ann@shop.test") };
        assert_refused(login::run(&shop.app, wrong).await, ErrorKind::Unauthorized, "Invalid email or password");
        assert_eq!(shop.count("cr_limit").await, 1);
        let input = || login::Input { address: Some("192.0.2.1".to_owned()), ..credentials(ContactType::Email, "ann@shop.test") };
        let (first, second) = unwinds(&shop, &[], |app| async move { login::run(&app, input()).await }).await;
        assert_eq!(first.token, second.unwrap().token);
        assert_eq!(shop.dump().await, before);
        assert_eq!(shop.count("cr_limit where key like 'loginFailures%'").await, 0);
    }

    async fn a_refresh_writes_nothing(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account("ann@shop.test", None).await;
        let refused = refresh_token::run(&shop.app, &claims).await;
        assert_refused(refused, ErrorKind::Unauthorized, "Email is not verified");
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        let before = shop.database.dump(&[]).await;
        let claims = &claims;
        let (first, second) = unwinds(&shop, &[], |app| async move { refresh_token::run(&app, claims).await }).await;
        assert_eq!(first.token, second.unwrap().token);
        assert_eq!(shop.read(&first.token).actor_id, id);
        assert_eq!(shop.database.dump(&[]).await, before);
    }

    async fn an_administrator_is_made_once(database: TestDatabase) {
        let shop = open(database).await;
        let (id, second) = unwinds(&shop, &["commit"], |app| async move {
            create_user::run(&app, "admin@shop.test", SecretString::from(PASSWORD.to_owned())).await
        }).await;
        assert_refused(second, ErrorKind::Duplicate, "User with email: admin@shop.test already exists");
        let output = login::run(&shop.app, login::Input { actor_type: "user".to_owned(), ..credentials(ContactType::Email, "admin@shop.test") }).await;
        assert_eq!(shop.read(&output.unwrap().token).actor_id, id);
    }

    /// Who may read every customer must not be guessed first.
    async fn an_administrators_password_keeps_the_policy(database: TestDatabase) {
        let shop = open(database).await;
        for password in ["x", "password1"] {
            let made = create_user::run(&shop.app, "admin@shop.test", SecretString::from(password.to_owned())).await;
            assert_eq!(made.unwrap_err().kind, ErrorKind::InvalidData, "{password}");
        }
        assert_eq!(shop.count("auth_identity").await, 0);
    }

    async fn each_key_is_another(database: TestDatabase) {
        let shop = open(database).await;
        for kind in [ApiKeyType::Publishable, ApiKeyType::Secret] {
            let (first, second) = unwinds(&shop, &["commit"], |app| async move { create_api_key::run(&app, kind, "Shop").await }).await;
            assert_ne!(first, second.unwrap());
        }
        assert_eq!(shop.count("api_key").await, 4);
    }
}

/// What resets set.
const NEW_PASSWORD: &str = "C0rrect-horse-battery";

/// A reset of ann@shop.test.
fn new_password(token: &str) -> complete_password_reset::Input {
    complete_password_reset::Input {
        actor_type: "customer".to_owned(),
        contact: ContactType::Email,
        identifier: "ann@shop.test".to_owned(),
        token: token.to_owned(),
        password: SecretString::from(NEW_PASSWORD.to_owned()),
    }
}
