//! Asking for the end of an account, and taking that back.

use cr_core::error::ErrorKind;
use cr_core::modules::account_deletion_request::service::{AccountDeletionRequestService, ListConfig, OrderBy};
use cr_core::options::ContactType;
use cr_core::workflows::{
    cancel_account_deletion, confirm_account_deletion, login, request_account_deletion, request_account_deletion_cancel,
};
use cr_types::ids::CustomerId;

use crate::races::{at_once, refused, winners};
use crate::shop::{Shop, assert_refused, credentials, open};
use crate::steps::unwinds;

/// A wish to go.
pub(crate) fn wish(id: &CustomerId) -> request_account_deletion::Input {
    request_account_deletion::Input {
        customer_id: id.clone(),
        reason: Some("Too many mails".to_owned()),
        address: None,
    }
}

/// A wish to stay.
fn stay(contact: ContactType, identifier: &str) -> request_account_deletion_cancel::Input {
    request_account_deletion_cancel::Input { contact, identifier: identifier.to_owned(), address: None }
}

/// Confirms the wish of a customer.
pub(crate) async fn schedule(shop: &Shop, id: &CustomerId) -> String {
    let sent = request_account_deletion::run(&shop.app, wish(id)).await.unwrap();
    let code = shop.code_of(&sent.token).await;
    let input = confirm_account_deletion::Input { token: sent.token, code };
    confirm_account_deletion::run(&shop.app, input).await.unwrap().id
}

/// Asks for the code that cancels: token and code.
pub(crate) async fn ask_to_stay(shop: &Shop, email: &str) -> (String, String) {
    let sent = request_account_deletion_cancel::run(&shop.app, stay(ContactType::Email, email)).await.unwrap();
    let code = shop.code_of(&sent.token).await;
    (sent.token, code)
}

