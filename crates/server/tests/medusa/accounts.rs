//! Customers, tokens and passwords on both sides.

use cr_testkit::real_medusa::Version;
use reqwest::Method;
use serde_json::json;

use crate::shop::Side::{Here, There};
use crate::shop::{PASSWORD, Setting, open, open_with};

crate::each_version! {
    /// Whoever registered on one side would be a stranger on the other.
    async fn customers_log_in_on_both_sides_and_tokens_count_on_both(version: Version) {
        let shop = open(version).await;
        for (made, email) in [(Here, "ann@example.com"), (There, "ben@example.com")] {
            let id = shop.customer(made, email).await;
            for side in [Here, There] {
                let token = shop.login(side, email, PASSWORD).await.good().text("/token");
                for reader in [Here, There] {
                    let me = shop.get(reader, "/store/customers/me", Some(&token)).await.good();
                    assert_eq!(me.text("/customer/id"), id);
                }
                shop.post(There, "/auth/token/refresh", Some(&token), json!({})).await.good();
                shop.post(Here, "/auth/token/refresh", Some(&token), json!({})).await.good();
            }
        }
        shop.close().await;
    }
}

crate::each_version! {
    /// A password that is changed on one side is the password of both, and a link's token opens nothing but the password.
    async fn passwords_change_for_both_sides(version: Version) {
        let shop = open(version).await;
        shop.customer(There, "ann@example.com").await;
        let token = shop.login(Here, "ann@example.com", PASSWORD).await.good().text("/token");
        let body =
            json!({"old_password": PASSWORD, "new_password": "another one 1", "confirm_password": "another one 1"});
        let changed = shop.post(Here, "/store/customers/change-password", Some(&token), body).await.good();
        shop.get(There, "/store/customers/me", Some(&changed.text("/token"))).await.good();
        for side in [Here, There] {
            assert_eq!(shop.login(side, "ann@example.com", PASSWORD).await.status, 401);
            shop.login(side, "ann@example.com", "another one 1").await.good();
        }
        let path = "/auth/customer/emailpass/reset-password";
        shop.post(Here, path, None, json!({"identifier": "ann@example.com"})).await.good();
        let link = link_to(&shop, "ann@example.com").await;
        for side in [Here, There] {
            assert_eq!(shop.get(side, "/store/customers/me", Some(&link)).await.status, 401);
        }
        let body = json!({"email": "ann@example.com", "password": "a third one 22"});
        shop.post(Here, "/auth/customer/emailpass/update", Some(&link), body).await.good();
        for side in [Here, There] {
            shop.login(side, "ann@example.com", "a third one 22").await.good();
        }
        shop.close().await;
    }
}

