//! Whatever comes in, what goes out is an answer: no 5xx, no panic, and a body that a client can read.

use axum::body::Body;
use cr_server::routes::TABLE;
use http::{Method, Request};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use crate::stage::{EMAIL, PHONE, stage, verified};
use crate::support::{PASSWORD, TestServer};

/// Requests a database: some seconds, hashes included.
const CASES: u32 = 3000;

/// Any request, before the server's own tokens are put in.
#[derive(Clone, Debug)]
struct Shot {
    method: String,
    path: String,
    query: String,
    bearer: usize,
    cookie: bool,
    content_type: Option<String>,
    encoding: Option<String>,
    body: Vec<u8>,
    more: Vec<(String, Vec<u8>)>,
}

/// Texts that have broken parsers before, and any others.
fn any_text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            EMAIL, PHONE, PASSWORD, "nobody@example.com", "email_verification", "phone_verification", "OTP", "CUSTOMER", "", " ",
            "\0", "a\0b@example.com", "null", "-1", "1e309", "../..", "%00", "%E0%A4%A", "cus_00000000000000000000000000",
            "' or 1=1 --", "{{otp}}", "\u{202e}", "\u{fffd}", "🔑@🔑.🔑", "+999999999999999999999", "a@b.c", "\r\nSet-Cookie: x=1",
        ]).prop_map(str::to_owned),
        2 => ".{0,24}",
        1 => any::<String>(),
        1 => (1_usize..20_000).prop_map(|length| "x".repeat(length)),
    ]
    .boxed()
}

/// Keys that bodies have, and others.
fn any_key() -> BoxedStrategy<String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "email", "phone", "password", "email_or_phone", "identifier", "type", "customer_id", "token", "code", "first_name",
            "last_name", "company_name", "metadata", "fields", "__proto__", "constructor",
        ]).prop_map(str::to_owned),
        1 => any_text(),
    ]
    .boxed()
}

