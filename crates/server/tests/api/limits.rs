//! The policy table's limiters: each is set to its smallest, and exactly the rows that name it must refuse soon. A row that names a
//! limiter and does not count against it, or counts without naming it, fails here. So does one whose refusal ends too early or
//! too late.

mod budgets;
mod countries;
mod crowd;
mod hashing;
mod logins;
mod replicas;

use cr_server::routes::{Limiter, Route, TABLE};
use cr_testkit::{Frozen, TestDatabase};
use http::Method;
use serde_json::{Value, json};

use crate::stage::{EMAIL, prove, stage, verified};
use crate::support::{Answer, PASSWORD, TestServer};

/// A limiter, and the edits of the configuration that leave room for one, or nearly so.
const CASES: [(Limiter, &[(&str, &str)]); 14] = [
    (Limiter::MaxAttempts, &[("[options]\n", "[options]\nmaxAttempts = 1\n")]),
    (Limiter::WrongCodes, &[("wrongCodes = \"off\"", "wrongCodes = \"1/10m\"")]),
    (Limiter::ResendThrottleSeconds, &[("resendThrottleSeconds = 0", "resendThrottleSeconds = 600")]),
    (Limiter::SendsPerSubject, &[("sendsPerSubject = \"off\"", "sendsPerSubject = \"1/10m\"")]),
    (Limiter::SendsPerDestination, &[("sendsPerDestination = \"off\"", "sendsPerDestination = \"1/10m\"")]),
    (Limiter::SendsPerAddress, &[("sendsPerAddress = \"off\"", "sendsPerAddress = \"1/10m\"")]),
    (Limiter::SendsPerChannel, &[("email = \"off\"", "email = \"2/10m\"")]),
    (Limiter::LoginFailures, &[("loginFailures = \"off\"", "loginFailures = \"1/10m\"")]),
    (Limiter::LoginFailuresPerAddress, &[("loginFailuresPerAddress = \"off\"", "loginFailuresPerAddress = \"1/10m\"")]),
    (Limiter::RegistrationsPerAddress, &[("registrationsPerAddress = \"off\"", "registrationsPerAddress = \"1/10m\"")]),
    (Limiter::Resets, &[("resets = \"off\"", "resets = \"1/10m\"")]),
    (
        Limiter::CancelRequestsPerAddress,
        &[("cancelRequestsPerAddress = \"off\"", "cancelRequestsPerAddress = \"1/10m\"")],
    ),
    (Limiter::PasswordChanges, &[("passwordChanges = \"off\"", "passwordChanges = \"1/10m\"")]),
    (Limiter::ReferralGuesses, &[("referralGuesses = \"off\"", "referralGuesses = \"1/10m\"")]),
];

/// The window of every limit in [`CASES`], in seconds; shorter than a code lives.
const WINDOW: i64 = 600;
/// Requests to a row before it must have refused: one more than half of a channel's budget takes.
const TRIES: usize = 4;

/// Who asks: a member, somebody who proved nothing yet, somebody who is leaving, somebody who only registered.
struct People {
    member: String,
    unproven: String,
    registrant: String,
}

/// Makes everybody on a server without limits.
async fn people(server: &TestServer, database: &TestDatabase) -> People {
    let member = verified(server).await.login;
    let (_, unproven) = server.customer("carol@example.com", "+15550000003").await;
    let (dan, id) = server.customer("dan@example.com", "+15550000004").await;
    prove(server, &dan, "email_verification", "dan@example.com").await;
    crate::stage::schedule_deletion(database, &id).await;
    People { member, unproven, registrant: server.register("eve@example.com").await }
}

/// The path that asks for the codes which a path takes.
fn sender_of(path: &str) -> Option<&'static str> {
    Some(match path {
        "/store/customers/otp/verify" => "/store/customers/otp/send",
        "/store/customers/me/contact/verify" => "/store/customers/me/contact",
        "/store/customers/account-deletion/confirm" => "/store/customers/account-deletion/request",
        "/store/customers/account-deletion/cancel-confirm" => "/store/customers/account-deletion/cancel-request",
        _ => return None,
    })
}

