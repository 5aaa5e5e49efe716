//! The policy table's limiters: each is set to its smallest, and exactly the rows that name it must refuse soon. A row that names a
//! limiter and does not count against it, or counts without naming it, fails here.

use cr_server::routes::{Limiter, Route, TABLE};
use cr_testkit::TestDatabase;
use http::Method;
use serde_json::{Value, json};

use crate::stage::{EMAIL, PHONE, prove, stage, verified};
use crate::support::{Answer, PASSWORD, TestServer};

/// A limiter, and the edits of the configuration that leave room for one, or nearly so.
const CASES: [(Limiter, &[(&str, &str)]); 14] = [
    (Limiter::MaxAttempts, &[("[options]\n", "[options]\nmaxAttempts = 1\n")]),
    (Limiter::WrongCodes, &[("wrongCodes = \"off\"", "wrongCodes = \"1/24h\"")]),
    (Limiter::ResendThrottleSeconds, &[("resendThrottleSeconds = 0", "resendThrottleSeconds = 90")]),
    (Limiter::SendsPerSubject, &[("sendsPerSubject = \"off\"", "sendsPerSubject = \"1/1h\"")]),
    (Limiter::SendsPerDestination, &[("sendsPerDestination = \"off\"", "sendsPerDestination = \"1/1h\"")]),
    (Limiter::SendsPerAddress, &[("sendsPerAddress = \"off\"", "sendsPerAddress = \"1/1h\"")]),
    (Limiter::SendsPerChannel, &[("email = \"off\"", "email = \"2/1h\"")]),
    (Limiter::LoginFailures, &[("loginFailures = \"off\"", "loginFailures = \"1/24h\"")]),
    (Limiter::LoginFailuresPerAddress, &[("loginFailuresPerAddress = \"off\"", "loginFailuresPerAddress = \"1/5m\"")]),
    (Limiter::RegistrationsPerAddress, &[("registrationsPerAddress = \"off\"", "registrationsPerAddress = \"1/1h\"")]),
    (Limiter::Resets, &[("resets = \"off\"", "resets = \"1/1h\"")]),
    (
        Limiter::CancelRequestsPerAddress,
        &[("cancelRequestsPerAddress = \"off\"", "cancelRequestsPerAddress = \"1/15m\"")],
    ),
    (Limiter::PasswordChanges, &[("passwordChanges = \"off\"", "passwordChanges = \"1/15m\"")]),
    (Limiter::ReferralGuesses, &[("referralGuesses = \"off\"", "referralGuesses = \"1/1h\"")]),
];

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

/// The first of some requests to a row that was refused by a limit, from 0.
async fn first_refusal(server: &TestServer, route: &Route, people: &People, limiter: Limiter) -> Option<usize> {
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
            return Some(number);
        }
        // What wrong codes do to sends shows only once there was one.
        if let (Limiter::WrongCodes, Some(taker)) = (limiter, taker_of(route.path)) {
            let bearer = taker.contains("/me/").then_some(people.member.as_str());
            server.post(taker, bearer, json!({"token": answer.field("/token"), "code": "wrong"})).await;
        }
    }
    None
}

cr_testkit::both! {
    /// The table is what an operator and an auditor read: it must say what is counted, all of it and nothing else.
    async fn rows_refuse_by_the_limiters_that_they_name_and_by_no_other(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let people = people(&server, &database).await;
        server.stop().await;
        for (limiter, edits) in CASES {
            let (server, _) = stage(&database, edits).await;
            for route in TABLE {
                database.sql("delete from cr_limit").await;
                database.sql("delete from otp_verification").await;
                let refused = first_refusal(&server, route, &people, limiter).await;
                let told = format!("{limiter:?} at {} {}: refused at {refused:?}", route.method, route.path);
                if route.limiters.contains(&limiter) {
                    assert!(refused.is_some_and(|number| number > 0), "{told}");
                } else {
                    assert_eq!(refused, None, "{told}");
                }
            }
            server.stop().await;
        }
    }

    /// What a stranger may not learn: the rows that reveal nothing answer alike for a proven, an unproven, a leaving and no account.
    async fn rows_that_reveal_nothing_answer_everybody_alike(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        people(&server, &database).await;
        let contacts = [EMAIL, "carol@example.com", "dan@example.com", "nobody@example.com"];
        let phones = [PHONE, "+15550000003", "+15550000004", "+15550000009"];
        for (path, key, body) in [
            ("/auth/customer/emailpass/reset-password", "email", json!({})),
            ("/auth/customer/emailpass", "email", json!({"password": "wrong"})),
            ("/store/customers/otp/send", "email", json!({"type": "email_verification"})),
            ("/store/customers/otp/send", "phone", json!({"type": "phone_verification"})),
            ("/store/customers/account-deletion/cancel-request", "email", json!({})),
            ("/store/customers/account-deletion/cancel-request", "phone", json!({})),
        ] {
            let mut seen = Vec::new();
            for contact in if key == "email" { contacts } else { phones } {
                let mut body = body.clone();
                body[key] = json!(contact);
                let answer = server.post(path, None, body).await;
                let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
                seen.push((crate::stage::told(&answer), names));
            }
            assert!(seen.iter().all(|one| *one == seen[0]), "{path} {key}: {seen:#?}");
        }
        server.stop().await;
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
