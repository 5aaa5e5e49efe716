//! Changing a password with the old one.

use cr_core::error::ErrorKind;
use cr_core::modules::auth::session;
use cr_core::modules::auth::token::{self, AuthClaims, ResetClaims};
use cr_core::options::{ContactType, Rate};
use cr_core::workflows::{change_password, complete_password_reset, login, refresh_token};
use cr_db::models::user::{self, User};
use cr_types::ids::CustomerId;
use secrecy::SecretString;

use crate::races::{at_once, winners};
use crate::shop::{PASSWORD, assert_refused, credentials, open, open_with};
use crate::steps::unwinds;

/// The password that these tests change to.
const NEW: &str = "C0rrect-horse-battery";

/// A change.
fn change(claims: &AuthClaims, id: &CustomerId, old: &str, new: &str, confirm: &str) -> change_password::Input {
    change_password::Input {
        customer_id: id.clone(),
        claims: claims.clone(),
        old_password: SecretString::from(old.to_owned()),
        new_password: SecretString::from(new.to_owned()),
        confirm_password: SecretString::from(confirm.to_owned()),
    }
}

cr_testkit::both! {
    async fn the_old_password_sets_a_new_one_for_every_credential(database: TestDatabase) {
        let shop = open(database).await;
        let (registration, id) = shop.account("ann@shop.test", Some("+15551234567")).await;
        shop.verify(&registration, &id, ContactType::Email).await.unwrap();
        let phone = shop.verify(&registration, &id, ContactType::Phone).await.unwrap().login.unwrap();
        let (claims, id) = (shop.read(&phone), CustomerId::from_stored(id));
        shop.clock.advance_seconds(5);
        let input = || change(&claims, &id, PASSWORD, NEW, NEW);
        let steps = ["retrieve-customer", "update-password", "send-notification", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| async move { change_password::run(&app, input()).await }).await;
        assert_refused(second, ErrorKind::Unauthorized, "Invalid password");
        assert!(!shop.counts(&claims).await && shop.counts(&shop.read(&first.token)).await);
        for (contact, identifier) in [(ContactType::Email, "ann@shop.test"), (ContactType::Phone, "+15551234567")] {
            let old = login::run(&shop.app, credentials(contact, identifier)).await;
            assert_eq!(old.err().map(|error| error.kind), Some(ErrorKind::Unauthorized));
            let new = login::Input { password: SecretString::from(NEW.to_owned()), ..credentials(contact, identifier) };
            login::run(&shop.app, new).await.unwrap();
        }
        let told: Vec<_> = shop.messages("password_changed_notice").await.into_iter().map(|it| it.to).collect();
        assert_eq!(told, ["ann@shop.test", "+15551234567"]);
    }

    async fn what_is_no_new_password_is_refused(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        for (old, new, confirm, kind, message) in [
            (PASSWORD, NEW, "other", ErrorKind::InvalidData, "Passwords do not match"),
            (PASSWORD, PASSWORD, PASSWORD, ErrorKind::InvalidData, "New password must differ from the old one"),
            (PASSWORD, "short", "short", ErrorKind::InvalidData, "Password must be at least 8 bytes long"),
            (PASSWORD, "password123", "password123", ErrorKind::InvalidData, "Password is too common"),
            ("wrong", NEW, NEW, ErrorKind::Unauthorized, "Invalid password"),
        ] {
            assert_refused(change_password::run(&shop.app, change(&claims, &id, old, new, confirm)).await, kind, message);
        }
    }

    /// A right one costs nothing; once the wrong ones are used up, the right one waits too.
    async fn wrong_old_passwords_run_out(database: TestDatabase) {
        let limit = vec![Rate { count: 2, seconds: 900 }];
        let shop = open_with(database, |options| options.limits.password_changes = limit).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        let mut claims = claims;
        for (old, new) in [(PASSWORD, NEW), (NEW, PASSWORD), (PASSWORD, NEW)] {
            let output = change_password::run(&shop.app, change(&claims, &id, old, new, new)).await.unwrap();
            claims = shop.read(&output.token);
        }
        for _ in 0..2 {
            let wrong = change_password::run(&shop.app, change(&claims, &id, "wrong", PASSWORD, PASSWORD)).await;
            assert_refused(wrong, ErrorKind::Unauthorized, "Invalid password");
        }
        let right = change_password::run(&shop.app, change(&claims, &id, NEW, PASSWORD, PASSWORD)).await;
        assert_eq!(right.err().map(|error| error.kind), Some(ErrorKind::TooManyRequests));
    }

    /// An administrator who is a customer, too, has one identity and one e-mail: the customer's phone must not set their password.
    async fn an_administrators_own_password_changes_only_by_their_own_credential(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", Some("+15551234567")).await;
        shop.database.sql(&format!(
            "update auth_identity set app_metadata = '{{\"customer_id\": \"{id}\", \"user_id\": \"user_1\"}}'"
        )).await;
        let (claims, id) = (&claims, &id);
        let (token, code) = shop.code(claims, id.as_str(), ContactType::Phone).await;
        let proven = cr_core::workflows::verify_otp::run(&shop.app, crate::shop::guess(&token, &code, Some(claims))).await.unwrap();
        assert!(proven.login.is_some());
        let identity = shop.value("select auth_identity_id from provider_identity where provider = 'phonepass'").await;
        let by_phone = AuthClaims {
            auth_identity_id: identity.as_str().unwrap().to_owned(),
            auth_provider: Some("phonepass".to_owned()),
            ..claims.clone()
        };
        change_password::run(&shop.app, change(&by_phone, id, PASSWORD, NEW, NEW)).await.unwrap();
        login::run(&shop.app, login::Input { actor_type: "user".to_owned(), ..credentials(ContactType::Email, "ann@shop.test") }).await.unwrap();
        let new = login::Input { password: SecretString::from(NEW.to_owned()), ..credentials(ContactType::Phone, "+15551234567") };
        login::run(&shop.app, new).await.unwrap();
    }

    /// Where one identity is a customer's too, by the customer's reset; by a reset that Medusa carried out; and by the user's end.
    async fn an_administrators_tokens_end_with_their_password_and_their_account(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.member("ann@shop.test", None).await;
        let mut tx = shop.app.db.begin().await.unwrap();
        let ann = User { id: "user_1".to_owned(), email: "ann@shop.test".to_owned() };
        user::insert(&mut tx, &ann, shop.now()).await.unwrap();
        tx.commit().await.unwrap();
        shop.database.sql(&format!(
            "update auth_identity set app_metadata = '{{\"customer_id\": \"{id}\", \"user_id\": \"user_1\"}}'"
        )).await;
        let enter = async |password: &str| {
            let input = login::Input {
                actor_type: "user".to_owned(),
                password: SecretString::from(password.to_owned()),
                ..credentials(ContactType::Email, "ann@shop.test")
            };
            shop.read(&login::run(&shop.app, input).await.unwrap().token)
        };
        let counts = async |claims: &AuthClaims| {
            let mut tx = shop.app.db.read().await.unwrap();
            session::is_live_user(&mut tx, claims).await.unwrap()
        };
        let first = enter(PASSWORD).await;
        let nameless = AuthClaims { auth_identity_id: String::new(), ..first.clone() };
        let of_another = AuthClaims { actor_id: "user_2".to_owned(), ..first.clone() };
        assert!(counts(&first).await && counts(&nameless).await && !counts(&of_another).await);

        let input = complete_password_reset::Input {
            actor_type: "customer".to_owned(),
            contact: ContactType::Email,
            identifier: "ann@shop.test".to_owned(),
            token: shop.reset_token(ContactType::Email, "ann@shop.test").await,
            password: SecretString::from(NEW.to_owned()),
        };
        complete_password_reset::run(&shop.app, input).await.unwrap();
        let second = enter(NEW).await;
        assert!(!counts(&first).await && !counts(&nameless).await && counts(&second).await);

        shop.clock.advance_seconds(5);
        let link = ResetClaims {
            entity_id: "ann@shop.test".to_owned(),
            provider: "emailpass".to_owned(),
            actor_type: "user".to_owned(),
            jti: None,
            iat: shop.now().seconds(),
            exp: shop.now().seconds() + 900,
        };
        for (link, ends) in [("no link".to_owned(), false), (token::issue_reset(&shop.app.shared.keys, &link), true)] {
            complete_password_reset::end_sessions(&shop.app, ContactType::Email, &link).await.unwrap();
            assert_eq!(counts(&second).await, !ends, "{link}");
        }
        let third = enter(NEW).await;
        assert!(counts(&third).await);
        refresh_token::run(&shop.app, &third).await.unwrap();
        shop.database.sql("update \"user\" set deleted_at = '2026-01-02T03:04:05.678Z'").await;
        assert!(!counts(&third).await);
        assert_refused(refresh_token::run(&shop.app, &third).await, ErrorKind::Unauthenticated, "Unauthorized");
    }

    /// Ten changes and a reset at once: one of them decides, the others are told, and one password holds everywhere.
    async fn of_many_changes_at_once_one_wins(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        let reset = shop.reset_token(ContactType::Email, "ann@shop.test").await;
        let results = at_once(&shop, 11, move |app, n| {
            let (claims, id, reset) = (claims.clone(), id.clone(), reset.clone());
            async move {
                let new = format!("C0rrect-horse-{n}");
                if n == 0 {
                    let input = complete_password_reset::Input {
                        actor_type: "customer".to_owned(),
                        contact: ContactType::Email,
                        identifier: "ann@shop.test".to_owned(),
                        token: reset,
                        password: SecretString::from(new),
                    };
                    return complete_password_reset::run(&app, input).await;
                }
                change_password::run(&app, change(&claims, &id, PASSWORD, &new, &new)).await.map(|_| ())
            }
        }).await;
        assert!((1..=2).contains(&winners(&results)), "{results:?}");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(error.kind, ErrorKind::Conflict | ErrorKind::Unauthorized | ErrorKind::Unauthenticated), "{error:?}");
        }
        let mut good = 0;
        for n in 0..11 {
            let password = SecretString::from(format!("C0rrect-horse-{n}"));
            let input = login::Input { password, ..credentials(ContactType::Email, "ann@shop.test") };
            good += usize::from(login::run(&shop.app, input).await.is_ok());
        }
        assert_eq!(good, 1);
    }
}
