//! A crowd at the door: guesses run into the limit, and nobody who knows the password waits for them.

use std::sync::Arc;

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::stage::{EMAIL, request, stage, verified};
use crate::support::{PASSWORD, TestServer};

/// Guesses in all.
const GUESSES: usize = 500;
/// Guesses under way at once; so many may have been let in when the limit is reached.
const GUESSERS: usize = 20;
/// `loginFailures` and `loginFailuresPerAddress`.
const FAILURES: usize = 10;

/// The status of a login as seen through a proxy.
async fn log_in(server: &TestServer, email: &str, password: &str, address: &str) -> u16 {
    let body = json!({"email": email, "password": password});
    let headers = [("x-forwarded-for", address)];
    let answer = server.raw(request(Method::POST, "/auth/customer/emailpass", &headers, Some(body))).await;
    answer.status.as_u16()
}

cr_testkit::both! {
    /// An attack on an account, or on many from one address, must cost its owner nothing: they log in from where they always do.
    async fn right_logins_pass_while_wrong_ones_run_into_the_limit(database: TestDatabase) {
        let edits = [
            ("loginFailures = \"off\"", "loginFailures = \"10/24h\""),
            ("loginFailuresPerAddress = \"off\"", "loginFailuresPerAddress = \"10/5m\""),
            ("trustProxy = []", "trustProxy = [\"loopback\"]\nhashQueue = 1000"),
        ];
        for (name, spread) in [("one address", false), ("many addresses", true)] {
            let (server, clock) = stage(&database, &edits).await;
            if database.rows("select id from customer").await.is_empty() {
                verified(&server).await;
            }
            clock.advance_seconds(1);
            let home = "203.0.113.1";
            assert_eq!(log_in(&server, EMAIL, PASSWORD, home).await, 200);
            let server = Arc::new(server);
            let mut guessing = JoinSet::new();
            for guesser in 0..GUESSERS {
                let server = Arc::clone(&server);
                guessing.spawn(async move {
                    let mut statuses = Vec::new();
                    for number in 0..GUESSES / GUESSERS {
                        let address = if spread { format!("198.51.{guesser}.{number}") } else { "198.51.100.9".to_owned() };
                        statuses.push(log_in(&server, EMAIL, &format!("wrong {guesser} {number}"), &address).await);
                    }
                    statuses
                });
            }
            let mut logging_in = JoinSet::new();
            for _ in 0..50 {
                let server = Arc::clone(&server);
                logging_in.spawn(async move { log_in(&server, EMAIL, PASSWORD, home).await });
            }
            assert_eq!(logging_in.join_all().await, [200; 50], "{name}");
            let statuses: Vec<u16> = guessing.join_all().await.concat();
            let of = |status: u16| statuses.iter().filter(|it| **it == status).count();
            assert_eq!(of(401) + of(429), GUESSES, "{name}: {statuses:?}");
            // A right login forgets failures, so that guesses between the fifty may begin anew.
            let most = if spread { GUESSES } else { FAILURES + GUESSERS };
            assert!((FAILURES..=most).contains(&of(401)), "{name}: {} were looked at", of(401));
            assert_eq!(log_in(&server, EMAIL, PASSWORD, home).await, 200, "{name}");
            let Ok(server) = Arc::try_unwrap(server) else { panic!("somebody still asks") };
            server.stop().await;
            database.sql("delete from cr_limit").await;
        }
    }

    /// Guesses at an account whose owner is away: as many as the limit, and those that were under way when it was reached.
    async fn guesses_alone_are_let_in_up_to_the_limit(database: TestDatabase) {
        let (server, _) = stage(&database, &[
            ("loginFailures = \"off\"", "loginFailures = \"10/24h\""),
            ("trustProxy = []", "trustProxy = [\"loopback\"]\nhashQueue = 1000"),
        ]).await;
        verified(&server).await;
        let server = Arc::new(server);
        let mut guessing = JoinSet::new();
        for guesser in 0..GUESSERS {
            let server = Arc::clone(&server);
            guessing.spawn(async move {
                let mut looked_at = 0;
                for number in 0..GUESSES / GUESSERS {
                    let address = format!("198.51.{guesser}.{number}");
                    match log_in(&server, EMAIL, &format!("wrong {guesser} {number}"), &address).await {
                        401 => looked_at += 1,
                        status => assert_eq!(status, 429),
                    }
                }
                looked_at
            });
        }
        let looked_at: usize = guessing.join_all().await.into_iter().sum();
        assert!((FAILURES..FAILURES + GUESSERS).contains(&looked_at), "{looked_at} were looked at");
        let Ok(server) = Arc::try_unwrap(server) else { panic!("somebody still asks") };
        server.stop().await;
    }
}
