//! `GET`, `POST` and `PATCH /store/customers/me`.

use http::Method;
use serde_json::json;

use crate::stage::{schedule_deletion, stage, told, verified};

mod contact;

const PATH: &str = "/store/customers/me";
const OUT: &str = r#"401 {"message":"Unauthorized"}"#;
const WHOLE: &str = r#"200 {"customer":{"id":"<cus>","email":"alice@example.com","company_name":null,"first_name":null,"last_name":null,"phone":"+15551234567","metadata":null,"has_account":true,"deleted_at":null,"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z","email_verified":true,"phone_verified":false,"addresses":[]}}"#;
const EMAIL_CHANGE: &str = r#"400 {"type":"not_allowed","message":"Email changes require OTP verification. Use POST /store/customers/me/contact to request a change."}"#;
const PHONE_CHANGE: &str = r#"400 {"type":"not_allowed","message":"Phone changes require OTP verification. Use POST /store/customers/me/contact to request a change."}"#;

cr_testkit::both! {
    /// A storefront's account page.
    async fn a_customer_sees_themselves(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        assert_eq!(told(&server.get(PATH, Some(&known.login)).await), WHOLE);
        for (fields, expected) in [
            ("id", r#"200 {"customer":{"id":"<cus>"}}"#),
            ("email", r#"200 {"customer":{"email":"alice@example.com","id":"<cus>"}}"#),
            ("id,email_verified", r#"200 {"customer":{"id":"<cus>","email_verified":true}}"#),
            ("-addresses,-metadata,-has_account,-deleted_at,-created_at,-updated_at,-company_name,-first_name,-last_name,-phone",
                r#"200 {"customer":{"id":"<cus>","email":"alice@example.com","email_verified":true,"phone_verified":false}}"#),
            ("+phone", WHOLE),
            ("orders", r#"200 {"customer":{"id":"<cus>"}}"#),
            ("*orders", r#"400 {"type":"invalid_data","message":"Requested fields [orders] are not valid"}"#),
            ("orders.id", r#"400 {"type":"invalid_data","message":"Requested fields [orders.id] are not valid"}"#),
            ("secret", r#"400 {"type":"invalid_data","message":"Requested fields [secret] are not valid"}"#),
        ] {
            let path = format!("{PATH}?fields={}", fields.replace('+', "%2B"));
            assert_eq!(told(&server.get(&path, Some(&known.login)).await), expected, "{fields}");
        }
        assert_eq!(
            told(&server.get(&format!("{PATH}?limit=1"), Some(&known.login)).await),
            r#"400 {"type":"invalid_data","message":"Invalid request: Unrecognized fields: 'limit'"}"#
        );
        for token in [None, Some("x"), Some(known.registration.as_str())] {
            assert_eq!(told(&server.get(PATH, token).await), OUT);
        }
        server.stop().await;
    }

    /// Both methods change the profile alike: absent keeps, null clears, metadata merges.
    async fn a_customer_changes_their_profile(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        clock.advance_seconds(1);
        let path = format!("{PATH}?fields=first_name,last_name,company_name,metadata,updated_at");
        for method in [Method::POST, Method::PATCH] {
            let change = async |body: serde_json::Value| {
                told(&server.send(method.clone(), &path, Some(&known.login), Some(body)).await)
            };
            assert_eq!(
                change(json!({"first_name": "Alice", "company_name": "Co", "metadata": {"a": 1, "b": 2}})).await,
                r#"200 {"customer":{"first_name":"Alice","last_name":null,"company_name":"Co","metadata":{"a":1,"b":2},"updated_at":"2026-01-02T03:04:06.678Z","id":"<cus>"}}"#
            );
            assert_eq!(
                change(json!({"company_name": null, "last_name": "L", "metadata": {"a": "", "c": 3}})).await,
                r#"200 {"customer":{"first_name":"Alice","last_name":"L","company_name":null,"metadata":{"b":2,"c":3},"updated_at":"2026-01-02T03:04:06.678Z","id":"<cus>"}}"#
            );
            assert_eq!(
                change(json!({"first_name": null, "last_name": null, "metadata": null})).await,
                r#"200 {"customer":{"first_name":null,"last_name":null,"company_name":null,"metadata":null,"updated_at":"2026-01-02T03:04:06.678Z","id":"<cus>"}}"#
            );
        }
        server.stop().await;
    }

    /// A contact changes by a code alone, whatever else the body holds.
    async fn what_a_profile_does_not_take_is_refused(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        for method in [Method::POST, Method::PATCH] {
            for (body, expected) in [
                (json!({"email": "bob@example.com", "first_name": "Bob"}), EMAIL_CHANGE),
                (json!({"email": null}), EMAIL_CHANGE),
                (json!({"phone": "+15557654321"}), PHONE_CHANGE),
                (json!({"phone": null, "unknown": 1}), PHONE_CHANGE),
                (json!({"email_verified": true}), r#"400 {"type":"invalid_data","message":"Invalid request: Unrecognized fields: 'email_verified'"}"#),
                (json!({"first_name": 5}), r#"400 {"type":"invalid_data","message":"Invalid request: Expected type: 'string' for field 'first_name', got: 'number'"}"#),
                (json!({"metadata": "x"}), r#"400 {"type":"invalid_data","message":"Invalid request: Expected type: 'object' for field 'metadata', got: 'string'"}"#),
            ] {
                let answer = server.send(method.clone(), PATH, Some(&known.login), Some(body.clone())).await;
                assert_eq!(told(&answer), expected, "{method} {body}");
            }
            assert_eq!(told(&server.send(method.clone(), PATH, None, Some(json!({}))).await), OUT);
            assert_eq!(told(&server.send(method.clone(), PATH, Some(&known.login), Some(json!({}))).await), WHOLE);
        }
        server.stop().await;
    }

    /// The guard stands before everything below `me`, known to this server or not.
    async fn an_account_that_is_about_to_go_is_shut(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        let pending = r#"403 {"code":"account_deletion_pending","type":"not_allowed","message":"Account deletion is scheduled","deletion_scheduled_at":"2026-01-09T03:04:05.678Z"}"#;
        for (method, path) in [
            (Method::GET, PATH),
            (Method::POST, PATH),
            (Method::PATCH, PATH),
            (Method::GET, "/store/customers/me/addresses"),
            (Method::GET, "/Store/Customers/Me/"),
        ] {
            let answer = server.send(method.clone(), path, Some(&known.login), None).await;
            assert_eq!(told(&answer), pending, "{method} {path}");
        }
        server.stop().await;
    }

    /// A customer that Medusa's admin deleted, or whose e-mail the admin changed past us.
    async fn what_medusa_changed_past_us_counts(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        database.sql(&format!("update customer set email = 'other@example.com' where id = '{}'", known.id)).await;
        let path = format!("{PATH}?fields=email,email_verified");
        let expected = r#"200 {"customer":{"email":"other@example.com","email_verified":false,"id":"<cus>"}}"#;
        assert_eq!(told(&server.get(&path, Some(&known.login)).await), expected);
        let stored = database.rows("select email from customer where email_verified = true").await;
        assert!(stored.is_empty(), "the flag is written as false too");
        database.sql(&format!("update customer set has_account = false where id = '{}'", known.id)).await;
        assert_eq!(told(&server.get(PATH, Some(&known.login)).await), OUT, "a guest is nobody");
        database.sql(&format!("update customer set has_account = true, deleted_at = '2026-01-02T03:04:05.678Z' where id = '{}'", known.id)).await;
        assert_eq!(told(&server.get(PATH, Some(&known.login)).await), OUT);
        server.stop().await;
    }
}
