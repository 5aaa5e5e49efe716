//! Several servers on one database count together.

use std::sync::Arc;
use std::time::Duration;

use cr_db::DatabaseKind;
use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::stage::{EMAIL, request, verified};
use crate::support::{Answer, CHEAP, DEVELOPMENT, PASSWORD, TestServer};

/// Two servers with these texts of [`DEVELOPMENT`] changed, on one clock. Each has chance of its own.
async fn two(database: &cr_testkit::TestDatabase, edits: &[(&str, &str)]) -> [TestServer; 2] {
    let config = edits.iter().fold(DEVELOPMENT.to_owned(), |config, (from, to)| config.replace(from, to));
    let (one, _) = cr_testkit::env(2);
    let (other, _) = cr_testkit::env(3);
    [
        TestServer::start(database, &config, &[], one, CHEAP).await,
        TestServer::start(database, &config, &[], other, CHEAP).await,
    ]
}

/// A request that is always the same.
async fn ask(server: &TestServer, path: &str, body: &serde_json::Value) -> Answer {
    server.raw(request(Method::POST, path, &[], Some(body.clone()))).await
}

cr_testkit::both! {
    /// With three replicas an attacker must not get three times as much.
    async fn what_one_server_counted_another_refuses(database: TestDatabase) {
        let (quiet, _) = crate::stage::stage(&database, &[]).await;
        verified(&quiet).await;
        quiet.stop().await;
        let off = |name: &str| (format!("{name} = \"off\""), format!("{name} = \"3/1h\""));
        for (name, path, body) in [
            ("resets", "/auth/customer/emailpass/reset-password", json!({"email": EMAIL})),
            ("sendsPerAddress", "/auth/customer/emailpass/reset-password", json!({"email": EMAIL})),
            ("loginFailures", "/auth/customer/emailpass", json!({"email": EMAIL, "password": "wrong"})),
            ("loginFailuresPerAddress", "/auth/customer/emailpass", json!({"email": EMAIL, "password": "wrong"})),
            ("registrationsPerAddress", "/auth/customer/emailpass/register", json!({"email": "new@example.com", "password": PASSWORD})),
            ("sendsPerSubject", "/store/customers/otp/send", json!({"type": "email_verification", "email": EMAIL})),
            ("sendsPerDestination", "/store/customers/otp/send", json!({"type": "email_verification", "email": EMAIL})),
            ("cancelRequestsPerAddress", "/store/customers/account-deletion/cancel-request", json!({"email": EMAIL})),
        ] {
            let (from, to) = off(name);
            let servers = two(&database, &[(&from, &to)]).await;
            for number in 0..3 {
                let answer = ask(&servers[number % 2], path, &body).await;
                assert_ne!(answer.status.as_u16(), 429, "{name} at {number}: {}", answer.text);
            }
            for server in &servers {
                let answer = ask(server, path, &body).await;
                assert_eq!(answer.status.as_u16(), 429, "{name}: {}", answer.text);
            }
            let [one, other] = servers;
            one.stop().await;
            other.stop().await;
            database.sql("delete from cr_limit").await;
        }
    }

    /// Both at once, and still not one more: where one limit is taken by itself, and where all that a send costs is taken in one
    /// statement after all have looked.
    async fn two_servers_at_once_let_no_more_through(database: TestDatabase) {
        for (name, path, body, passed) in [
            ("resets", "/auth/customer/emailpass/reset-password", json!({"email": "nobody@example.com"}), 201),
            ("sendsPerAddress", "/store/customers/otp/send", json!({"type": "email_verification"}), 200),
        ] {
            let (from, to) = (format!("{name} = \"off\""), format!("{name} = \"7/1h\""));
            let servers = Arc::new(two(&database, &[(&from, &to), ("email = \"off\"", "email = \"1000/1h\"")]).await);
            let mut asking = JoinSet::new();
            for number in 0..40 {
                let (servers, mut body) = (Arc::clone(&servers), body.clone());
                if body.get("email").is_none() {
                    body["email"] = json!(format!("nobody{number}@example.com"));
                }
                asking.spawn(async move { ask(&servers[number % 2], path, &body).await.status.as_u16() });
            }
            let statuses = asking.join_all().await;
            let of = |status: u16| statuses.iter().filter(|it| **it == status).count();
            assert_eq!((of(passed), of(429)), (7, 33), "{name}: {statuses:?}");
            let counted = database.rows(&format!("select count from cr_limit where key like '{name}:%'")).await;
            assert_eq!(counted, [json!({"count": 7})], "{name}");
            let Ok([one, other]) = Arc::try_unwrap(servers) else { panic!("somebody still asks") };
            one.stop().await;
            other.stop().await;
            database.sql("delete from cr_limit").await;
        }
    }

    /// While a request waits, another takes the last place of the budget: who is nobody is refused as somebody is.
    async fn a_place_that_was_taken_meanwhile_is_gone_for_all(database: TestDatabase) {
        let [server, other] = two(&database, &[("email = \"off\"", "email = \"8/1h\"")]).await;
        other.stop().await;
        server.customer("first@example.com", "+15557654321").await;
        server.customer(EMAIL, "+15557654322").await;
        let server = Arc::new(server);
        let send = |email: &str| json!({"type": "email_verification", "email": email});
        let path = "/store/customers/otp/send";
        assert_eq!(ask(&server, path, &send("first@example.com")).await.status.as_u16(), 200);
        let open = "update cr_limit set count = 4 where key = 'sendsPerChannel:3600:email:open'";
        let reset = json!({"email": "first@example.com"});
        for (path, body) in [
            (path, send(EMAIL)),
            (path, send("nobody@example.com")),
            ("/auth/customer/emailpass/reset-password", reset),
            ("/auth/customer/emailpass/reset-password", json!({"email": "nobody@example.com"})),
        ] {
            let mut taker = database.open().await;
            let begin = if database.kind() == DatabaseKind::Postgres { "begin" } else { "begin immediate" };
            taker.try_sql(begin).await.unwrap();
            taker.try_sql(open).await.unwrap();
            let mut asking = JoinSet::new();
            let (shared, asked) = (Arc::clone(&server), body.clone());
            asking.spawn(async move { ask(&shared, path, &asked).await });
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(asking.try_join_next().is_none(), "{body} did not wait");
            taker.try_sql("commit").await.unwrap();
            let answer = asking.join_next().await.unwrap().unwrap();
            assert_eq!(answer.status.as_u16(), 429, "{body}: {}", answer.text);
            database.sql("update cr_limit set count = 1 where key = 'sendsPerChannel:3600:email:open'").await;
        }
        let Ok(server) = Arc::try_unwrap(server) else { panic!("somebody still asks") };
        server.stop().await;
    }
}
