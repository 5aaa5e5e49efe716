//! Changing a contact by a code, and taking that back.

use cr_core::error::ErrorKind;
use cr_core::modules::auth::token::AuthClaims;
use cr_core::options::ContactType;
use cr_core::workflows::{
    login, send_contact_change_otp, undo_contact_change, update_contact, verify_email, verify_phone,
};
use cr_types::ids::CustomerId;

use crate::races::{at_once, winners};
use crate::shop::{Shop, assert_refused, credentials, open, open_with};
use crate::steps::unwinds;

/// A wish for a contact.
fn wish(id: &CustomerId, contact_type: ContactType, value: &str) -> send_contact_change_otp::Input {
    send_contact_change_otp::Input { customer_id: id.clone(), contact_type, new_value: value.to_owned(), address: None }
}

/// A code that came back.
fn answer(claims: &AuthClaims, id: &CustomerId, token: &str, code: &str) -> update_contact::Input {
    update_contact::Input {
        customer_id: id.clone(),
        claims: claims.clone(),
        token: token.to_owned(),
        code: code.to_owned(),
    }
}

/// Asks for a code to a new contact: token and code.
async fn ask(shop: &Shop, id: &CustomerId, contact: ContactType, value: &str) -> (String, String) {
    let sent = send_contact_change_otp::run(&shop.app, wish(id, contact, value)).await.unwrap();
    let code = shop.code_of(&sent.token).await;
    (sent.token, code)
}

/// Changes a contact: the fresh token's claims.
async fn change(shop: &Shop, claims: &AuthClaims, id: &CustomerId, contact: ContactType, value: &str) -> AuthClaims {
    let (token, code) = ask(shop, id, contact, value).await;
    let output = update_contact::run(&shop.app, answer(claims, id, &token, &code)).await.unwrap();
    shop.read(&output.token)
}

/// The undo tokens that notices hold, oldest first.
async fn undo_tokens(shop: &Shop) -> Vec<String> {
    let notices = shop.messages("contact_change_notice").await;
    notices.iter().map(|notice| notice.data["undo_url"].split_once("token=").unwrap().1.to_owned()).collect()
}

/// E-mail and phone with their flags.
async fn contacts(shop: &Shop, id: &CustomerId) -> serde_json::Value {
    let sql = format!("select email, phone, email_verified as e, phone_verified as p from customer where id = '{id}'");
    shop.database.rows(&sql).await.remove(0)
}

