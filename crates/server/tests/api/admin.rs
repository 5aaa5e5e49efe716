//! What stands below `/admin`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use http::Method;
use serde_json::json;

use crate::stage::{good_login, request, schedule_deletion, stage, told, verified};
use crate::support::TestServer;

const PATH: &str = "/admin/account-deletion-requests";
const OUT: &str = r#"401 {"message":"Unauthorized"}"#;
const EMPTY: &str = r#"200 {"requests":[],"count":0,"offset":0,"limit":20}"#;

/// An administrator's token.
async fn admin(server: &TestServer) -> String {
    cr_core::workflows::create_user::run(&server.app, "admin@example.com", "Tr0ub4dor&3x".to_owned().into())
        .await
        .unwrap();
    let body = json!({"email": "admin@example.com", "password": "Tr0ub4dor&3x"});
    server.post("/auth/user/emailpass", None, body).await.field("/token")
}

cr_testkit::both! {
    /// An account that is shipped with a password is everybody's.
    async fn there_is_no_account_and_no_key_that_nobody_made(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        for table in ["\"user\"", "customer", "auth_identity", "provider_identity", "api_key"] {
            assert!(database.rows(&format!("select id from {table}")).await.is_empty(), "{table}");
        }
        server.stop().await;
    }

    async fn requests_are_listed_with_every_column(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        let token = admin(&server).await;
        assert_eq!(
            told(&server.get(PATH, Some(&token)).await),
            r#"200 {"requests":[{"id":"adr_1","customer_id":"<cus>","reason":null,"deletion_scheduled_at":"2026-01-09T03:04:05.678Z","status":"confirmed","cancelled_at":null,"held_at":null,"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z","deleted_at":null}],"count":1,"offset":0,"limit":20}"#
        );
        for (query, count, shown) in [
            ("status=confirmed", 1, 1), ("status=pending", 0, 0), ("limit=0", 1, 0), ("offset=1&limit=5", 1, 0),
            ("order=customer_id&order_direction=ASC", 1, 1), ("order=updated_at", 1, 1),
        ] {
            let body = server.get(&format!("{PATH}?{query}"), Some(&token)).await.json();
            assert_eq!((body["count"].as_i64(), body["requests"].as_array().unwrap().len()), (Some(count), shown), "{query}");
        }
        server.stop().await;
    }

    /// Among two hundred thousand, PostgreSQL takes fifty milliseconds to count.
    async fn more_than_ten_thousand_are_counted_once_in_ten_seconds(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let fill = |from: u32, to: u32| {
            format!("with recursive n (i) as (select {from} union all select i + 1 from n where i < {to})
                     insert into account_deletion_request (id, customer_id, status)
                     select 'adr_' || i, 'cus_' || i, 'completed' from n")
        };
        let token = admin(&server).await;
        let counted = async |query: &str| {
            server.get(&format!("{PATH}?limit=1{query}"), Some(&token)).await.json()["count"].as_i64().unwrap()
        };
        database.sql(&fill(1, 10_000)).await;
        assert_eq!(counted("").await, 10_000);
        database.sql(&fill(10_001, 10_001)).await;
        assert_eq!(counted("").await, 10_001, "ten thousand are counted each time");
        database.sql(&fill(10_002, 10_002)).await;
        assert_eq!(counted("").await, 10_001);
        assert_eq!(counted("&status=completed").await, 10_002, "each status for itself");
        assert_eq!(counted("&status=pending").await, 0);
        clock.advance_seconds(10);
        assert_eq!(counted("").await, 10_002);
        server.stop().await;
    }

    async fn a_query_that_is_wrong_is_told_in_medusas_words(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let token = admin(&server).await;
        for (query, refusal) in [
            ("status=x", "Expected: 'pending, confirmed, cancelled, completed' for field 'status', but got: 'x'"),
            ("order=id", "Expected: 'created_at, updated_at, customer_id' for field 'order', but got: 'id'"),
            ("order_direction=asc", "Expected: 'ASC, DESC' for field 'order_direction', but got: 'asc'"),
            ("limit=1001", "Value for field 'limit' too big, expected at most: '1000'"),
            ("limit=-1", "Value for field 'limit' too small, expected at least: '0'"),
            ("offset=1e", ""),
            ("offset=x", "Expected type: 'number' for field 'offset', got: 'nan'"),
            ("order=created_at;drop", "Expected: 'created_at, updated_at, customer_id' for field 'order', but got: 'created_at;drop'"),
            ("fields=id", "Expected: '*customer' for field 'fields', but got: 'id'"),
            ("select=id", "Unrecognized fields: 'select'"),
        ] {
            let answer = server.get(&format!("{PATH}?{query}"), Some(&token)).await;
            if refusal.is_empty() {
                assert_eq!(answer.status.as_u16(), 200, "{query}");
            } else {
                assert_eq!(told(&answer), format!(r#"400 {{"type":"invalid_data","message":"Invalid request: {refusal}"}}"#), "{query}");
            }
        }
        server.stop().await;
    }

    /// A bearer token, the dashboard's session, or a secret API key; nothing else.
    async fn an_administrator_comes_in_three_ways(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let token = admin(&server).await;
        assert_eq!(told(&server.get(PATH, Some(&token)).await), EMPTY);
        let session = server.post("/auth/session", Some(&token), json!({})).await;
        let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(told(&server.raw(request(Method::GET, PATH, &[("cookie", &cookie)], None)).await), EMPTY);
        for (kind, answer) in [(ApiKeyType::Secret, EMPTY), (ApiKeyType::Publishable, OUT)] {
            let key = create_api_key::run(&server.app, kind, "Shop").await.unwrap();
            let basic = format!("Basic {}", STANDARD.encode(format!("{key}:")));
            assert_eq!(told(&server.raw(request(Method::GET, PATH, &[("authorization", &basic)], None)).await), answer);
        }
        let customer = verified(&server).await.login;
        assert_eq!(told(&server.get(PATH, Some(&customer)).await), OUT);
        assert_eq!(told(&server.get(PATH, None).await), OUT);
        server.stop().await;
    }

    /// The page shows names; everybody else gets the plugin's rows.
    async fn who_asked_is_told_where_that_is_asked_for(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        database.sql(&format!("update customer set first_name = 'Alice' where id = '{}'", known.id)).await;
        let token = admin(&server).await;
        let listed = server.get(&format!("{PATH}?fields=*customer"), Some(&token)).await.json();
        assert_eq!(listed["requests"][0]["customer"], json!({
            "id": known.id, "email": "alice@example.com", "phone": "+15551234567", "first_name": "Alice", "last_name": null,
        }));
        database.sql("update account_deletion_request set customer_id = 'cus_x'").await;
        let listed = server.get(&format!("{PATH}?fields=*customer"), Some(&token)).await.json();
        assert_eq!(listed["requests"][0]["customer"], json!(null));
        server.stop().await;
    }

    async fn an_administrator_holds_releases_and_cancels(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        let token = admin(&server).await;
        let at = |deed: &str| format!("{PATH}/adr_1/{deed}");
        let row = |state: &str| format!(
            r#"200 {{"request":{{"id":"adr_1","customer_id":"<cus>","reason":null,"deletion_scheduled_at":"2026-01-09T03:04:05.678Z",{state},"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z","deleted_at":null}}}}"#
        );
        let now = "2026-01-02T03:04:05.678Z";
        let (free, held, cancelled) = (
            r#""status":"confirmed","cancelled_at":null,"held_at":null"#.to_owned(),
            format!(r#""status":"confirmed","cancelled_at":null,"held_at":"{now}""#),
            format!(r#""status":"cancelled","cancelled_at":"{now}","held_at":null"#),
        );
        let no = |sentence: &str| format!(r#"400 {{"type":"not_allowed","message":"{sentence}"}}"#);
        for (deed, answer) in [
            ("release", no("The account deletion request is not held")),
            ("hold", row(&held)),
            ("hold", no("The account deletion request is held already")),
            ("run", no("The account deletion request is held; release it first")),
            ("release", row(&free)),
            ("cancel", row(&cancelled)),
            ("cancel", no("A cancelled account deletion request cannot be cancelled")),
            ("hold", no("A cancelled account deletion request cannot be held")),
            ("release", no("The account deletion request is not held")),
            ("run", no("The account of a cancelled account deletion request cannot be deleted")),
        ] {
            assert_eq!(told(&server.post(&at(deed), Some(&token), json!({})).await), answer, "{deed}");
        }
        assert_eq!(good_login(&server).await.status.as_u16(), 200);
        let lines = database.rows("select actor_type, action from cr_audit order by action desc").await;
        let told: Vec<_> = lines.iter().map(|line| (line["actor_type"].as_str().unwrap(), line["action"].as_str().unwrap())).collect();
        assert_eq!(told, [("user", "account_deletion.release"), ("user", "account_deletion.hold"), ("user", "account_deletion.cancel")]);
        server.stop().await;
    }

    async fn an_administrator_deletes_an_account_at_once(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        let token = admin(&server).await;
        let traced = server.get(&format!("{PATH}/adr_1/messages"), Some(&token)).await;
        assert_eq!(
            told(&traced),
            r#"200 {"messages":[{"channel":"email","trigger_type":"email_verification","status":"delivered","attempts":1,"last_error":null,"created_at":"2026-01-02T03:04:05.678Z","delivered_at":"2026-01-02T03:04:05.678Z"}],"count":1}"#
        );
        let answer = server.post(&format!("{PATH}/adr_1/run"), Some(&token), json!({})).await.json();
        assert_eq!((answer["request"]["status"].as_str(), &answer["request"]["reason"]), (Some("completed"), &json!(null)));
        assert_eq!(
            told(&good_login(&server).await),
            r#"401 {"type":"unauthorized","message":"Invalid email or password"}"#
        );
        assert_eq!(
            told(&server.post(&format!("{PATH}/adr_1/run"), Some(&token), json!({})).await),
            r#"400 {"type":"not_allowed","message":"The account of a completed account deletion request cannot be deleted"}"#
        );
        assert_eq!(told(&server.get(&format!("{PATH}/adr_1/messages"), Some(&token)).await), r#"200 {"messages":[],"count":0}"#);
        server.stop().await;
    }

    /// By a token or a key; what is done is in the audit, and done again it is answered again.
    async fn an_administrator_logs_a_customer_out_everywhere(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let session = server.post("/auth/session", Some(&known.login), json!({})).await;
        let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let token = admin(&server).await;
        let path = format!("/admin/customers/{}/end-sessions", known.id);
        let me = async |headers: &[(&str, &str)]| {
            server.raw(request(Method::GET, "/store/customers/me", headers, None)).await.status.as_u16()
        };
        let bearer = format!("Bearer {}", known.login);
        assert_eq!((me(&[("authorization", &bearer)]).await, me(&[("cookie", &cookie)]).await), (200, 200));
        let ended = r#"200 {"customer":{"id":"<cus>","sessions_ended_at":"2026-01-02T03:04:05.678Z"}}"#;
        assert_eq!(told(&server.post(&path, Some(&token), json!({})).await), ended);
        assert_eq!((me(&[("authorization", &bearer)]).await, me(&[("cookie", &cookie)]).await), (401, 401));
        assert_eq!(told(&server.post("/auth/token/refresh", Some(&known.login), json!({})).await), OUT);
        clock.advance_seconds(1);
        let fresh = format!("Bearer {}", good_login(&server).await.field("/token"));
        assert_eq!(me(&[("authorization", &fresh)]).await, 200);
        let key = create_api_key::run(&server.app, ApiKeyType::Secret, "Shop").await.unwrap();
        let basic = format!("Basic {}", STANDARD.encode(format!("{key}:")));
        let answer = server.raw(request(Method::POST, &path, &[("authorization", &basic)], None)).await;
        assert_eq!(told(&answer), ended.replace("05.678Z", "06.678Z"));
        assert_eq!(me(&[("authorization", &fresh)]).await, 401);
        let lines = database.rows("select actor_type, action, subject_id from cr_audit order by created_at").await;
        let line = |by: &str| json!({"actor_type": by, "action": "customer.end_sessions", "subject_id": known.id});
        assert_eq!(lines, [line("user"), line("api-key")]);

        let missing = r#"404 {"type":"not_found","message":"Customer with id: cus_9 was not found"}"#;
        let other = "/admin/customers/cus_9/end-sessions";
        assert_eq!(told(&server.post(other, Some(&token), json!({})).await), missing);
        assert_eq!(told(&server.post(&path, None, json!({})).await), OUT);
        let own = good_login(&server).await.field("/token");
        assert_eq!(told(&server.post(&path, Some(&own), json!({})).await), OUT);
        assert_eq!(
            told(&server.post(&path, Some(&token), json!({"force": true})).await),
            r#"400 {"type":"invalid_data","message":"Invalid request: Unrecognized fields: 'force'"}"#
        );
        server.stop().await;
    }

    /// No such request, somebody else, something in the body.
    async fn decisions_are_refused_with_a_reason(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let token = admin(&server).await;
        let missing = r#"404 {"type":"not_found","message":"Account deletion request with id: adr_9 was not found"}"#;
        let customer = verified(&server).await.login;
        for deed in ["cancel", "hold", "release", "run"] {
            let path = format!("{PATH}/adr_9/{deed}");
            assert_eq!(told(&server.post(&path, Some(&token), json!({})).await), missing);
            assert_eq!(told(&server.post(&path, None, json!({})).await), OUT);
            assert_eq!(told(&server.post(&path, Some(&customer), json!({})).await), OUT);
            assert_eq!(
                told(&server.post(&path, Some(&token), json!({"force": true})).await),
                r#"400 {"type":"invalid_data","message":"Invalid request: Unrecognized fields: 'force'"}"#
            );
        }
        let path = format!("{PATH}/adr_9/messages");
        assert_eq!(told(&server.get(&path, Some(&token)).await), missing);
        assert_eq!(told(&server.get(&path, None).await), OUT);
        assert_eq!(told(&server.get(&format!("{path}?limit=1"), Some(&token)).await),
                   r#"400 {"type":"invalid_data","message":"Invalid request: Unrecognized fields: 'limit'"}"#);
        server.stop().await;
    }
}
