//! Customers, tokens and passwords on both sides.

use reqwest::Method;
use serde_json::json;

use crate::shop::Side::{Here, There};
use crate::shop::{PASSWORD, open};

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
        shop.server.app.shared.wake.notify_one();
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