cr_testkit::both! {
    async fn a_wish_is_confirmed_by_a_code_and_ends_all_sessions(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        let input = || wish(&id);
        let steps = ["retrieve-customer", "generate-otp", "send-notification", "commit"];
        let (_, second) =
            unwinds(&shop, &steps, |app| async move { request_account_deletion::run(&app, input()).await }).await;
        let token = second.unwrap().token;
        let code = shop.code_of(&token).await;
        let asked = shop.messages("account_deletion_request").await.pop().unwrap();
        assert_eq!((asked.to.as_str(), asked.data["scheduled_days"].as_str()), ("ann@shop.test", "7"));
        assert_eq!(shop.count("otp_verification where sealed like '%mails%'").await, 0, "the reason is sealed");

        let input = || confirm_account_deletion::Input { token: token.clone(), code: code.clone() };
        let steps = ["verify-otp", "create-account-deletion-request", "send-notification", "commit"];
        let (first, second) =
            unwinds(&shop, &steps, |app| async move { confirm_account_deletion::run(&app, input()).await }).await;
        assert_refused(second, ErrorKind::InvalidData, "OTP is no longer valid");
        assert_eq!((first.status.as_str(), first.reason.as_deref()), ("confirmed", Some("Too many mails")));
        assert_eq!(first.deletion_scheduled_at.unwrap().seconds_after(shop.now()), 7 * 86_400);
        assert!(!shop.counts(&claims).await);
        let refused = login::run(&shop.app, credentials(ContactType::Email, "ann@shop.test")).await;
        assert_refused(refused, ErrorKind::Forbidden, "Account deletion is scheduled");
        let notice = shop.messages("account_deletion_notice").await.remove(0);
        assert_eq!(notice.data["deletion_scheduled_at"], first.deletion_scheduled_at.unwrap().to_string());
        assert_refused(
            request_account_deletion::run(&shop.app, wish(&id)).await,
            ErrorKind::NotAllowed,
            "An account deletion request is already active",
        );
    }

    async fn a_wish_is_taken_back_by_a_code(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.member("ann@shop.test", None).await;
        schedule(&shop, &id).await;
        let steps = ["retrieve-customer", "generate-otp", "send-notification", "commit"];
        for email in ["ann@shop.test", "nobody@shop.test"] {
            let input = || stay(ContactType::Email, email);
            let (_, second) =
                unwinds(&shop, &steps, |app| async move { request_account_deletion_cancel::run(&app, input()).await }).await;
            second.unwrap();
        }
        let (token, code) = ask_to_stay(&shop, "ann@shop.test").await;
        let input = || cancel_account_deletion::Input { token: token.clone(), code: code.clone() };
        let steps = ["verify-otp", "cancel-account-deletion-request", "commit"];
        let (first, second) =
            unwinds(&shop, &steps, |app| async move { cancel_account_deletion::run(&app, input()).await }).await;
        assert_eq!((first.status.as_str(), first.cancelled_at), ("cancelled", Some(shop.now())));
        assert_refused(second, ErrorKind::InvalidData, "OTP is no longer valid");
        login::run(&shop.app, credentials(ContactType::Email, "ann@shop.test")).await.unwrap();
    }

    /// Without a request, with an unproven contact, unknown: the same rows, and nothing goes out.
    async fn who_has_nothing_to_cancel_gets_a_decoy(database: TestDatabase) {
        let shop = open(database).await;
        shop.member("ann@shop.test", Some("+15551234567")).await;
        for (contact, identifier) in [
            (ContactType::Email, "ann@shop.test"),
            (ContactType::Phone, "+15551234567"),
            (ContactType::Email, "nobody@shop.test"),
        ] {
            request_account_deletion_cancel::run(&shop.app, stay(contact, identifier)).await.unwrap();
        }
        assert_eq!(shop.messages("account_deletion_cancel").await.len(), 0);
        assert_eq!(shop.count("cr_outbox where template = 'account_deletion_cancel' and channel = 'none'").await, 3);
        assert_eq!(shop.count("otp_verification where purpose = 'account_deletion_cancel'").await, 3);
    }

    /// A number that merely stands in somebody else's column takes nothing from who has proven it.
    async fn a_strangers_column_does_not_keep_the_owner_from_cancelling(database: TestDatabase) {
        let shop = open(database).await;
        shop.account("mallory@shop.test", Some("+15551234567")).await;
        let (claims, id) = shop.member("ann@shop.test", Some("+15551234567")).await;
        shop.verify(&claims, id.as_str(), ContactType::Phone).await.unwrap();
        schedule(&shop, &id).await;
        request_account_deletion_cancel::run(&shop.app, stay(ContactType::Phone, "+15551234567")).await.unwrap();
        assert_eq!(shop.messages("account_deletion_cancel").await.len(), 1);
    }

    /// Medusa keeps the case of e-mails, so that two accounts may differ in it alone: each can come back by its own.
    async fn of_two_emails_that_fold_alike_the_one_as_written_counts(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.member("ann@shop.test", None).await;
        let now = shop.now();
        shop.database.sql(&format!(
            "insert into customer (id, email, has_account, email_verified, created_at, updated_at) \
             values ('cus_of_medusa', 'Ann@shop.test', true, true, '{now}', '{now}'); \
             insert into cr_proof (customer_id, channel, value, proven_at) values ('cus_of_medusa', 'email', 'Ann@shop.test', '{now}')"
        )).await;
        schedule(&shop, &id).await;
        for (written, messages) in [("ANN@shop.test", 0), ("Ann@shop.test", 0), ("ann@shop.test", 1)] {
            request_account_deletion_cancel::run(&shop.app, stay(ContactType::Email, written)).await.unwrap();
            assert_eq!(shop.messages("account_deletion_cancel").await.len(), messages, "{written}");
        }
    }

    async fn a_code_goes_to_the_proven_contact_or_nowhere(database: TestDatabase) {
        let shop = open(database).await;
        let claims = shop.register(ContactType::Email, "ann@shop.test").await;
        let id = shop.create(&claims, Some("ann@shop.test"), Some("+15551234567")).await;
        let whose = CustomerId::from_stored(id.clone());
        let nothing = request_account_deletion::run(&shop.app, wish(&whose)).await;
        assert_refused(nothing, ErrorKind::InvalidData, "Verify your email or your phone first");
        shop.verify(&claims, &id, ContactType::Phone).await.unwrap();
        request_account_deletion::run(&shop.app, wish(&whose)).await.unwrap();
        let asked = shop.messages("account_deletion_request").await.remove(0);
        assert_eq!((asked.to.as_str(), asked.subject), ("+15551234567", None), "by text message");
    }

    async fn a_contact_that_changed_meanwhile_voids_the_code(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.member("ann@shop.test", None).await;
        let sent = request_account_deletion::run(&shop.app, wish(&id)).await.unwrap();
        let code = shop.code_of(&sent.token).await;
        shop.database.sql("update customer set email = 'other@shop.test'").await;
        let result = confirm_account_deletion::run(&shop.app, confirm_account_deletion::Input { token: sent.token, code }).await;
        assert_refused(result, ErrorKind::InvalidData, "OTP is no longer valid");
    }

    async fn of_twenty_confirmations_one_takes_effect(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.member("ann@shop.test", None).await;
        let sent = request_account_deletion::run(&shop.app, wish(&id)).await.unwrap();
        let code = shop.code_of(&sent.token).await;
        let results = at_once(&shop, 20, move |app, _| {
            let input = confirm_account_deletion::Input { token: sent.token.clone(), code: code.clone() };
            async move { confirm_account_deletion::run(&app, input).await }
        }).await;
        assert_eq!(winners(&results), 1);
        assert_eq!(refused(&results, "OTP is no longer valid"), 19);
        assert_eq!(shop.count("account_deletion_request").await, 1);
        let (token, code) = ask_to_stay(&shop, "ann@shop.test").await;
        let results = at_once(&shop, 20, move |app, _| {
            let input = cancel_account_deletion::Input { token: token.clone(), code: code.clone() };
            async move { cancel_account_deletion::run(&app, input).await }
        }).await;
        assert_eq!(winners(&results), 1);
    }

    /// What the Node plugin left unconfirmed blocks like a confirmed one and can be cancelled.
    async fn the_service_tells_pending_from_confirmed(database: TestDatabase) {
        let shop = open(database).await;
        let (_, ann) = shop.member("ann@shop.test", None).await;
        let (_, bob) = shop.member("bob@shop.test", None).await;
        schedule(&shop, &ann).await;
        shop.database.sql(&format!(
            "insert into account_deletion_request (id, customer_id, status, created_at, updated_at) \
             values ('adr_0', '{bob}', 'pending', '{now}', '{now}')", now = shop.now()
        )).await;
        let mut cx = shop.app.begin().await.unwrap();
        for (id, pending) in [(&ann, false), (&bob, true)] {
            assert!(AccountDeletionRequestService::has_active_request(&mut cx, id).await.unwrap());
            assert_eq!(AccountDeletionRequestService::has_pending_request(&mut cx, id).await.unwrap(), pending);
        }
        let config = ListConfig { order: OrderBy::CustomerId, descending: false, limit: 10, offset: 0 };
        let (page, count) = AccountDeletionRequestService::list_for_admin(&mut cx, Some("pending"), config).await.unwrap();
        assert_eq!((page[0].id.as_str(), count), ("adr_0", 1));
        AccountDeletionRequestService::cancel_request(&mut cx, &bob).await.unwrap();
        let none = AccountDeletionRequestService::cancel_request(&mut cx, &bob).await;
        assert_refused(none, ErrorKind::NotAllowed, "No active account deletion request");
    }
}
