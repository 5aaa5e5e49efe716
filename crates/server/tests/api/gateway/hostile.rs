//! Requests that try to get around what is judged here, and answers that break the rules.

use std::time::Duration;

use axum::body::{Body, Bytes};
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use http::{HeaderValue, Method, Request};
use http_body_util::channel::Channel;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::{administrator, client, open, reached};
use crate::gates::credentials::medusas_link;
use crate::stage::{request, schedule_deletion, stage, told, verified};
use crate::support::TestServer;

/// A server that reads the head of each request, answers these bytes, and ends the connection.
async fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    TaskTracker::new().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(bytes).await.unwrap();
        }
    });
    format!("[gateway]\nupstream = \"http://{address}\"\n\n[options]\n")
}

/// What the server sends back for these bytes, up to the end of its head.
async fn head_of_answer(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

cr_testkit::both! {
    /// Node reads these headers as latin-1 text, and Medusa takes the second word for the token.
    async fn a_token_counts_however_the_header_is_written(database: TestDatabase) {
        let (server, _) = open(&database, &[("trustProxy = []", "trustProxy = []\npublishableKey = \"off\"")]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        for (before, after) in [(&b" "[..], &b" \xff"[..]), (b"\xa0", b""), (b" ", b"\xa0"), (b"\t", b" \xc3\xa9")] {
            let value = [b"Bearer", before, known.login.as_bytes(), after].concat();
            let mut sent = request(Method::GET, "/store/carts", &[], None);
            sent.headers_mut().insert("authorization", HeaderValue::from_bytes(&value).unwrap());
            let answer = server.raw(sent).await;
            assert_eq!(answer.status.as_u16(), 403, "{before:?} {after:?}: {}", answer.text);
        }
        server.stop().await;
    }

    /// Medusa must read what was judged here: of two tokens or keys the first, of cookies all, of two lengths one that both have.
    async fn of_two_lines_the_one_that_was_judged_goes_on(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let session = server.post("/auth/session", Some(&known.login), json!({})).await;
        let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let key = create_api_key::run(&server.app, ApiKeyType::Publishable, "shop").await.unwrap();
        server.stop().await;
        let (server, _) = open(&database, &[("trustProxy = []", "trustProxy = []\npublishableKey = \"required\"")]).await;
        let send = async |lines: &[(&str, &str)]| server.raw(request(Method::GET, "/store/carts", lines, None)).await;
        let (good, other) = (("x-publishable-api-key", key.as_str()), ("x-publishable-api-key", "pk_other"));
        let bearer = format!("Bearer {}", known.login);
        let (ours, theirs) = (("authorization", bearer.as_str()), ("authorization", "Bearer theirs"));
        let told = reached(&send(&[good, other, ours, theirs]).await);
        assert_eq!((&told["headers"]["x-publishable-api-key"], &told["headers"]["authorization"]), (&json!(key), &json!(bearer)));
        assert_eq!(reached(&send(&[good, theirs, ours]).await)["headers"]["authorization"], "Bearer theirs");
        assert_eq!(send(&[other, good]).await.status.as_u16(), 400);
        let told = reached(&send(&[good, ("cookie", "cart=1; cr.sid=x"), ("cookie", &cookie), ("cookie", "b=2")]).await);
        assert!(told["headers"]["authorization"].is_string(), "{told}");
        assert_eq!(told["headers"]["cookie"], "cart=1 | b=2");
        database.sql("update customer set deleted_at = '2026-01-02T03:04:05.678Z'").await;
        let told = reached(&send(&[good, ours, theirs]).await);
        assert!(told["headers"].get("authorization").is_none(), "{told}");
        let head = "POST /custom/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n";
        for second in ["6", "5, 5"] {
            let answer = head_of_answer(&server, format!("{head}Content-Length: {second}\r\n\r\nhello").as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{second}: {answer}");
        }
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(format!("{head}Content-Length: 5\r\n\r\nhello").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(r#""content-length":"5""#) && answer.contains(r#""body":"hello""#), "{answer}");
        server.stop().await;
    }

    /// Express takes `..%2f..` for a parameter of a route below `/store`.
    async fn a_path_that_climbs_out_of_the_store_is_still_of_the_store(database: TestDatabase) {
        let (server, _) = open(&database, &[("trustProxy = []", "trustProxy = []\npublishableKey = \"required\"")]).await;
        for path in ["/store/things/..%2f..", "/store/things/%2e%2e%2f%2e%2e", "/store/a%2f..%2f..%2f..%2fadmin%2forders"] {
            let answer = server.get(path, None).await;
            assert_eq!((answer.status.as_u16(), answer.json()["type"].as_str()), (400, Some("not_allowed")), "{path}");
        }
        server.stop().await;
    }

    /// Medusa knows none of these routes, and a page of another origin could call none of them.
    async fn preflights_of_our_own_routes_are_answered_here(database: TestDatabase) {
        let cors = "trustProxy = []\nstoreCors = \"https://shop.example\"\nadminCors = \"https://shop.example\"";
        let (server, _) = open(&database, &[("trustProxy = []", cors)]).await;
        let preflight = async |path: &str, method: &str| {
            let headers = [("origin", "https://shop.example"), ("access-control-request-method", method)];
            server.raw(request(Method::OPTIONS, path, &headers, None)).await
        };
        for (path, method) in [
            ("/store/customers/otp/send", "POST"), ("/store/customers/me", "PATCH"), ("/store/my-referrals", "GET"),
            ("/admin/account-deletion-requests", "GET"), ("/auth/customer/emailpass", "POST"),
        ] {
            let answer = preflight(path, method).await;
            assert_eq!(answer.status.as_u16(), 204, "{path}: {}", answer.text);
            if !path.starts_with("/auth") {
                assert_eq!(answer.headers["access-control-allow-origin"], "https://shop.example", "{path}");
            }
        }
        for (path, method) in [("/store/carts", "POST"), ("/auth/customer/google", "POST"), ("/store/customers/me", "DELETE")] {
            let answer = preflight(path, method).await;
            assert_eq!(answer.status.as_u16(), 200, "{path}");
        }
        server.stop().await;
    }

    /// A page that an administrator happens to visit must not open a socket in their name.
    async fn a_socket_by_cookie_is_opened_by_our_own_pages_alone(database: TestDatabase) {
        let (server, _) = open(&database, &[]).await;
        let (_, cookie) = administrator(&server).await;
        let socket = |origin: &str| {
            let headers = [("connection", "upgrade"), ("upgrade", "websocket"), ("host", "shop.example"), ("origin", origin), ("cookie", &cookie)];
            request(Method::GET, "/admin/socket", &headers, None)
        };
        let answer = server.raw(socket("https://evil.example")).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (403, Some("cross_site_request")));
        assert!(reached(&server.raw(socket("https://shop.example")).await)["headers"]["authorization"].is_string());
        server.stop().await;
    }

    /// Medusa would take a session that its owner has ended.
    async fn an_ended_session_becomes_a_token_nowhere(database: TestDatabase) {
        let (server, clock) = open(&database, &[]).await;
        let known = verified(&server).await;
        let session = server.post("/auth/session", Some(&known.login), json!({})).await;
        let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let by_cookie = async |path: &str| reached(&server.raw(request(Method::GET, path, &[("cookie", &cookie)], None)).await);
        let by_token = async |path: &str| reached(&server.get(path, Some(&known.login)).await);
        for path in ["/custom/x", "/admin/x", "/store/x"] {
            assert!(by_cookie(path).await["headers"]["authorization"].is_string() == (path != "/none"), "{path}");
            assert!(by_token(path).await["headers"]["authorization"].is_string(), "{path}");
        }
        clock.advance_seconds(5);
        let password = crate::support::PASSWORD;
        let body = json!({"old_password": password, "new_password": "another one 1", "confirm_password": "another one 1"});
        let changed = server.post("/store/customers/change-password", Some(&known.login), body).await;
        assert_eq!(changed.status.as_u16(), 200, "{}", changed.text);
        for path in ["/custom/x", "/admin/x", "/store/x"] {
            for told in [by_cookie(path).await, by_token(path).await] {
                assert!(told["headers"].get("authorization").is_none(), "{path}: {told}");
            }
        }
        server.stop().await;
    }

    /// Medusa would take an administrator's token that a reset or a deletion has ended; keys it judges itself.
    async fn an_administrators_ended_token_goes_nowhere(database: TestDatabase) {
        let (server, _) = open(&database, &[("trustProxy = []", "trustProxy = []\npublishableKey = \"off\"")]).await;
        let (token, cookie) = administrator(&server).await;
        let all = async |token: &str, cookie: &str| {
            let mut authorizations = Vec::new();
            for path in ["/custom/x", "/admin/x", "/store/x"] {
                let told = reached(&server.get(path, Some(token)).await);
                authorizations.push(told["headers"]["authorization"].is_string());
            }
            let told = reached(&server.raw(request(Method::GET, "/admin/x", &[("cookie", cookie)], None)).await);
            authorizations.push(told["headers"]["authorization"].is_string());
            authorizations
        };
        assert_eq!(all(&token, &cookie).await, [true; 4]);
        let link = medusas_link(&server, "admin@example.com");
        let path = "/auth/user/emailpass/update";
        assert_eq!(reached(&server.post(path, Some("a.b.c"), json!({"password": "another one 1"})).await)["target"], path);
        assert_eq!(all(&token, &cookie).await, [true; 4], "a link that is none");
        assert_eq!(reached(&server.post(path, Some(&link), json!({"password": "another one 1"})).await)["target"], path);
        assert_eq!(all(&token, &cookie).await, [false; 4]);
        let both = [("cookie", cookie.as_str()), ("authorization", "Basic c2tfMTo=")];
        let told = reached(&server.raw(request(Method::GET, "/admin/x", &both, None)).await);
        assert_eq!(told["headers"]["authorization"], "Basic c2tfMTo=");
        let body = json!({"email": "admin@example.com", "password": crate::support::PASSWORD});
        let fresh = server.post("/auth/user/emailpass", None, body).await.field("/token");
        assert_eq!(all(&fresh, &cookie).await, [true, true, true, false]);
        database.sql("update \"user\" set deleted_at = '2026-01-02T03:04:05.678Z'").await;
        assert_eq!(all(&fresh, &cookie).await, [false; 4]);
        server.stop().await;
    }

    /// One that takes longer than the upstream may think is no upstream that does not answer.
    async fn an_upload_may_take_longer_than_an_answer(database: TestDatabase) {
        let (server, _) = open(&database, &[("timeoutSeconds = 30", "timeoutSeconds = 2")]).await;
        let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
        TaskTracker::new().spawn(async move {
            for _ in 0..9 {
                sender.send_data(Bytes::from_static(b"slow ")).await.unwrap();
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        });
        let sent = client().post(format!("{}/custom/x", server.url)).body(reqwest::Body::wrap(body)).send().await.unwrap();
        assert_eq!(sent.json::<serde_json::Value>().await.unwrap()["length"], 45);
        server.stop().await;
    }

    async fn a_body_that_breaks_off_is_the_clients_fault(database: TestDatabase) {
        let (server, _) = open(&database, &[]).await;
        let head = "POST /custom/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        for body in ["0x3\r\nabc\r\n0\r\n\r\n", "-1\r\n", "3\nabc\n0\n\n"] {
            let answer = head_of_answer(&server, format!("{head}{body}").as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{body:?}: {answer}");
        }
        for (head, status) in [
            ("CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n", "400"),
            ("GET /custom/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
            // HTTP/2 would go through unread, and an old client knows no upgrade.
            ("GET /custom/upgrade-refused HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "200"),
            ("GET /custom/upgrade-refused HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", "200"),
        ] {
            let answer = head_of_answer(&server, head.as_bytes()).await;
            assert!(answer.split(' ').nth(1) == Some(status), "{head:?}: {answer}");
        }
        server.stop().await;
    }

    async fn the_body_of_a_get_goes_through_in_chunks_too(database: TestDatabase) {
        let (server, _) = open(&database, &[]).await;
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        let sent = "GET /custom/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(r#""body":"hello""#), "{answer}");
        server.stop().await;
    }

    async fn answers_that_break_the_rules_do_no_harm(database: TestDatabase) {
        for (bytes, method, answer) in [
            (&b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"[..], Method::GET, "502"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", Method::GET, "200 hello"),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", Method::GET, "200 old"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", Method::GET, "broken"),
            (b"nonsense\r\n\r\n", Method::GET, "502"),
        ] {
            let gateway = answering(bytes).await;
            let (server, _) = stage(&database, &[("[options]\n", &gateway)]).await;
            let asked = client().request(method, format!("{}/custom/x", server.url)).send().await.unwrap();
            assert_eq!(asked.version(), reqwest::Version::HTTP_11);
            let status = asked.status().as_u16();
            let told = match asked.text().await {
                Ok(text) if status == 200 => format!("200 {text}"),
                Ok(_) => status.to_string(),
                Err(_) => "broken".to_owned(),
            };
            assert_eq!(told, answer, "{}", String::from_utf8_lossy(bytes));
            server.stop().await;
        }
    }

    /// RFC 9110, section 8.6: a wrong length is worse than none.
    async fn head_tells_no_length_that_nobody_told(database: TestDatabase) {
        let gateway = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n").await;
        let (server, _) = stage(&database, &[("[options]\n", &gateway)]).await;
        let head = head_of_answer(&server, b"HEAD /custom/x HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200") && !head.to_lowercase().contains("content-length"), "{head}");
        server.stop().await;
        let (server, _) = open(&database, &[]).await;
        let known = verified(&server).await;
        let asked = "/store/customers/me?fields=email_verified,orders.id";
        let request = Request::builder().method(Method::HEAD).uri(asked).header("authorization", format!("Bearer {}", known.login));
        let answer = server.raw(request.body(Body::empty()).unwrap()).await;
        assert_eq!(told(&answer).split(' ').next(), Some("200"));
        server.stop().await;
    }
}
