//! What `loginFailures` and its kin do beyond one number: lists, ends before their time.

use cr_testkit::{Frozen, TestDatabase};
use serde_json::json;

use crate::stage::{EMAIL, good_login, login, prove, reset_token, stage, verified};
use crate::support::{PASSWORD, TestServer};

/// Fails so many logins, all of them looked at.
async fn fail(server: &TestServer, times: usize) {
    for number in 0..times {
        let answer = login(server, EMAIL, "wrong").await;
        assert_eq!(answer.status.as_u16(), 401, "failure {number}: {}", answer.text);
    }
}

/// The seconds that the right password has to wait; `None` when it is let in.
async fn wait(server: &TestServer) -> Option<i64> {
    let answer = good_login(server).await;
    match answer.status.as_u16() {
        200 => None,
        429 => Some(answer.headers["retry-after"].to_str().unwrap().parse().unwrap()),
        _ => panic!("{} {}", answer.status, answer.text),
    }
}

/// A server whose customer failed to log in twice and has to wait.
async fn shut(database: &TestDatabase) -> (TestServer, std::sync::Arc<Frozen>, crate::stage::Known) {
    let edit = ("loginFailures = \"off\"", "loginFailures = [\"2/1h\", \"3/24h\"]");
    let (server, clock) = stage(database, &[edit]).await;
    let known = verified(&server).await;
    clock.advance_seconds(1);
    fail(&server, 2).await;
    assert_eq!(wait(&server).await, Some(1));
    (server, clock, known)
}

cr_testkit::both! {
    /// A short rate against a script, a long one against a patient one: the second must not be forgotten with the first's window.
    async fn a_list_of_rates_holds_whole(database: TestDatabase) {
        let edit = ("loginFailures = \"off\"", "loginFailures = [\"2/1m\", \"5/24h\"]");
        let (server, clock) = stage(&database, &[edit]).await;
        verified(&server).await;
        clock.advance_seconds(1);
        fail(&server, 2).await;
        assert_eq!(wait(&server).await, Some(1));
        for _ in 0..2 {
            clock.advance_seconds(60);
            fail(&server, 1).await;
        }
        // The fifth within the day: the minute's window began with it, and has room.
        clock.advance_seconds(60);
        fail(&server, 1).await;
        assert_eq!(wait(&server).await, Some(1));
        clock.advance_seconds(60);
        fail(&server, 1).await;
        assert_eq!(wait(&server).await, Some(2));
        clock.advance_seconds(24 * 3600);
        fail(&server, 1).await;
        assert_eq!(wait(&server).await, None);
        server.stop().await;
    }

    /// The same for a limit that refuses at once.
    async fn the_tightest_rate_of_a_list_refuses(database: TestDatabase) {
        let (server, clock) = stage(&database, &[("resets = \"off\"", "resets = [\"1/1m\", \"2/1h\"]")]).await;
        let ask = async || {
            let body = json!({"email": "nobody@example.com"});
            let answer = server.post("/auth/customer/emailpass/reset-password", None, body).await;
            answer.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned())
        };
        for (advance, refused) in [(0, None), (0, Some("60")), (60, None), (60, Some("3480")), (3480, None)] {
            clock.advance_seconds(advance);
            assert_eq!(ask().await.as_deref(), refused, "after {advance} more seconds");
        }
        server.stop().await;
    }

    /// Whoever proves to be the owner does not wait for what somebody else did.
    async fn a_reset_forgets_failures(database: TestDatabase) {
        let (server, _, _) = shut(&database).await;
        let token = reset_token(&server, "email", EMAIL).await;
        let body = json!({"email": EMAIL, "password": PASSWORD});
        let done = server.post("/auth/customer/emailpass/update", Some(&token), body).await;
        assert_eq!(done.status.as_u16(), 200, "{}", done.text);
        fail(&server, 1).await;
        assert_eq!(wait(&server).await, None);
        server.stop().await;
    }

    /// So does a code that came back.
    async fn a_proof_forgets_failures(database: TestDatabase) {
        let (server, _, known) = shut(&database).await;
        database.sql("update customer set email_verified = false").await;
        database.sql("delete from cr_proof").await;
        prove(&server, &known.registration, "email_verification", EMAIL).await;
        fail(&server, 1).await;
        assert_eq!(wait(&server).await, None);
        server.stop().await;
    }

    /// Delays grow, but nobody is locked out for ever.
    async fn a_delay_never_grows_beyond_its_longest(database: TestDatabase) {
        let edits = [("loginFailures = \"off\"", "loginFailures = \"1/24h\"\nloginDelay = 4")];
        let (server, clock) = stage(&database, &edits).await;
        verified(&server).await;
        clock.advance_seconds(1);
        for seconds in [1, 2, 4, 4, 4] {
            fail(&server, 1).await;
            assert_eq!(wait(&server).await, Some(seconds));
            clock.advance_seconds(seconds);
        }
        assert_eq!(wait(&server).await, None);
        server.stop().await;
    }
}
