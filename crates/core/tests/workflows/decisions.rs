//! What an administrator decides of a deletion request, beside the customer and the job.

use cr_core::error::ErrorKind;
use cr_core::jobs::process_account_deletions;
use cr_core::modules::account_deletion_request::service::Decision;
use cr_core::options::ContactType;
use cr_core::workflows::decide_account_deletion::{self, Administrator};
use cr_core::workflows::{end_customer_sessions, list_account_deletion_messages, login};
use cr_types::ids::CustomerId;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::deletion::schedule;
use crate::races::{at_once, winners};
use crate::shop::{assert_refused, credentials, open};
use crate::steps::unwinds;

/// Who decides in these tests.
const BY: Administrator<'static> = Administrator { actor_type: "user", actor_id: "user_1" };

cr_testkit::both! {
    async fn a_decision_is_taken_as_a_whole_and_once(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.member("ann@shop.test", None).await;
        let request = schedule(&shop, &id).await;
        for (decision, more, twice) in [
            (Decision::Hold, &[][..], "The account deletion request is held already"),
            (Decision::Release, &[], "The account deletion request is not held"),
            (Decision::Cancel, &[], "A cancelled account deletion request cannot be cancelled"),
        ] {
            let steps = [&["decide-account-deletion-request", "write-audit"], more, &["commit"]].concat();
            let (_, second) = unwinds(&shop, &steps, |app| {
                let request = request.clone();
                async move { decide_account_deletion::run(&app, &request, decision, &BY).await }
            }).await;
            assert_refused(second, ErrorKind::NotAllowed, twice);
        }
        login::run(&shop.app, credentials(ContactType::Email, "ann@shop.test")).await.unwrap();
        assert!(!shop.counts(&claims).await, "what the confirmation ended stays ended");
        assert_eq!(shop.count("cr_audit where actor_id = 'user_1'").await, 3);
    }

    async fn an_account_that_goes_at_once_goes_as_a_whole(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.member("ann@shop.test", None).await;
        let request = schedule(&shop, &id).await;
        assert!(!list_account_deletion_messages::run(&shop.app, &request).await.unwrap().is_empty());
        let steps = ["decide-account-deletion-request", "write-audit", "delete-auth-identities", "delete-customer",
                     "mark-completed", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| {
            let request = request.clone();
            async move { decide_account_deletion::run(&app, &request, Decision::Run, &BY).await }
        }).await;
        assert_eq!((first.status.as_str(), first.reason), ("completed", None));
        assert_refused(second, ErrorKind::NotAllowed, "The account of a completed account deletion request cannot be deleted");
        assert!(list_account_deletion_messages::run(&shop.app, &request).await.unwrap().is_empty());
        assert_eq!((shop.count("auth_identity").await, shop.count("customer where email is not null").await), (0, 0));
    }

    /// A customer who was robbed of a session is logged out everywhere, by whichever contact they came; nobody else is.
    async fn an_administrator_ends_all_sessions_of_one_customer(database: TestDatabase) {
        let shop = open(database).await;
        let (registration, id) = shop.account("ann@shop.test", Some("+15551234567")).await;
        let mut claims = Vec::new();
        for (contact, identifier) in [(ContactType::Email, "ann@shop.test"), (ContactType::Phone, "+15551234567")] {
            shop.verify(&registration, &id, contact).await.unwrap();
            let login = login::run(&shop.app, credentials(contact, identifier)).await.unwrap();
            claims.push(shop.read(&login.token));
            assert!(shop.counts(claims.last().unwrap()).await, "{identifier}");
        }
        let (bob, _) = shop.member("bob@shop.test", None).await;
        let id = CustomerId::from_stored(id);
        for round in 1..=2 {
            shop.clock.advance_seconds(5);
            let steps = ["end-customer-sessions", "write-audit", "commit"];
            let (first, second) = unwinds(&shop, &steps, |app| {
                let id = id.clone();
                async move { end_customer_sessions::run(&app, &id, &BY).await }
            }).await;
            assert_eq!((first, second.unwrap()), (shop.now(), shop.now()));
            for claims in claims.drain(..) {
                assert!(!shop.counts(&claims).await, "round {round}");
            }
            let login = login::run(&shop.app, credentials(ContactType::Email, "ann@shop.test")).await.unwrap();
            claims.push(shop.read(&login.token));
            assert!(shop.counts(&claims[0]).await && shop.counts(&bob).await, "round {round}");
        }
        let lines = shop.database.rows("select actor_id, subject_id, details from cr_audit where action = 'customer.end_sessions'").await;
        let line = json!({"actor_id": "user_1", "subject_id": id, "details": null});
        assert_eq!(lines, vec![line; 4]);
    }

    async fn sessions_of_nobody_are_not_ended(database: TestDatabase) {
        let shop = open(database).await;
        let (_, gone) = shop.member("ann@shop.test", None).await;
        shop.database.sql("update customer set deleted_at = '2026-01-02T03:04:05.678Z'").await;
        for id in [gone, CustomerId::from_stored("cus_9")] {
            let refused = end_customer_sessions::run(&shop.app, &id, &BY).await;
            assert_refused(refused, ErrorKind::NotFound, &format!("Customer with id: {id} was not found"));
        }
        assert_eq!(shop.count("cr_audit where action = 'customer.end_sessions'").await, 0);
    }

    /// Whoever holds the row first wins, and nobody waits for ever.
    async fn decisions_and_the_job_exclude_each_other(database: TestDatabase) {
        let shop = open(database).await;
        for round in 0..6 {
            let email = format!("ann{round}@shop.test");
            let (_, id) = shop.member(&email, None).await;
            let request = schedule(&shop, &id).await;
            shop.clock.advance_seconds(8 * 86_400);
            let results = at_once(&shop, 9, move |app, n| {
                let request = request.clone();
                async move {
                    let decision = match n % 3 {
                        0 => Decision::Cancel,
                        1 => Decision::Run,
                        _ => return process_account_deletions::run(&app, &CancellationToken::new(), |_| {}).await.map(|_| ()),
                    };
                    decide_account_deletion::run(&app, &request, decision, &BY).await.map(|_| ())
                }
            }).await;
            for refused in results.iter().filter_map(|result| result.as_ref().err()) {
                assert_eq!(refused.kind, ErrorKind::NotAllowed, "{refused:?}");
            }
            assert!(winners(&results) <= 4, "the job's three and one decision: {results:?}");
            let left = shop.count(&format!("provider_identity where entity_id = '{email}'")).await;
            let status = shop.value(&format!("select status from account_deletion_request where customer_id = '{id}'")).await;
            assert_eq!(status.as_str(), Some(if left == 1 { "cancelled" } else { "completed" }));
        }
    }
}
