//! Several servers on one database count together.

use http::Method;
use serde_json::json;

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

    /// Both at once, and still not one more.
    async fn two_servers_at_once_let_no_more_through(database: TestDatabase) {
        let servers = two(&database, &[("resets = \"off\"", "resets = \"7/1h\"")]).await;
        let body = json!({"email": "nobody@example.com"});
        let mut asking = tokio::task::JoinSet::new();
        let servers = std::sync::Arc::new(servers);
        for number in 0..40 {
            let (servers, body) = (std::sync::Arc::clone(&servers), body.clone());
            asking.spawn(async move {
                ask(&servers[number % 2], "/auth/customer/emailpass/reset-password", &body).await.status.as_u16()
            });
        }
        let statuses = asking.join_all().await;
        let of = |status: u16| statuses.iter().filter(|it| **it == status).count();
        assert_eq!((of(201), of(429)), (7, 33), "{statuses:?}");
        let Ok([one, other]) = std::sync::Arc::try_unwrap(servers) else { panic!("somebody still asks") };
        one.stop().await;
        other.stop().await;
    }
}
