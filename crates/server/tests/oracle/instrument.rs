//! The replayer itself, against a server that says what it is told: a replayer that overlooks differences shows nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::deviations::Plan;
use crate::replay::{Target, replay};
use crate::transcript::Scenario;

/// Answers one request after the other with the given bodies, status 200, whatever is asked.
struct Scripted {
    base_url: String,
    seconds: AtomicI64,
}

impl Scripted {
    /// Listens until the answers are used up.
    #[expect(clippy::disallowed_methods, reason = "the task ends with the test's runtime")]
    async fn start(bodies: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for body in bodies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let read = stream.read(&mut [0; 4096]).await.unwrap();
                assert_ne!(read, 0);
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        Self { base_url, seconds: AtomicI64::new(1_700_000_000) }
    }
}

impl Target for Scripted {
    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn given(&self) -> BTreeMap<String, String> {
        ["pk", "sk", "jwt_secret", "admin_email", "admin_password"]
            .map(|name| (name.to_owned(), name.to_owned()))
            .into()
    }

    fn now(&self) -> i64 {
        self.seconds.load(Ordering::SeqCst)
    }

    fn tick(&self) {
        self.seconds.fetch_add(1, Ordering::SeqCst);
    }

    async fn sql(&self, _: &str) {}

    async fn rows(&self, _: &str) -> Vec<Value> {
        Vec::new()
    }
}

/// Two identifiers of Medusa's kind.
const ADA: &str = "cus_01ARZ3NDEKTSV4RRFFQ69G5FAV";
const BOB: &str = "cus_01ARZ3NDEKTSV4RRFFQ69G5FAW";

/// A scenario of GET requests with these recorded bodies; steps are named `1`, `2` ….
fn scenario(bodies: &[Value]) -> Scenario {
    let headers = json!({"content-type": "application/json", "content-length": "<body-length>"});
    let step = |(index, body): (usize, &Value)| {
        json!({
            "name": (index + 1).to_string(),
            "request": {"method": "GET", "path": "/"},
            "response": {"status": 200, "headers": headers, "body": body},
        })
    };
    let steps: Vec<Value> = bodies.iter().enumerate().map(step).collect();
    serde_json::from_value(json!({"scenario": "s", "about": "", "tags": [], "steps": steps})).unwrap()
}

/// What is reported when the recording has `recorded` and the server answers `answered`.
async fn reported(plan: &str, recorded: &[Value], answered: &[Value]) -> String {
    let target = Scripted::start(answered.to_vec()).await;
    let differences = replay(&target, &Plan::parse(plan), &scenario(recorded), "0011aabb").await;
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A replay that cries wolf would be switched off.
#[tokio::test]
async fn equal_answers_are_equal_whatever_their_identifiers() {
    let recorded = [json!({"id": "<cus_id:1>"}), json!({"id": "<cus_id:2>", "of": "<cus_id:1>"})];
    assert_eq!(reported("", &recorded, &[json!({"id": BOB}), json!({"id": ADA, "of": BOB})]).await, "");
}

/// Each row is a way of being wrong that must not pass.
#[tokio::test]
async fn unlisted_differences_show() {
    let table = [
        ("another value", json!({"a": 1}), json!({"a": 2}), "body.a is 2 instead of 1"),
        ("another type", json!({"a": 1}), json!({"a": 1.0}), "body.a is 1.0 instead of 1"),
        ("a member more", json!({"a": 1}), json!({"a": 1, "b": 2}), "body.b not wanted: 2"),
        ("a member less", json!({"a": 1, "b": 2}), json!({"a": 1}), "body.b missing, 2 wanted"),
        (
            "another order",
            json!({"a": 1, "b": 2}),
            json!({"b": 2, "a": 1}),
            r#"body has its keys in another order: ["b", "a"]"#,
        ),
        (
            "two for one",
            json!(["<cus_id:1>", "<cus_id:1>"]),
            json!([ADA, BOB]),
            r#"body[1] is "<cus_id:2>" instead of "<cus_id:1>""#,
        ),
        (
            "one for two",
            json!(["<cus_id:1>", "<cus_id:2>"]),
            json!([ADA, ADA]),
            r#"body[1] is "<cus_id:1>" instead of "<cus_id:2>""#,
        ),
        (
            "a bad moment",
            json!("<timestamp>"),
            json!("2026-01-02T03:04:05Z"),
            r#"body is "2026-01-02T03:04:05Z" instead of "<timestamp>""#,
        ),
    ];
    for (name, recorded, answered, line) in table {
        assert_eq!(reported("", &[recorded], &[answered]).await, format!("s / 1\n    {line}"), "{name}");
    }
}

/// A list of deviations that only grows ends up allowing everything.
#[tokio::test]
async fn a_deviation_that_is_none_any_more_shows() {
    let plan = r#"
        [[deviation]]
        scenario = "s"
        steps = ["1"]
        reason = "so it is"
        at = { "body.a" = "2" }
    "#;
    assert_eq!(reported(plan, &[json!({"a": 1})], &[json!({"a": 2})]).await, "");
    let as_medusa = reported(plan, &[json!({"a": 1})], &[json!({"a": 1})]).await;
    assert!(as_medusa.contains("none any more"), "{as_medusa}");
    let otherwise = reported(plan, &[json!({"a": 1})], &[json!({"a": 3})]).await;
    assert!(otherwise.contains("body.a is 3 instead of 2"), "{otherwise}");
}

/// A label that stands for another value from a step on must stand for another one, and for that one from then on.
#[tokio::test]
async fn a_renamed_identifier_must_be_a_new_one() {
    let plan = r#"
        [[deviation]]
        scenario = "s"
        steps = ["2"]
        reason = "a new one each time"
        renames = ["cus_id:1"]
    "#;
    let recorded = [json!("<cus_id:1>"), json!("<cus_id:1>"), json!("<cus_id:1>")];
    assert_eq!(reported(plan, &recorded, &[json!(ADA), json!(BOB), json!(BOB)]).await, "");
    assert!(!reported(plan, &recorded, &[json!(ADA), json!(ADA), json!(ADA)]).await.is_empty());
    assert!(!reported(plan, &recorded, &[json!(ADA), json!(BOB), json!(ADA)]).await.is_empty());
}

/// A file with a slip in it must not pass for one without.
#[test]
fn a_plan_with_slips_is_refused() {
    let scenarios = [scenario(&[json!({"a": 1})])];
    let problems = |plan: &str| Plan::parse(plan).problems(&scenarios).join("\n");
    let table = [
        ("[[rule]]\nname = \"nope\"\nreason = \"r\"", "there is none of that name"),
        ("[[rule]]\nname = \"powered-by\"\nreason = \"r\"", "changes no recorded answer"),
        ("[[gateway]]\nscenario = \"t\"\nreason = \"r\"", "there is no such scenario"),
        ("[[gateway]]\nscenario = \"s\"\nsteps = [\"9\"]\nreason = \"r\"", "there is no such step"),
        ("[[deviation]]\nscenario = \"s\"\nsteps = [\"1\"]\nreason = \" \"\nstatus = 400", "no reason is given"),
        ("[[deviation]]\nscenario = \"s\"\nsteps = [\"1\"]\nreason = \"r\"\nstatus = 200", "is what Medusa answers"),
        ("[[deviation]]\nscenario = \"s\"\nsteps = [\"1\"]\nreason = \"r\"", "says nothing"),
    ];
    for (plan, problem) in table {
        assert!(problems(plan).contains(problem), "{plan}: {}", problems(plan));
    }
}
