//! `GET /store/my-referrals`, and the code that a registration brings.

use serde_json::json;

use crate::stage::{stage, told, verified};

const PATH: &str = "/store/my-referrals";

cr_testkit::both! {
    async fn friends_are_shown_with_the_code_that_brought_them(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let nobody = server.get(PATH, Some(&known.login)).await;
        let code = nobody.field("/referral_code");
        assert_eq!(told(&nobody), format!(r#"200 {{"children":[],"referral_code":"{code}"}}"#));
        let token = server.register("bob@example.com").await;
        let body = json!({"email": "bob@example.com", "phone": "+15550000001", "first_name": "Bob", "metadata": {"referral_code": code, "a": 1}});
        assert_eq!(server.post("/store/customers", Some(&token), body).await.json()["customer"]["metadata"], json!({"a": 1}));
        let id = &known.id;
        let child = format!(r#"{{"referral_link_id":"<refl>","referred_at":"2026-01-02T03:04:05.678Z","parent_customers_by_level":{{"1":"{id}"}},"customer":{{"id":"<cus>","email":"bob@example.com","first_name":"Bob","last_name":null,"phone":"+15550000001","created_at":"2026-01-02T03:04:05.678Z"}}}}"#);
        let child = crate::stage::masked(&child);
        assert_eq!(told(&server.get(PATH, Some(&known.login)).await), format!(r#"200 {{"children":[{child}],"referral_code":"{code}"}}"#));
        assert_eq!(
            told(&server.get(&format!("{PATH}?limit=1&offset=1"), Some(&known.login)).await),
            format!(r#"200 {{"children":[],"referral_code":"{code}","count":1,"limit":1,"offset":1}}"#)
        );
        server.stop().await;
    }

    /// What a friend's contacts look like where the shop keeps them back.
    async fn contacts_are_masked_where_the_shop_says_so(database: TestDatabase) {
        let (server, _) = stage(&database, &[("[options.limits]", "[options.referral]\nmaskContacts = true\n\n[options.limits]")]).await;
        let known = verified(&server).await;
        let token = server.register("bob@example.com").await;
        let body = json!({"email": "bob@example.com", "phone": "+15550000001", "referral_code": known.id});
        assert_eq!(server.post("/store/customers", Some(&token), body).await.status.as_u16(), 200);
        let friend = server.get(PATH, Some(&known.login)).await.json()["children"][0]["customer"].clone();
        assert_eq!((&friend["email"], &friend["phone"]), (&json!("b***@example.com"), &json!("***01")));
        server.stop().await;
    }

    async fn what_is_wrong_is_told(database: TestDatabase) {
        let (server, _) = stage(&database, &[("referralGuesses = \"off\"", "referralGuesses = \"2/1h\"")]).await;
        let known = verified(&server).await;
        assert_eq!(told(&server.get(PATH, None).await), r#"401 {"message":"Unauthorized"}"#);
        for (query, refusal) in [
            ("limit=-1", "Invalid request: Value for field 'limit' too small, expected at least: '0'"),
            ("limit=1001", "Invalid request: Value for field 'limit' too big, expected at most: '1000'"),
            ("offset=x", "Invalid request: Expected type: 'number' for field 'offset', got: 'nan'"),
            ("x=1", "Invalid request: Unrecognized fields: 'x'"),
        ] {
            assert_eq!(
                told(&server.get(&format!("{PATH}?{query}"), Some(&known.login)).await),
                format!(r#"400 {{"type":"invalid_data","message":"{refusal}"}}"#)
            );
        }
        let token = server.register("bob@example.com").await;
        let with = |code: serde_json::Value| json!({"email": "bob@example.com", "phone": "+15550000001", "referral_code": code});
        for code in [json!("NOBODY22"), json!("x".repeat(10_000))] {
            assert_eq!(
                told(&server.post("/store/customers", Some(&token), with(code)).await),
                r#"400 {"type":"invalid_data","message":"Referral code is not valid"}"#
            );
        }
        assert_eq!(
            told(&server.post("/store/customers", Some(&token), with(json!(known.id))).await),
            r#"429 {"type":"too_many_requests","message":"Too many requests. Try again in 3600 seconds"}"#
        );
        assert_eq!(server.post("/store/customers", Some(&token), with(json!(7))).await.status.as_u16(), 400);
        assert_eq!(server.post("/store/customers", Some(&token), with(json!(null))).await.status.as_u16(), 200);
        server.stop().await;
    }
}
