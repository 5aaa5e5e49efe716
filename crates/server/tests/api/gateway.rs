//! What is not ours goes to the server behind us: here a stub that tells what reached it, elsewhere the real Medusa.

mod connections;
mod hostile;
pub(crate) mod upstream;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use cr_testkit::{Frozen, TestDatabase};
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stage::{claims, request, schedule_deletion, stage, told, verified};
use crate::support::{Answer, TestServer};

/// A server in front of the stub; more edits of its configuration.
async fn open(database: &TestDatabase, edits: &[(&str, &str)]) -> (TestServer, Arc<Frozen>) {
    let upstream = upstream::start().await;
    let gateway = format!("[gateway]\nupstream = \"http://{upstream}\"\ntimeoutSeconds = 30\n\n[options]\n");
    let all: Vec<(&str, &str)> = [("[options]\n", gateway.as_str())].into_iter().chain(edits.iter().copied()).collect();
    stage(database, &all).await
}

/// What the stub was told.
fn reached(answer: &Answer) -> Value {
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    answer.json()
}

/// An administrator's token, and the cookie of their session.
async fn administrator(server: &TestServer) -> (String, String) {
    let password = "Tr0ub4dor&3x";
    cr_core::workflows::create_user::run(&server.app, "admin@example.com", password.to_owned().into()).await.unwrap();
    let body = json!({"email": "admin@example.com", "password": password});
    let token = server.post("/auth/user/emailpass", None, body).await.field("/token");
    let session = server.post("/auth/session", Some(&token), json!({})).await;
    let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    (token, cookie)
}