/// JSON of any shape.
fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        6 => any_text().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => (1_usize..400).prop_map(|depth| (0..depth).fold(json!(1), |inner, _| json!([inner]))),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            hash_map(any_key(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
    .boxed()
}

/// A body that one route takes, with at most one key changed.
fn nearly_valid() -> BoxedStrategy<Value> {
    let seeds = vec![
        json!({"email": EMAIL, "password": PASSWORD}),
        json!({"phone": PHONE, "password": PASSWORD}),
        json!({"email_or_phone": EMAIL, "password": PASSWORD}),
        json!({"identifier": EMAIL}),
        json!({"email": EMAIL, "phone": PHONE, "first_name": "A", "metadata": {"a": 1}}),
        json!({"first_name": "A", "last_name": null, "company_name": "C", "metadata": {"a": ""}}),
        json!({"type": "email_verification", "customer_id": "CUSTOMER"}),
        json!({"type": "phone_verification", "phone": PHONE}),
        json!({"token": "OTP", "code": "123456"}),
    ];
    (prop::sample::select(seeds), proptest::option::of((any_key(), any_json())))
        .prop_map(|(mut body, change)| {
            if let Some((key, value)) = change {
                body[key] = value;
            }
            body
        })
        .boxed()
}

/// Content type and bytes that agree, or do not.
fn any_body() -> BoxedStrategy<(Option<String>, Vec<u8>)> {
    let json_type = || Just(Some("application/json".to_owned()));
    let form = vec((any_key(), any_text()), 0..5)
        .prop_map(|pairs| pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&"));
    let brackets = prop::sample::select(vec![
        "a[b][c][d][e][f][g]=1",
        "a[]=1&a[0]=2&a[x]=3",
        "metadata[a]=1",
        "email[]=x",
        "%5B%5D=%5B",
        "a=%",
        "&&&===",
        "[=1",
        "a[=1]",
        "a[1000000]=1",
        "password=1&password=2",
    ])
    .prop_map(str::to_owned);
    prop_oneof![
        6 => (json_type(), nearly_valid().prop_map(|json| json.to_string().into_bytes())),
        4 => (json_type(), any_json().prop_map(|json| json.to_string().into_bytes())),
        1 => (json_type(), (any_json(), 0_usize..40).prop_map(|(json, cut)| {
            let text = json.to_string();
            text.as_bytes()[..text.len().saturating_sub(cut)].to_vec()
        })),
        1 => (json_type(), vec(any::<u8>(), 0..64)),
        1 => (json_type(), (0_usize..60_000).prop_map(|depth| "[".repeat(depth).into_bytes())),
        1 => (json_type(), Just(format!("\"{}\"", "x".repeat(110_000)).into_bytes())),
        2 => (Just(Some("application/x-www-form-urlencoded".to_owned())), prop_oneof![form, brackets].prop_map(String::into_bytes)),
        1 => (proptest::option::of(prop::sample::select(vec![
            "text/plain", "application/json; charset=utf-16", "application/json;charset=\"utf-8\"", "application/json; charset=nonsense",
            "multipart/form-data; boundary=x", "application/vnd.api+json", "", ";;;", "application/json, text/plain",
            "application/x-www-form-urlencoded; charset=iso-8859-1",
        ]).prop_map(str::to_owned)), vec(any::<u8>(), 0..200)),
        1 => (Just(None), Just(Vec::new())),
    ]
    .boxed()
}

/// A route's own path and method mostly, with parameters filled in; else anything.
fn any_target() -> BoxedStrategy<(String, String)> {
    let routes: Vec<(String, String)> =
        TABLE.iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    let parameter = prop::sample::select(vec!["customer", "user", "robot", "%00", "%E0%A4%A", "a%2Fb", "__proto__"]);
    let provider = prop::sample::select(vec!["emailpass", "phonepass", "emailpass", "google"]);
    let known = (prop::sample::select(routes), parameter, provider, 0_u8..12).prop_map(
        |((method, path), actor, provider, twist)| {
            let actor = if twist < 8 { "customer" } else { actor };
            let path = path.replace("{actor_type}", actor).replace("{auth_provider}", provider);
            match twist {
                9 => (method, path.to_uppercase()),
                10 => (method, format!("{path}/")),
                11 => ("OPTIONS".to_owned(), path),
                _ => (method, path),
            }
        },
    );
    let methods =
        prop::sample::select(vec!["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"]);
    let paths = prop_oneof![
        "/(store|auth|admin|health)(/[a-z0-9%._~-]{0,12}){0,4}",
        "(/[!-~&&[^?#\"<>`{}|^\\\\]]{0,12}){1,4}",
        prop::sample::select(vec![
            "/store/customers/me/%2e%2e",
            "//store/customers/me",
            "/store//customers",
            "/app/inbox.json",
            "/"
        ])
        .prop_map(str::to_owned),
    ];
    prop_oneof![6 => known, 1 => (methods.prop_map(str::to_owned), paths)].boxed()
}

/// A query string in characters that a client can send.
fn any_query() -> BoxedStrategy<String> {
    prop_oneof![
        4 => Just(String::new()),
        1 => "[!-~&&[^#\"<>`{}|^\\\\]]{0,40}",
        1 => vec((any_key(), any_text()), 1..4).prop_map(|pairs| {
            let escape = |text: &str| text.bytes().take(300).map(|byte| format!("%{byte:02X}")).collect::<String>();
            pairs.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect::<Vec<_>>().join("&")
        }),
        1 => prop::sample::select(vec![
            "fields=id,*addresses", "fields=%2Bphone,-email", "fields[]=id", "fields=orders.id", "fields=", "a[b][c][d][e][f][g][h]=1",
            "email=alice%40example.com&password=wrong", "fields=a.b.c.d.e.f.g", "%", "a=%FF", "a%00=1",
        ]).prop_map(str::to_owned),
    ]
    .boxed()
}

/// Headers that something reads.
fn any_headers() -> BoxedStrategy<Vec<(String, Vec<u8>)>> {
    let name = prop::sample::select(vec![
        "origin",
        "sec-fetch-site",
        "host",
        "x-forwarded-for",
        "x-forwarded-proto",
        "if-none-match",
        "x-request-id",
        "cookie",
        "x-publishable-api-key",
        "access-control-request-method",
        "access-control-request-headers",
        "accept-encoding",
        "authorization",
    ]);
    let value = vec(prop_oneof![4 => 0x20_u8..0x7f, 1 => 0x80_u8..=0xff], 0..40);
    vec((name.prop_map(str::to_owned), value), 0..3).boxed()
}

/// Any request.
fn any_shot() -> BoxedStrategy<Shot> {
    let encoding = prop_oneof![
        9 => Just(None),
        1 => prop::sample::select(vec!["gzip", "deflate", "br", "identity", "GZIP", "nonsense"]).prop_map(|it| Some(it.to_owned())),
    ];
    (any_target(), any_query(), 0_usize..8, any::<bool>(), any_body(), encoding, any_headers())
        .prop_map(|((method, path), query, bearer, cookie, (content_type, body), encoding, more)| Shot {
            method,
            path,
            query,
            bearer,
            cookie,
            content_type,
            encoding,
            body,
            more,
        })
        .boxed()
}

/// What the server itself handed out, for half of the requests.
struct Handed {
    bearers: Vec<String>,
    cookie: String,
    customer: String,
    otp: String,
}

/// A shot as a request; `None` when HTTP itself has no such request.
fn aimed(shot: &Shot, handed: &Handed) -> Option<Request<Body>> {
    let target = if shot.query.is_empty() { shot.path.clone() } else { format!("{}?{}", shot.path, shot.query) };
    let mut request = Request::builder().method(Method::from_bytes(shot.method.as_bytes()).ok()?).uri(target);
    if let Some(token) = handed.bearers.get(shot.bearer) {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if shot.cookie && shot.bearer == 7 {
        request = request.header("cookie", &handed.cookie);
    }
    if let Some(content_type) = &shot.content_type {
        request = request.header("content-type", content_type);
    }
    if let Some(encoding) = &shot.encoding {
        request = request.header("content-encoding", encoding);
    }
    for (name, value) in &shot.more {
        request = request.header(name, value.as_slice());
    }
    let body = match std::str::from_utf8(&shot.body) {
        Ok(text) => text.replace("CUSTOMER", &handed.customer).replace("OTP", &handed.otp).into_bytes(),
        Err(_) => shot.body.clone(),
    };
    request.body(Body::from(body)).ok()
}

/// What must hold for every answer; the reason where it does not.
fn judge(shot: &Shot, status: http::StatusCode, text: &str) -> Result<(), String> {
    let tell = |why: &str| Err(format!("{why}: {status} {text} to {shot:?}"));
    if status.is_server_error() {
        return tell("a server error");
    }
    if shot.method == "HEAD" || !status.is_client_error() {
        return Ok(());
    }
    let Ok(Value::Object(body)) = serde_json::from_str::<Value>(text) else { return tell("no JSON object") };
    match body.get("message").and_then(Value::as_str) {
        Some(message) if !message.is_empty() && !message.contains("panicked") => {}
        _ => return tell("no message"),
    }
    let is_guard = body.len() == 1 && status == http::StatusCode::UNAUTHORIZED;
    if !is_guard && body.get("type").and_then(Value::as_str).is_none() {
        return tell("no type");
    }
    Ok(())
}

/// A customer, a registration and a code under way.
async fn hand_out(server: &TestServer) -> Handed {
    let known = verified(server).await;
    let pending = server.register("pending@example.com").await;
    let session = server.post("/auth/session", Some(&known.login), json!({})).await;
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let body = json!({"type": "phone_verification", "customer_id": known.id});
    let otp = server.post("/store/customers/otp/send", Some(&known.login), body).await.field("/token");
    Handed { bearers: vec![known.login, known.registration, pending, otp.clone()], cookie, customer: known.id, otp }
}

cr_testkit::both! {
    /// An attacker's bytes must never reach a panic or the operator's pager.
    async fn nothing_that_comes_in_breaks_the_server(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let handed = hand_out(&server).await;
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(Config { cases: CASES, failure_persistence: None, ..Config::default() }, rng);
        let handle = tokio::runtime::Handle::current();
        let outcome = tokio::task::block_in_place(|| {
            runner.run(&any_shot(), |shot| {
                let Some(request) = aimed(&shot, &handed) else { return Ok(()) };
                let answer = handle.block_on(server.raw(request));
                judge(&shot, answer.status, &answer.text).map_err(TestCaseError::fail)
            })
        });
        assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
        server.stop().await;
    }
}