/// The token in the newest link to an address.
async fn link_to(shop: &crate::shop::Shop, address: &str) -> String {
    let inbox = shop.server.state.http.inbox.clone().unwrap();
    let token = regex::Regex::new(r"token=(eyJ[A-Za-z0-9_.-]+)").unwrap();
    for _ in 0..2000 {
        let messages = inbox.messages();
        let newest = messages
            .iter()
            .filter(|message| message.to == address)
            .find_map(|message| token.captures(&message.text).map(|found| found[1].to_owned()));
        if let Some(found) = newest {
            return found;
        }
        shop.server.app.shared.wake.messages.notify_one();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no link came to {address}");
}

crate::each_version! {
    /// Medusa's admin deletes customers, and makes guests; administrators may be customers, too.
    async fn guests_deleted_customers_and_administrators_stand_in_nobodys_way(version: Version) {
        let shop = open(version).await;
        let guest = shop.administer("/admin/customers", json!({"email": "ann@example.com"})).await.text("/customer/id");
        let id = shop.customer(Here, "ann@example.com").await;
        assert_ne!(guest, id, "a guest of the same e-mail stays a guest");
        let old = shop.login(Here, "ann@example.com", PASSWORD).await.good().text("/token");

        let gone = format!("/admin/customers/{id}");
        shop.ask(Here, Method::DELETE, &gone, Some(&shop.admin), None).await.good();
        assert_eq!(shop.get(Here, "/store/customers/me", Some(&old)).await.status, 401);
        let again = shop.customer(Here, "ann@example.com").await;
        assert_ne!(again, id, "the e-mail is free again");
        shop.login(There, "ann@example.com", PASSWORD).await.good();

        // One identity, two actors: the customer goes, the administrator stays.
        let [admin, password] = cr_testkit::real_medusa::ADMINISTRATOR;
        let token = shop.login(Here, admin, password).await.good().text("/token");
        let customer = shop.post(Here, "/store/customers", Some(&token), json!({"email": admin})).await.good();
        let login = shop.login(There, admin, password).await.good().text("/token");
        let me = shop.get(Here, "/store/customers/me", Some(&login)).await.good();
        assert_eq!(me.text("/customer/id"), customer.text("/customer/id"));
        shop.get(Here, "/admin/users/me", Some(&shop.admin)).await.good();
        shop.close().await;
    }
}

/// A password alone must not open an account that has a second factor, and the owner must be able to show it.
#[test]
fn a_second_factor_is_asked_for_by_medusas_own_login() {
    cr_testkit::run(async {
        let shop = open(Version::Newest).await;
        shop.customer(Here, "ann@example.com").await;
        let login = || shop.login(Here, "ann@example.com", PASSWORD);
        assert!(login().await.good().json["mfa_required"].is_null());
        shop.database
            .sql(
                "insert into auth_mfa_factor (id, auth_identity_id, provider, status) \
                 select 'factor_1', auth_identity_id, 'totp', 'enabled' from provider_identity where entity_id = 'ann@example.com'",
            )
            .await;
        let challenged = login().await.good();
        assert_eq!(challenged.json["mfa_required"], true, "{challenged:?}");
        assert!(challenged.json["mfa_challenge"].is_object(), "{challenged:?}");
        for side in [Here, There] {
            let me = shop.get(side, "/store/customers/me", Some(&challenged.text("/token"))).await;
            assert_eq!(me.status, 401, "the token of a challenge logs nobody in");
        }
        assert_eq!(
            shop.login(Here, "ann@example.com", "wrong").await.status,
            401,
            "what is checked here stays checked here"
        );
        shop.close().await;
    });
}

crate::each_version! {
    /// What one side began the other ends: nobody is locked out by having started elsewhere.
    async fn registration_reset_and_deletion_by_either_side_trip_up_nobody(version: Version) {
        let shop = open(version).await;
        let register = "/auth/customer/emailpass/register";
        for (email, first, second) in [("ann@example.com", Here, There), ("ben@example.com", There, Here)] {
            // Registered on one side without a customer, and once more on the other.
            let credentials = json!({"email": email, "password": PASSWORD});
            shop.post(first, register, None, credentials.clone()).await.good();
            let token = shop.post(second, register, None, credentials).await.good().text("/token");
            let made = shop.post(second, "/store/customers", Some(&token), json!({"email": email})).await.good();
            let id = made.text("/customer/id");
            let token = shop.login(first, email, PASSWORD).await.good().text("/token");
            assert_eq!(shop.get(first, "/store/customers/me", Some(&token)).await.good().text("/customer/id"), id);

            // Deleted by Medusa's admin, or by this server's job; then they come back by either door.
            if matches!(first, Here) {
                shop.ask(There, Method::DELETE, &format!("/admin/customers/{id}"), Some(&shop.admin), None).await.good();
            } else {
                shop.schedule_deletion(&id).await;
                shop.run_deletion().await;
            }
            // 2.11.2 keeps the identity of a customer that its admin deleted, and with it the e-mail, until this server is asked.
            let again = shop.customer(Here, email).await;
            assert_ne!(again, id);
            for side in [Here, There] {
                shop.login(side, email, PASSWORD).await.good();
            }
        }
        shop.close().await;
    }
}

crate::each_version! {
    /// A link from Medusa's own mail works at Medusa, and ours works here; afterwards both take the new password.
    async fn a_reset_that_medusa_began_ends_there(version: Version) {
        let shop = open(version).await;
        shop.customer(Here, "ann@example.com").await;
        shop.post(There, "/auth/customer/emailpass/reset-password", None, json!({"identifier": "ann@example.com"})).await.good();
        // Its mail is a subscriber's; the row that it left must not hinder ours.
        let path = "/auth/customer/emailpass/reset-password";
        shop.post(Here, path, None, json!({"identifier": "ann@example.com"})).await.good();
        let link = link_to(&shop, "ann@example.com").await;
        let body = json!({"email": "ann@example.com", "password": "another one 1"});
        assert_eq!(
            shop.post(There, "/auth/customer/emailpass/update", Some(&link), body.clone()).await.status,
            if version == Version::Newest { 401 } else { 200 },
            "the newer Medusa takes the links of its own alone"
        );
        let ended = shop.post(Here, "/auth/customer/emailpass/update", Some(&link), body).await;
        assert_eq!(ended.status, 200, "{ended:?}");
        for side in [Here, There] {
            shop.login(side, "ann@example.com", "another one 1").await.good();
        }
        shop.close().await;
    }
}

/// Where Medusa verifies contacts itself, a customer must not be asked twice, by whichever side began.
#[test]
fn a_verification_on_either_side_counts_on_both() {
    cr_testkit::run(async {
        let shop = open_with(Version::Newest, Setting { require_verification: true, ..Setting::default() }).await;
        let verified = || async {
            shop.database.rows("select entity_id from auth_verification where verified_at is not null").await
        };
        // Here: Medusa's row is made.
        let (ann, token) = shop.registered(Here, "ann@example.com").await;
        let sent = shop
            .post(
                Here,
                "/store/customers/otp/send",
                Some(&token),
                json!({"customer_id": ann, "type": "email_verification"}),
            )
            .await
            .good();
        let code = shop.server.code_to("ann@example.com").await;
        let body = json!({"token": sent.text("/token"), "code": code});
        shop.post(Here, "/store/customers/otp/verify", Some(&token), body).await.good();
        assert_eq!(verified().await, [json!({"entity_id": "ann@example.com"})]);
        let body = json!({"entity_id": "ann@example.com", "entity_type": "email"});
        let asked = shop.post(There, "/auth/verification/request", Some(&token), body).await.good();
        assert!(asked.json.pointer("/verification/verified_at").is_some_and(serde_json::Value::is_string), "{asked:?}");

        // There: its code goes by an event to whoever sends it, so the row's own is set as that code would set it.
        let (_, token) = shop.registered(Here, "ben@example.com").await;
        let refused = shop.login(Here, "ben@example.com", PASSWORD).await;
        assert_eq!((refused.status, refused.json["code"].as_str()), (401, Some("verification_required")));
        let body = json!({"entity_id": "ben@example.com", "entity_type": "email"});
        shop.post(Here, "/auth/verification/request", Some(&refused.text("/token")), body).await.good();
        let hash = "encode(sha256('a code'::bytea), 'hex')";
        shop.database.sql(&format!(
            "update auth_verification set provider_metadata = jsonb_build_object('token_hash', {hash}) where verified_at is null"
        )).await;
        shop.post(Here, "/auth/verification/confirm", Some(&token), json!({"code": "a code"})).await.good();
        let login = shop.login(Here, "ben@example.com", PASSWORD).await.good().text("/token");
        let me = shop.get(Here, "/store/customers/me", Some(&login)).await.good();
        assert_eq!(me.json["customer"]["email_verified"], true);
        shop.close().await;
    });
}
