//! `hashQueue`: what happens at the doors that hash when more comes than is hashed.

use std::net::SocketAddr;
use std::sync::Arc;

use cr_server::state::ServerState;
use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::stage::request;
use crate::support::{self, Answer, CHEAP, DEVELOPMENT, PASSWORD};

/// Sends a request from an address, in a task of its own.
fn send(tasks: &mut JoinSet<Answer>, state: &Arc<ServerState>, address: [u8; 4], path: &'static str, number: usize) {
    let state = Arc::clone(state);
    tasks.spawn(async move {
        let body = json!({"email": format!("nobody{number}@example.com"), "password": PASSWORD});
        support::exchange(&state, SocketAddr::from((address, 4000)), request(Method::POST, path, &[], Some(body))).await
    });
}

/// The next that is answered: refused, and told when to come back.
async fn refused(tasks: &mut JoinSet<Answer>, path: &str) {
    let answer = tasks.join_next().await.unwrap().unwrap();
    assert_eq!(answer.status, 503, "{path}: {}", answer.text);
    assert_eq!(answer.headers["retry-after"], "1", "{path}");
    let expected = json!({"type": "unavailable", "message": "Too busy at the moment, try again shortly"});
    assert_eq!(answer.json(), expected, "{path}");
}

cr_testkit::both! {
    /// Of a flood from one address what is too much is refused at once, and so is its newest that waits, when another address comes.
    async fn a_flood_from_one_address_is_refused_and_gives_way_to_others(database: TestDatabase) {
        let config = DEVELOPMENT.replace("trustProxy = []", "trustProxy = []\nhashQueue = 2");
        let (env, _) = cr_testkit::env(1);
        let (started, _folder) = support::build(&database, &config, &[], env, CHEAP).await;
        let state = &started.state;
        for (path, status) in [("/auth/customer/emailpass", 401), ("/auth/customer/emailpass/register", 200)] {
            let occupied = state.app.hashes.occupy().unwrap();
            let (mut flood, mut other) = (JoinSet::new(), JoinSet::new());
            for number in 0..3 {
                send(&mut flood, state, [192, 0, 2, 1], path, number);
            }
            refused(&mut flood, path).await;
            send(&mut other, state, [192, 0, 2, 2], path, 3);
            refused(&mut flood, path).await;
            // Both lines are of one now, and the queue is full.
            send(&mut flood, state, [192, 0, 2, 1], path, 4);
            refused(&mut flood, path).await;
            assert!(other.try_join_next().is_none(), "{path}");
            drop(occupied);
            for answered in [flood.join_all().await, other.join_all().await] {
                assert_eq!(answered.iter().map(|it| it.status.as_u16()).collect::<Vec<_>>(), [status], "{path}");
            }
        }
    }
}