/// The path that takes the codes which a path asks for.
fn taker_of(path: &str) -> Option<&'static str> {
    TABLE.iter().map(|route| route.path).find(|taker| sender_of(taker) == Some(path))
}

/// Bearer and body of one request to a row; `number` makes what must differ differ.
fn request_to(path: &str, people: &People, number: usize) -> (Option<String>, Value) {
    let member = Some(people.member.clone());
    match path {
        "/auth/{actor_type}/{auth_provider}/register" => {
            (None, json!({"email": format!("new{number}@example.com"), "password": PASSWORD}))
        }
        "/auth/{actor_type}/{auth_provider}/reset-password" => (None, json!({"email": EMAIL})),
        "/auth/{actor_type}/{auth_provider}" => (None, json!({"email": EMAIL, "password": "wrong"})),
        "/store/customers" => (
            Some(people.registrant.clone()),
            json!({"email": "eve@example.com", "phone": "+15550000005", "referral_code": "NOBODY22"}),
        ),
        "/store/customers/otp/send" => (None, json!({"type": "email_verification", "customer_id": people.unproven})),
        "/store/customers/me/contact" => (member, json!({"email": "new@example.com"})),
        "/store/customers/account-deletion/cancel-request" => (None, json!({"email": "dan@example.com"})),
        "/store/customers/change-password" => {
            let new = "C0rrect-horse-battery";
            (member, json!({"old_password": "wrong", "new_password": new, "confirm_password": new}))
        }
        _ => (member, json!({})),
    }
}

/// One request to a row. Where the row takes codes, it is a wrong one for `token`.
async fn ask(server: &TestServer, route: &Route, people: &People, number: usize, token: Option<&str>) -> Answer {
    let path = route.path.replace("{actor_type}", "customer").replace("{auth_provider}", "emailpass");
    let (bearer, mut body) = request_to(route.path, people, number);
    if let Some(token) = token {
        body = json!({"token": token, "code": "wrong"});
    }
    if route.method == Method::GET && route.path.starts_with("/auth") {
        let path = format!("{path}?email={EMAIL}&password=wrong");
        return server.get(&path, None).await;
    }
    server.send(route.method.clone(), &path, bearer.as_deref(), Some(body)).await
}

/// Whether an answer is the refusal of a limit.
fn is_refusal(answer: &Answer) -> bool {
    if answer.status.as_u16() == 429 {
        assert!(answer.headers.contains_key("retry-after"), "{}", answer.text);
        return true;
    }
    answer.text.contains("\"otp_locked\"")
}

/// The first of some requests to a row that was refused by a limit, from 0; with the token that it brought.
async fn first_refusal(
    server: &TestServer,
    route: &Route,
    people: &People,
    limiter: Limiter,
) -> Option<(usize, Option<String>)> {
    let token = match sender_of(route.path) {
        None => None,
        Some(sender) => {
            let sender = TABLE.iter().find(|row| row.path == sender).unwrap();
            let sent = ask(server, sender, people, 0, None).await;
            assert_eq!(sent.status.as_u16(), 200, "{}", sent.text);
            Some(sent.field("/token"))
        }
    };
    for number in 0..TRIES {
        let answer = ask(server, route, people, number, token.as_deref()).await;
        if is_refusal(&answer) {
            return Some((number, token));
        }
        // What wrong codes do to sends shows only once there was one.
        if let (Limiter::WrongCodes, Some(taker)) = (limiter, taker_of(route.path)) {
            let bearer = taker.contains("/me/").then_some(people.member.as_str());
            server.post(taker, bearer, json!({"token": answer.field("/token"), "code": "wrong"})).await;
        }
    }
    None
}

/// A row that one limiter refuses now.
struct Case<'a> {
    server: &'a TestServer,
    route: &'a Route,
    people: &'a People,
    limiter: Limiter,
    token: Option<&'a str>,
}

