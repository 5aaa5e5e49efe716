//! What a stranger may not learn: a row of the policy table that does not say `may_reveal` answers alike whoever is named, an
//! account in any state or nobody. A row without an entry here fails.

use cr_server::routes::{Gate, Route, TABLE};
use cr_testkit::TestDatabase;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use crate::stage::{EMAIL, PHONE, prove, schedule_deletion, stage, told, verified};
use crate::support::{Answer, TestServer};

/// Somebody or nobody, as a stranger may name them.
struct Subject {
    state: &'static str,
    email: &'static str,
    phone: &'static str,
    id: String,
}

/// How a stranger asks a row about somebody.
enum Asks {
    /// The row names nobody, or only by a token that the stranger does not have.
    Nobody,
    /// Each of these bodies, where `EMAIL`, `PHONE`, `ID` and `OTP` stand for the subject's.
    About(Vec<Value>),
}

/// The requests of a stranger to a row; `None` for a row that nobody thought about.
fn asks(method: &Method, path: &str) -> Option<Asks> {
    let wrong = |key: &str, value: &str| json!({key: value, "password": "wrong"});
    let named = |mut body: Value, keys: &[(&str, &str)]| -> Vec<Value> {
        let bodies = keys.iter().map(|(key, value)| {
            body[*key] = json!(value);
            let one = body.clone();
            body.as_object_mut().unwrap().shift_remove(*key);
            one
        });
        bodies.collect()
    };
    Some(match (method.as_str(), path) {
        (_, "/health" | "/health/ready" | "/auth/{actor_type}/{auth_provider}/callback")
        | ("POST", "/store/customers/account-deletion/confirm") => Asks::Nobody,
        ("POST" | "GET", "/auth/{actor_type}/{auth_provider}") => {
            Asks::About(vec![wrong("email", "EMAIL"), wrong("phone", "PHONE"), wrong("email_or_phone", "EMAIL")])
        }
        ("POST", "/auth/{actor_type}/{auth_provider}/reset-password") => Asks::About(named(
            json!({}),
            &[("identifier", "EMAIL"), ("email", "EMAIL"), ("phone", "PHONE"), ("email_or_phone", "PHONE")],
        )),
        ("POST", "/auth/{actor_type}/{auth_provider}/update") => {
            Asks::About(named(json!({"password": "N3w-and-better"}), &[("email", "EMAIL"), ("phone", "PHONE")]))
        }
        ("POST", "/store/customers/otp/send") => {
            let mut bodies = named(json!({"type": "email_verification"}), &[("email", "EMAIL"), ("customer_id", "ID")]);
            bodies.extend(named(json!({"type": "phone_verification"}), &[("phone", "PHONE"), ("customer_id", "ID")]));
            Asks::About(bodies)
        }
        ("POST", "/store/customers/otp/verify" | "/store/customers/account-deletion/cancel-confirm") => {
            Asks::About(named(json!({"token": "OTP"}), &[("code", "wrong"), ("code", "000000")]))
        }
        ("POST", "/store/customers/account-deletion/cancel-request") => {
            Asks::About(named(json!({}), &[("email", "EMAIL"), ("phone", "PHONE")]))
        }
        _ => return None,
    })
}

/// An account in each state, and nobody.
async fn subjects(server: &TestServer, database: &TestDatabase) -> Vec<Subject> {
    let proven = verified(server).await;
    let mut all = vec![
        Subject {
            state: "nobody",
            email: "nobody@example.com",
            phone: "+15550000009",
            id: "cus_00000000000000000000000000".to_owned(),
        },
        Subject { state: "e-mail proven", email: EMAIL, phone: PHONE, id: proven.id },
    ];
    for (state, email, phone) in [
        ("nothing proven", "carol@example.com", "+15550000003"),
        ("all proven", "frank@example.com", "+15550000006"),
        ("leaving", "dan@example.com", "+15550000004"),
        ("soft-deleted", "gina@example.com", "+15550000007"),
        ("a guest", "hugo@example.com", "+15550000008"),
    ] {
        let (token, id) = server.customer(email, phone).await;
        if matches!(state, "all proven" | "leaving" | "soft-deleted") {
            prove(server, &token, "email_verification", email).await;
            prove(server, &token, "phone_verification", phone).await;
        }
        match state {
            "leaving" => schedule_deletion(database, &id).await,
            "soft-deleted" => {
                let sql = format!("update customer set deleted_at = '2026-01-02T03:04:05.678Z' where id = '{id}'");
                database.sql(&sql).await;
            }
            "a guest" => database.sql(&format!("update customer set has_account = false where id = '{id}'")).await,
            _ => {}
        }
        all.push(Subject { state, email, phone, id });
    }
    server.register("ivy@example.com").await;
    all.push(Subject {
        state: "registered alone",
        email: "ivy@example.com",
        phone: "+15550000010",
        id: "cus_00000000000000000000000001".to_owned(),
    });
    all
}