cr_testkit::both! {
    async fn a_foreign_request_goes_through_as_it_came(database: TestDatabase) {
        let (server, _) = open(&database, &[]).await;
        let headers = [
            ("content-type", "application/weird"), ("authorization", "Bearer theirs"), ("x-custom", "1"), ("connection", "x-custom-2"),
            ("x-custom-2", "2"), ("cookie", "connect.sid=a; cart=2; cr.sid=b"), ("x-forwarded-for", "1.2.3.4"), ("host", "shop.example"),
        ];
        let mut sent = request(Method::PUT, "/Custom/%7Ea//b;c?x=%2f&y", &headers, None);
        *sent.body_mut() = Body::from("not json".repeat(100_000));
        let answer = server.raw(sent).await;
        let told = reached(&answer);
        assert_eq!((told["method"].as_str(), told["target"].as_str(), &told["length"]), (Some("PUT"), Some("/Custom/%7Ea//b;c?x=%2f&y"), &json!(800_000)));
        let id = answer.headers["x-request-id"].to_str().unwrap();
        let mut headers = told["headers"].clone();
        // The body's frame is the connection's own.
        for name in ["content-length", "transfer-encoding"] {
            headers.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(headers, json!({
            "content-type": "application/weird", "authorization": "Bearer theirs", "x-custom": "1", "cookie": "cart=2",
            "host": "shop.example", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
            "x-forwarded-host": "shop.example", "x-request-id": id,
        }));
        let back: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(back, ["cart=1; Path=/"]);
        assert_eq!((&answer.headers["etag"], &answer.headers["access-control-allow-origin"], &answer.headers["x-powered-by"]),
                   (&"\"theirs\"".parse().unwrap(), &"https://theirs.example".parse().unwrap(), &"Express".parse().unwrap()));
        assert!(answer.headers.get("keep-alive").is_none());
        let refused = server.get("/custom/refused", None).await;
        assert_eq!((refused.status.as_u16(), refused.text.as_str()), (418, "no tea"));
        server.stop().await;
    }

    async fn what_is_ours_stays_ours(database: TestDatabase) {
        let (server, _) = open(&database, &[]).await;
        for (method, path, status) in [
            (Method::GET, "/health", 200), (Method::GET, "/store/customers/me", 401), (Method::GET, "/admin/account-deletion-requests", 401),
            (Method::DELETE, "/auth/customer/emailpass", 404), (Method::PUT, "/auth/session", 404), (Method::GET, "/auth/customer/phonepass/x", 404),
            (Method::GET, "/docs", 200), (Method::GET, "/customer-registration/", 200),
            // In disguise they would reach Medusa's own version.
            (Method::POST, "//store/customers", 404), (Method::POST, "/store/%63ustomers", 404), (Method::POST, "/store/x/../customers", 404),
            (Method::POST, "/auth//customer/emailpass/register", 404), (Method::POST, "/auth/customer/%65mailpass", 401),
        ] {
            let answer = server.raw(request(method.clone(), path, &[], None)).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
            assert!(!answer.text.contains("\"target\""), "{method} {path}");
        }
        for (method, path) in [
            (Method::GET, "/"), (Method::GET, "/store/products"), (Method::POST, "/auth/customer/google"), (Method::DELETE, "/store/customers/me"),
            (Method::GET, "/auth/customer/google/callback?code=1"), (Method::GET, "/app"), (Method::POST, "/auth/mfa/factors"), (Method::OPTIONS, "/store/carts"),
        ] {
            let answer = server.raw(request(method.clone(), path, &[], None)).await;
            if path == "/store/customers/me" {
                assert_eq!(answer.json()["customer"]["id"], "cus_x");
            } else {
                assert_eq!((reached(&answer)["method"].as_str(), reached(&answer)["target"].as_str()), (Some(method.as_str()), Some(path)));
            }
        }
        server.stop().await;
    }

    /// Medusa knows nothing of accounts that are about to go, or whose sessions were ended.
    async fn the_guard_holds_for_what_goes_through(database: TestDatabase) {
        let (server, _) = open(&database, &[("trustProxy = []", "trustProxy = []\npublishableKey = \"off\"")]).await;
        let known = verified(&server).await;
        let bearer = format!("Bearer {}", known.login);
        assert_eq!(reached(&server.get("/store/carts", Some(&known.login)).await)["headers"]["authorization"], bearer);
        schedule_deletion(&database, &known.id).await;
        for path in ["/store/carts", "//store/carts", "/store/%63arts", "/x/..%2fstore/carts", "/STORE/carts"] {
            let answer = server.get(path, Some(&known.login)).await;
            assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (403, Some("account_deletion_pending")), "{path}");
        }
        let preflight = [("access-control-request-method", "GET"), ("authorization", &bearer)];
        assert_eq!(reached(&server.raw(request(Method::OPTIONS, "/store/carts", &preflight, None)).await)["method"], "OPTIONS");
        let other = server.raw(request(Method::OPTIONS, "/store/carts", &[("authorization", &bearer)], None)).await;
        assert_eq!(other.status.as_u16(), 403, "{}", other.text);
        assert_eq!(reached(&server.get("/custom/x", Some(&known.login)).await)["method"], "GET");
        database.sql("update customer set deleted_at = '2026-01-02T03:04:05.678Z'").await;
        let told = reached(&server.get("/store/carts", Some(&known.login)).await);
        assert!(told["headers"].get("authorization").is_none(), "{told}");
        server.stop().await;
    }

    async fn a_publishable_key_is_asked_for_below_store(database: TestDatabase) {
        let (server, _) = open(&database, &[("trustProxy = []", "trustProxy = []\npublishableKey = \"required\"")]).await;
        for path in ["/store/carts", "//store/carts", "/%73tore/carts"] {
            let answer = server.get(path, None).await;
            assert_eq!((answer.status.as_u16(), answer.json()["type"].as_str()), (400, Some("not_allowed")), "{path}");
        }
        reached(&server.get("/custom/x", None).await);
        server.stop().await;
    }

    /// The dashboard signs in by session, and Medusa reads tokens.
    async fn a_session_goes_on_as_a_token_of_a_minute(database: TestDatabase) {
        let (server, clock) = open(&database, &[]).await;
        let (_, cookie) = administrator(&server).await;
        let told = reached(&server.raw(request(Method::GET, "/admin/orders", &[("cookie", &cookie)], None)).await);
        let bearer = told["headers"]["authorization"].as_str().unwrap();
        let said = claims(bearer.strip_prefix("Bearer ").unwrap());
        let iat = said["iat"].as_i64().unwrap();
        assert_eq!((said["actor_type"].as_str(), said["exp"].as_i64()), (Some("user"), Some(iat + 60)));
        assert!(told["headers"].get("cookie").is_none());
        let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
        let answer = server.raw(request(Method::POST, "/admin/orders", &foreign, None)).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (403, Some("cross_site_request")));
        // A key that the request brings itself is not covered up by a customer's session.
        let known = verified(&server).await;
        let session = server.post("/auth/session", Some(&known.login), json!({})).await;
        let customer = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let both = [("cookie", customer.as_str()), ("authorization", "Basic c2tfMTo=")];
        assert_eq!(reached(&server.raw(request(Method::GET, "/admin/orders", &both, None)).await)["headers"]["authorization"], "Basic c2tfMTo=");
        let told = reached(&server.raw(request(Method::GET, "/store/carts", &[("cookie", &customer)], None)).await);
        assert_eq!(claims(told["headers"]["authorization"].as_str().unwrap().strip_prefix("Bearer ").unwrap())["actor_id"], known.id.as_str());
        clock.advance_seconds(86_400);
        let told = reached(&server.raw(request(Method::GET, "/admin/orders", &[("cookie", &cookie)], None)).await);
        assert!(told["headers"].get("authorization").is_none(), "a session that has ended");
        server.stop().await;
    }

    async fn a_dead_or_slow_upstream_is_told_in_medusas_shape(database: TestDatabase) {
        let edits = [("timeoutSeconds = 30", "timeoutSeconds = 1"), ("trustProxy = []", "trustProxy = []\nstoreCors = \"https://shop.example\"")];
        let (server, _) = open(&database, &edits).await;
        assert_eq!(told(&server.get("/custom/slow", None).await), r#"504 {"type":"unexpected_state","message":"The shop did not answer in time"}"#);
        server.stop().await;
        let gone = "[gateway]\nupstream = \"http://127.0.0.1:9\"\n\n[options]\n";
        let (server, _) = stage(&database, &[("[options]\n", gone), ("trustProxy = []", "trustProxy = []\nstoreCors = \"https://shop.example\"")]).await;
        let answer = server.raw(request(Method::GET, "/store/carts", &[("origin", "https://shop.example")], None)).await;
        assert_eq!(told(&answer), r#"502 {"type":"unexpected_state","message":"The shop cannot be reached"}"#);
        assert_eq!(answer.headers["access-control-allow-origin"], "https://shop.example");
        server.stop().await;
    }

    /// Events must not wait for the end, a large body must arrive whole, and a broken one must not look whole.
    async fn bodies_are_streamed_both_ways(database: TestDatabase) {
        let (server, _) = open(&database, &[]).await;
        let client = client();
        let release = async || client.get(format!("{}/custom/release", server.url)).send().await.unwrap();
        let mut events = client.get(format!("{}/custom/events", server.url)).send().await.unwrap();
        // The second is not even sent before the first is here.
        let first = tokio::time::timeout(Duration::from_secs(20), events.chunk()).await.expect("the first event arrives alone");
        assert_eq!(first.unwrap().unwrap(), "data: 1\n\n");
        release().await;
        assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 2\n\n");
        let big = client.get(format!("{}/custom/big", server.url)).send().await.unwrap();
        assert_eq!(big.bytes().await.unwrap().len(), 3_000_000);
        let sent = client.post(format!("{}/custom/x", server.url)).body(vec![b'y'; 5_000_000]).send().await.unwrap();
        assert_eq!(sent.json::<Value>().await.unwrap()["length"], 5_000_000);
        let broken = client.get(format!("{}/custom/broken", server.url)).send().await.unwrap();
        release().await;
        assert!(broken.bytes().await.is_err());
        server.stop().await;
    }

    async fn a_connection_is_upgraded_through(database: TestDatabase) {
        let (server, _) = open(&database, &[]).await;
        let mut stream = tokio::net::TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(b"GET /custom/upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n").await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        for word in ["hello", "again"] {
            stream.write_all(word.as_bytes()).await.unwrap();
            let mut echo = vec![0; word.len()];
            stream.read_exact(&mut echo).await.unwrap();
            assert_eq!(echo, word.as_bytes());
        }
        drop(stream);
        server.stop().await;
    }

    /// Medusa's own subscriber writes that mail; the limits stand before it.
    async fn an_administrators_reset_is_the_upstreams(database: TestDatabase) {
        let (server, _) = open(&database, &[("resets = \"off\"", "resets = \"2/1h\"")]).await;
        let path = "/auth/user/emailpass/reset-password";
        for body in [json!({"identifier": "admin@example.com"}), json!({"email": "admin@example.com"})] {
            let told = reached(&server.post(path, None, body).await);
            assert_eq!((told["target"].as_str(), told["body"].as_str()), (Some(path), Some(r#"{"identifier":"admin@example.com"}"#)));
        }
        let third = server.post(path, None, json!({"identifier": "admin@example.com"})).await;
        assert_eq!(third.status.as_u16(), 429);
        let told = reached(&server.post("/auth/user/emailpass/update", Some("a.b.c"), json!({"password": "x", "email": "y"})).await);
        assert_eq!((&told["headers"]["authorization"], told["body"].as_str()), (&json!("Bearer a.b.c"), Some(r#"{"password":"x","email":"y"}"#)));
        assert_eq!(told_status(&server, "/auth/customer/emailpass/reset-password").await, 201);
        server.stop().await;
    }

    async fn orders_are_the_upstreams_to_tell(database: TestDatabase) {
        let (server, _) = open(&database, &[]).await;
        let known = verified(&server).await;
        let get = async |query: &str| server.get(&format!("/store/customers/me{query}"), Some(&known.login)).await;
        assert_eq!(told(&get("?fields=*orders").await), r#"200 {"customer":{"id":"cus_x","orders":[],"asked":"fields=%2Aorders"}}"#);
        assert_eq!(
            told(&get("?fields=id,email_verified,orders.id,%2Bphone_verified").await),
            r#"200 {"customer":{"id":"cus_x","orders":[],"asked":"fields=id%2Corders.id","email_verified":true,"phone_verified":false}}"#
        );
        assert_eq!(get("").await.json()["customer"]["id"], known.id.as_str());
        server.stop().await;
    }
}

/// The status of a reset for a customer, which is ours.
async fn told_status(server: &TestServer, path: &str) -> u16 {
    server.post(path, None, json!({"email": "nobody@example.com"})).await.status.as_u16()
}

/// A client over a socket.
fn client() -> reqwest::Client {
    // Another test may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