impl Case<'_> {
    /// The next answer of the row, which is a refusal: the seconds that it tells to wait, if it tells any.
    async fn refusal(&self, number: usize, told: &str) -> Option<i64> {
        let answer = ask(self.server, self.route, self.people, number, self.token).await;
        assert!(is_refusal(&answer), "{told}: {} {}", answer.status, answer.text);
        answer.headers.get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap())
    }

    /// The refusal tells when it ends, holds to the last second before that, and is over then.
    async fn ends_in_time(&self, clock: &Frozen, number: usize, told: &str) {
        let wait = self.refusal(number, told).await;
        let ends_in = match self.limiter {
            Limiter::MaxAttempts => None,
            // Delays begin with a second.
            Limiter::LoginFailures => Some(1),
            _ => Some(WINDOW),
        };
        let is_code = sender_of(self.route.path).is_some();
        assert_eq!(wait, ends_in.filter(|_| !is_code), "{told}");
        // A code that used up its tries stays locked.
        clock.advance_seconds(ends_in.unwrap_or(WINDOW) - 1);
        let left = self.refusal(number, told).await;
        assert_eq!(left, ends_in.filter(|_| !is_code).map(|_| 1), "{told} a second before its end");
        clock.advance_seconds(1);
        let answer = ask(self.server, self.route, self.people, number, self.token).await;
        assert_eq!(is_refusal(&answer), self.limiter == Limiter::MaxAttempts, "{told} after its end: {}", answer.text);
    }
}

cr_testkit::both! {
    /// The table is what an operator and an auditor read: it must say what is counted, all of it and nothing else.
    async fn rows_refuse_by_the_limiters_that_they_name_and_by_no_other(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let people = people(&server, &database).await;
        server.stop().await;
        for (limiter, edits) in CASES {
            let (server, clock) = stage(&database, edits).await;
            for route in TABLE {
                database.sql("delete from cr_limit").await;
                database.sql("delete from otp_verification").await;
                let refused = first_refusal(&server, route, &people, limiter).await;
                let told = format!("{limiter:?} at {} {}", route.method, route.path);
                match refused {
                    None => assert!(!route.limiters.contains(&limiter), "{told} never refuses"),
                    Some((number, token)) => {
                        assert!(route.limiters.contains(&limiter), "{told} refuses at {number}");
                        let room = if limiter == Limiter::SendsPerChannel { 1..=2 } else { 1..=1 };
                        assert!(room.contains(&number), "{told} refuses at {number}");
                        let case = Case { server: &server, route, people: &people, limiter, token: token.as_deref() };
                        case.ends_in_time(&clock, number + 1, &told).await;
                    }
                }
            }
            server.stop().await;
        }
    }
}

/// A limiter that no row names limits nothing.
#[test]
fn every_limiter_is_named_by_a_row_and_tried() {
    for (limiter, _) in CASES {
        assert!(TABLE.iter().any(|route| route.limiters.contains(&limiter)), "{limiter:?}");
    }
    for route in TABLE {
        for limiter in route.limiters {
            assert!(CASES.iter().any(|(case, _)| case == limiter), "{limiter:?} of {}", route.path);
        }
    }
}

/// A limit that can be configured and is no limiter of the table is one that nobody tries at its edge.
#[test]
fn every_limit_of_the_configuration_is_a_limiter() {
    let schema: Value = serde_json::from_str(include_str!("../../../../docs/config.schema.json")).unwrap();
    let configured = schema["properties"]["options"]["properties"]["limits"]["properties"].as_object().unwrap();
    let tried: Vec<String> = CASES.iter().map(|(limiter, _)| format!("{limiter:?}").to_lowercase()).collect();
    for name in configured.keys() {
        // Which numbers may be texted, and how long a failed login waits: no number of requests.
        let is_count = !["smsCountries", "loginDelay"].contains(&name.as_str());
        assert_eq!(tried.contains(&name.to_lowercase()), is_count, "{name}");
    }
}