/// A stranger's request to a row about somebody.
async fn ask(server: &TestServer, route: &Route, body: &Value, subject: &Subject) -> Answer {
    let mut text = body.to_string();
    if text.contains("\"OTP\"") {
        let (sender, about) = if route.path.ends_with("cancel-confirm") {
            ("/store/customers/account-deletion/cancel-request", json!({"email": subject.email}))
        } else {
            ("/store/customers/otp/send", json!({"type": "email_verification", "email": subject.email}))
        };
        text = text.replace("OTP", &server.post(sender, None, about).await.field("/token"));
    }
    for (word, value) in [("EMAIL", subject.email), ("PHONE", subject.phone), ("ID", &subject.id)] {
        text = text.replace(&format!("\"{word}\""), &format!("\"{value}\""));
    }
    let path = route.path.replace("{actor_type}", "customer").replace("{auth_provider}", "emailpass");
    let body: Value = serde_json::from_str(&text).unwrap();
    if route.method != Method::GET {
        return server.send(route.method.clone(), &path, None, Some(body)).await;
    }
    let pairs: Vec<String> = body
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap().replace('+', "%2B").replace('@', "%40")))
        .collect();
    server.get(&format!("{path}?{}", pairs.join("&")), None).await
}

/// All that a stranger sees of an answer: status, headers, body, and how long it is. The id of a request is always another, and so is
/// the tag of a body with a token in it.
fn seen(answer: &Answer) -> (String, Vec<String>, usize) {
    let value_of = |name: &str, value: &HeaderValue| match name {
        "x-request-id" | "etag" => value.len().to_string(),
        _ => value.to_str().unwrap().to_owned(),
    };
    let headers = answer.headers.iter().map(|(name, value)| format!("{name}: {}", value_of(name.as_str(), value)));
    let mut headers: Vec<String> = headers.collect();
    headers.sort_unstable();
    (told(answer), headers, answer.text.len())
}

/// Saying `may_reveal` takes a row out of the test below. Where a stranger may call it, that needs a reason.
#[test]
fn what_may_reveal_to_a_stranger_is_known() {
    let open = |route: &&Route| route.may_reveal && matches!(route.gate, Gate::Public | Gate::OptionalCustomer);
    let rows: Vec<&str> = TABLE.iter().filter(open).map(|route| route.path).collect();
    // Who registers says who they are, and whether that can be had must be told. An undo link is a secret that was sent to its owner.
    assert_eq!(rows, ["/auth/{actor_type}/{auth_provider}/register", "/store/customers/contact/undo"]);
}

cr_testkit::both! {
    /// Lists of e-mails are bought and tried; a shop's answers must not tell which of them shop there.
    async fn rows_that_reveal_nothing_answer_everybody_alike(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let subjects = subjects(&server, &database).await;
        for route in TABLE.iter().filter(|route| !route.may_reveal) {
            let asks = asks(&route.method, route.path)
                .unwrap_or_else(|| panic!("{} {} may reveal nothing, and nobody asks it", route.method, route.path));
            let Asks::About(bodies) = asks else { continue };
            for body in bodies {
                let [nobody, somebody @ ..] = subjects.as_slice() else { panic!("no subjects") };
                let expected = seen(&ask(&server, route, &body, nobody).await);
                for subject in somebody {
                    let answer = seen(&ask(&server, route, &body, subject).await);
                    assert_eq!(answer, expected, "{} {} {body}: {}", route.method, route.path, subject.state);
                }
            }
        }
        server.stop().await;
    }
}
