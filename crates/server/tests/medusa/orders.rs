//! A customer of ours buys through Medusa's store, and what is left of that when the account goes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::Side::Here;
use crate::shop::{Answer, PASSWORD, Shop, open};

/// A region, and something to buy in it: ids of the region and the variant.
async fn stock(shop: &Shop) -> (String, String) {
    let channels = shop.get(Here, "/admin/sales-channels", Some(&shop.admin)).await.good();
    let channel = match channels.json["sales_channels"][0]["id"].as_str() {
        Some(id) => id.to_owned(),
        None => shop.administer("/admin/sales-channels", json!({"name": "Web"})).await.text("/sales_channel/id"),
    };
    let keys = shop.get(Here, "/admin/api-keys?type=publishable", Some(&shop.admin)).await.good();
    for key in keys.json["api_keys"].as_array().unwrap() {
        let path = format!("/admin/api-keys/{}/sales-channels", key["id"].as_str().unwrap());
        shop.administer(&path, json!({"add": [channel]})).await;
    }
    let region = json!({"name": "Europe", "currency_code": "eur", "countries": ["de"], "payment_providers": ["pp_system_default"]});
    let region = shop.administer("/admin/regions", region).await.text("/region/id");
    let product = json!({
        "title": "Cup",
        "status": "published",
        "options": [{"title": "Size", "values": ["M"]}],
        "variants": [{
            "title": "M", "options": {"Size": "M"}, "manage_inventory": false,
            "prices": [{"amount": 10, "currency_code": "eur"}],
        }],
        "sales_channels": [{"id": channel}],
    });
    let product = shop.administer("/admin/products", product).await;
    (region, product.text("/product/variants/0/id"))
}

/// Completes a cart. Medusa answers 409 while it is at it still, which on a busy machine outlives the request, and asks for another try.
async fn complete(shop: &Shop, token: &str, cart: &str) -> Answer {
    let path = format!("/store/carts/{cart}/complete");
    for _ in 0..60 {
        let answer = shop.post(Here, &path, Some(token), json!({})).await;
        if answer.status != 409 {
            return answer.good();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("Medusa is still at cart {cart} after half a minute");
}

/// Buys one, as the customer of a token: the order.
async fn buy(shop: &Shop, token: &str) -> Value {
    let (region, variant) = stock(shop).await;
    let post = async |path: &str, body: Value| shop.post(Here, path, Some(token), body).await.good();
    let cart = post("/store/carts", json!({"region_id": region})).await.text("/cart/id");
    post(&format!("/store/carts/{cart}/line-items"), json!({"variant_id": variant, "quantity": 1})).await;
    let payment = post("/store/payment-collections", json!({"cart_id": cart})).await.text("/payment_collection/id");
    let sessions = format!("/store/payment-collections/{payment}/payment-sessions");
    post(&sessions, json!({"provider_id": "pp_system_default"})).await;
    let completed = complete(shop, token, &cart).await;
    assert_eq!(completed.json["type"], "order", "{completed:?}");
    completed.json["order"].clone()
}

crate::each_version! {
    /// A shop must keep its orders, and a person who left must be gone from the customer that they name.
    async fn an_order_stands_when_its_customer_is_gone(version: Version) {
        let shop = open(version).await;
        let id = shop.customer(Here, "ann@example.com").await;
        let token = shop.login(Here, "ann@example.com", PASSWORD).await.good().text("/token");
        let order = buy(&shop, &token).await;
        assert_eq!(order["email"], "ann@example.com");
        // What only Medusa holds comes through our own route.
        let me = shop.get(Here, "/store/customers/me?fields=id,*orders,email_verified", Some(&token)).await.good();
        assert_eq!(
            (me.json["customer"]["orders"][0]["id"].as_str(), &me.json["customer"]["email_verified"]),
            (order["id"].as_str(), &json!(false))
        );

        shop.schedule_deletion(&id).await;
        let closed = shop.get(Here, &format!("/store/orders/{}", order["id"].as_str().unwrap()), Some(&token)).await;
        assert_eq!(
            (closed.status, closed.json["code"].as_str()),
            (403, Some("account_deletion_pending")),
            "behind the guard"
        );
        shop.run_deletion().await;

        let path = format!("/admin/orders/{}?fields=id,email,total,customer_id", order["id"].as_str().unwrap());
        let left = shop.get(Here, &path, Some(&shop.admin)).await.good();
        assert_eq!((left.text("/order/customer_id"), &left.json["order"]["total"]), (id.clone(), &order["total"]));
        let person = shop
            .database
            .rows(&format!("select email, phone, first_name, last_name, has_account from customer where id = '{id}'"))
            .await;
        assert_eq!(person[0]["email"], Value::Null, "{person:?}");
        shop.customer(Here, "ann@example.com").await;
        shop.close().await;
    }
}