cr_testkit::both! {
    async fn a_new_email_is_asked_for_proven_and_logged_in_with(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        let input = || wish(&id, ContactType::Email, " New@Shop.test ");
        let steps = ["retrieve-customer", "generate-contact-change-otp", "send-notification", "commit"];
        let (_, second) =
            unwinds(&shop, &steps, |app| async move { send_contact_change_otp::run(&app, input()).await }).await;
        let sent = second.unwrap();
        let code = shop.code_of(&sent.token).await;
        assert_eq!(contacts(&shop, &id).await["email"], "ann@shop.test");

        let input = || answer(&claims, &id, &sent.token, &code);
        let steps = ["verify-otp", "update-contact", "sync-phonepass-entity-id", "send-notification", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| async move { update_contact::run(&app, input()).await }).await;
        assert_eq!((&first.customer["email"], &first.customer["email_verified"]), (&"new@shop.test".into(), &true.into()));
        assert_eq!(shop.read(&first.token).actor_id, id.as_str());
        assert_refused(second, ErrorKind::InvalidData, "OTP is no longer valid");
        assert!(login::run(&shop.app, credentials(ContactType::Email, "ann@shop.test")).await.is_err());
        login::run(&shop.app, credentials(ContactType::Email, "new@shop.test")).await.unwrap();
        let notices = shop.messages("contact_change_notice").await;
        assert_eq!(notices.iter().map(|notice| notice.to.as_str()).collect::<Vec<_>>(), ["ann@shop.test"]);
    }

    /// A first phone: the proven e-mail is told of it, too, and both log in.
    async fn a_first_phone_is_added_and_the_email_told(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        change(&shop, &claims, &id, ContactType::Phone, "+1 (555) 123-4567").await;
        for (contact, identifier) in [(ContactType::Email, "ann@shop.test"), (ContactType::Phone, "+15551234567")] {
            login::run(&shop.app, credentials(contact, identifier)).await.unwrap();
        }
        let notice = shop.messages("contact_change_notice").await.remove(0);
        assert_eq!((notice.to.as_str(), notice.data["channel"].as_str()), ("ann@shop.test", "phone number"));
    }

    async fn what_cannot_be_wished_is_refused(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        shop.member("bob@shop.test", None).await;
        let (_, unproven) = shop.account("eve@shop.test", None).await;
        for (contact, value, kind, message) in [
            (ContactType::Email, "ANN@shop.test", ErrorKind::NotAllowed, "This is already your verified email"),
            (ContactType::Email, "bob@shop.test", ErrorKind::Duplicate, "Customer with this email already has an account"),
        ] {
            let result = send_contact_change_otp::run(&shop.app, wish(&id, contact, value)).await;
            assert_refused(result, kind, message);
        }
        // Somebody who only claims an address loses it to who proves it.
        let changed = change(&shop, &claims, &id, ContactType::Email, "eve@shop.test").await;
        assert!(shop.counts(&changed).await);
        assert_eq!(shop.count(&format!("customer where id = '{unproven}' and deleted_at is null")).await, 0);
    }

    async fn a_token_of_somebody_else_is_refused_and_costs_no_guess(database: TestDatabase) {
        let shop = open(database).await;
        let (_, ann) = shop.member("ann@shop.test", None).await;
        let (claims, bob) = shop.member("bob@shop.test", None).await;
        let (token, code) = ask(&shop, &ann, ContactType::Email, "new@shop.test").await;
        let result = update_contact::run(&shop.app, answer(&claims, &bob, &token, &code)).await;
        assert_refused(result, ErrorKind::Unauthorized, "Token does not belong to this customer");
        assert_eq!(shop.count("otp_verification where attempts > 0 and verified_at is null").await, 0);
    }

    /// Whoever sits in a stolen session changes one contact after the other; the owner's link undoes it all, once.
    async fn the_first_undo_link_takes_everything_back(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", Some("+15551234567")).await;
        let before = contacts(&shop, &id).await;
        shop.clock.advance_seconds(10);
        let stolen = change(&shop, &claims, &id, ContactType::Email, "thief@evil.test").await;
        shop.clock.advance_seconds(10);
        let stolen = change(&shop, &stolen, &id, ContactType::Phone, "+15559999999").await;
        let [mine, ..] = undo_tokens(&shop).await.try_into().unwrap_or_else(|all: Vec<String>| [all[0].clone(), all[1].clone()]);
        let thiefs = undo_tokens(&shop).await.pop().unwrap();
        shop.clock.advance_seconds(10);

        let token = &mine;
        let steps = ["verify-undo-token", "update-contact", "sync-phonepass-entity-id", "commit"];
        let ((), second) =
            unwinds(&shop, &steps, |app| async move { undo_contact_change::run(&app, token).await }).await;
        assert_refused(second, ErrorKind::NotAllowed, "This change cannot be undone any more");
        assert_eq!(contacts(&shop, &id).await, before);
        assert!(!shop.counts(&stolen).await, "all sessions end");
        assert_refused(
            undo_contact_change::run(&shop.app, &thiefs).await,
            ErrorKind::NotAllowed,
            "This change cannot be undone any more",
        );
        login::run(&shop.app, credentials(ContactType::Email, "ann@shop.test")).await.unwrap();
        assert_eq!(shop.count("provider_identity").await, 1, "the thief's phone logs in no more");
    }

    async fn an_undo_link_dies_after_three_days_and_with_the_contact(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        change(&shop, &claims, &id, ContactType::Email, "new@shop.test").await;
        let token = undo_tokens(&shop).await.remove(0);
        for forged in ["", "x", "undo_1.AAAA", &token.replace("undo_", "undx_")] {
            let result = undo_contact_change::run(&shop.app, forged).await;
            assert_refused(result, ErrorKind::Unauthorized, "Invalid or expired token");
        }
        shop.member("ann@shop.test", None).await;
        let result = undo_contact_change::run(&shop.app, &token).await;
        assert_refused(result, ErrorKind::NotAllowed, "This change cannot be undone any more");
        shop.clock.advance_seconds(72 * 3600);
        let result = undo_contact_change::run(&shop.app, &token).await;
        assert_refused(result, ErrorKind::Unauthorized, "Invalid or expired token");
    }

    async fn no_link_without_a_storefront_and_no_notice_when_disabled(database: TestDatabase) {
        let shop = open_with(database, |options| options.storefront_url = None).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        change(&shop, &claims, &id, ContactType::Phone, "+15551234567").await;
        assert_eq!(shop.messages("contact_change_notice").await[0].data["undo_url"], "");
    }

    async fn a_disabled_notice_is_not_sent(database: TestDatabase) {
        let shop = open_with(database, |options| options.contact_change_notice.disable = true).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        change(&shop, &claims, &id, ContactType::Phone, "+15551234567").await;
        assert_eq!(shop.messages("contact_change_notice").await.len(), 0);
    }

    /// One number, two customers, both with a right code at the same moment.
    async fn of_two_who_prove_one_number_one_has_it(database: TestDatabase) {
        let shop = open(database).await;
        for round in 0..5 {
            let number = format!("+1555000000{round}");
            let mut inputs = Vec::new();
            for name in ["ann", "bob"] {
                let (claims, id) = shop.member(&format!("{name}{round}@shop.test"), None).await;
                let (token, code) = ask(&shop, &id, ContactType::Phone, &number).await;
                inputs.push((claims, id, token, code));
            }
            let results = at_once(&shop, 2, move |app, n| {
                let (claims, id, token, code) = inputs[n].clone();
                async move { update_contact::run(&app, answer(&claims, &id, &token, &code)).await }
            }).await;
            assert_eq!(winners(&results), 1);
            let loser = results.into_iter().find_map(Result::err).unwrap();
            assert_eq!((loser.kind, loser.message.as_ref()), (ErrorKind::Duplicate, "Customer with this phone already has an account"));
            assert_eq!(shop.count(&format!("customer where phone = '{number}' and phone_verified")).await, 1);
            assert_eq!(shop.count(&format!("provider_identity where entity_id = '{number}'")).await, 1);
        }
    }

    async fn one_code_and_one_undo_link_take_effect_once(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        let (token, code) = ask(&shop, &id, ContactType::Email, "new@shop.test").await;
        let whose = id.clone();
        let results = at_once(&shop, 20, move |app, _| {
            let input = answer(&claims, &whose, &token, &code);
            async move { update_contact::run(&app, input).await }
        }).await;
        assert_eq!(winners(&results), 1);
        let undo = undo_tokens(&shop).await.remove(0);
        let results = at_once(&shop, 20, move |app, _| {
            let undo = undo.clone();
            async move { undo_contact_change::run(&app, &undo).await }
        }).await;
        assert_eq!(winners(&results), 1);
        assert_eq!(contacts(&shop, &id).await["email"], "ann@shop.test");
    }

    /// The plugin's two workflows, for programs that proved the contact themselves.
    async fn a_program_may_say_that_a_contact_is_proven(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.account("ann@shop.test", Some("+15551234567")).await;
        let id = CustomerId::from_stored(id);
        let whose = &id;
        let steps = ["verify-email", "sync-phonepass-entity-id", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| async move { verify_email::run(&app, whose).await }).await;
        assert!(first.email_verified && first.customer["email_verified"] == true && second.is_ok());
        let steps = ["verify-phone", "sync-phonepass-entity-id", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| async move { verify_phone::run(&app, whose).await }).await;
        assert!(first.phone_verified && first.customer_id == id && second.is_ok());
        login::run(&shop.app, credentials(ContactType::Phone, "+15551234567")).await.unwrap();
        let nobody = verify_email::run(&shop.app, &CustomerId::from_stored("cus_0")).await;
        assert_refused(nobody, ErrorKind::NotFound, "Customer with id: cus_0 was not found");
    }
}
