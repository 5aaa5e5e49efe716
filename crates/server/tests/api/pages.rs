//! Our pages over HTTP: where they are, what keeps them safe, and how small they are. What they do is shown in a browser.

use axum::body::Body;
use axum::extract::ConnectInfo;
use cr_server::router;
use http::{Method, Request};
use std::net::SocketAddr;
use std::sync::Arc;
use tower::ServiceExt;

use crate::stage::{request, stage, told};

/// What keeps a page from loading anything of somebody else's.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the admin page may weigh in all, in bytes.
const MOST: usize = 60_000;

/// All that the admin page loads.
const ADMIN_PAGE: [&str; 4] = [
    "/app/account-deletion-requests",
    "/app/account-deletion-requests.css",
    "/app/account-deletion-requests.js",
    "/app/base.css",
];

cr_testkit::both! {
    async fn pages_are_served_with_a_strict_policy(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        for path in ["/app/", "/app/account-deletion-requests", "/docs"] {
            let page = server.get(path, None).await;
            assert_eq!((page.status.as_u16(), page.headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"), "{path}");
            assert_eq!(page.headers["content-security-policy"], POLICY, "{path}");
            assert_eq!((&page.headers["x-content-type-options"], &page.headers["x-frame-options"]), (&"nosniff".parse().unwrap(), &"DENY".parse().unwrap()));
            // What the policy forbids would only fail in the browser.
            for forbidden in ["<script>", " onclick", "javascript:", " style=", "{root}", "<!--"] {
                assert!(!page.text.contains(forbidden), "{path} contains {forbidden}");
            }
        }
        let inbox = server.get("/app/inbox", None).await;
        assert!(inbox.headers["content-security-policy"].to_str().unwrap().contains("script-src 'self'; style-src 'self' 'unsafe-inline'"));
        server.stop().await;
    }

    /// A password that others read along, or that no manager may fill in, is a worse one.
    async fn the_sign_in_hides_the_password_and_takes_it_from_a_manager(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let page = server.get("/app/account-deletion-requests", None).await.text;
        for field in [
            r#"name="email" type="email" autocomplete="username""#,
            r#"name="password" type="password" autocomplete="current-password""#,
        ] {
            assert!(page.contains(field), "{page}");
        }
        let script = server.get("/app/account-deletion-requests.js", None).await.text;
        for hindrance in ["paste", "autocomplete=\"off\"", "readonly"] {
            assert!(!page.contains(hindrance) && !script.contains(hindrance), "{hindrance}");
        }
        server.stop().await;
    }

    /// On a phone in a tunnel.
    async fn the_admin_page_is_small(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let mut size = 0;
        for path in ADMIN_PAGE {
            let file = server.get(path, None).await;
            assert_eq!(file.status.as_u16(), 200, "{path}");
            size += file.text.len();
            if path.ends_with("css") || path.ends_with("js") {
                assert_eq!(file.headers["cache-control"], "no-cache", "{path}");
                let tag = file.headers["etag"].to_str().unwrap();
                let again = server.raw(request(Method::GET, path, &[("if-none-match", tag)], None)).await;
                assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{path}");
            }
        }
        assert!(size < MOST, "{size} bytes");
        server.stop().await;
    }

    /// Links are relative, so each page has one address.
    async fn each_page_has_one_address(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        for (path, location) in [
            ("/app", "app/"), ("/app/inbox/", "../inbox"), ("/docs/", "../docs"),
            ("/app/account-deletion-requests/", "../account-deletion-requests"),
        ] {
            let answer = server.get(path, None).await;
            assert_eq!((answer.status.as_u16(), answer.headers["location"].to_str().unwrap()), (307, location), "{path}");
        }
        let browser = server.raw(request(Method::GET, "/", &[("accept", "text/html,*/*;q=0.8")], None)).await;
        assert_eq!((browser.status.as_u16(), browser.headers["location"].to_str().unwrap()), (307, "app/"));
        assert_eq!(told(&server.get("/", None).await), r#"404 {"type":"not_found","message":"Cannot GET /"}"#);
        for path in ["/app/page.js", "/app/..%2fCargo.toml", "/docs/inbox.js"] {
            assert_eq!(server.get(path, None).await.status.as_u16(), 404, "{path}");
        }
        server.stop().await;
    }

    /// Codes are for the developer at this machine; others are not even told where they are.
    async fn the_start_page_names_the_inbox_to_this_machine_alone(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        assert!(server.get("/app/", None).await.text.contains("href=\"inbox\""));
        let mut elsewhere = Request::get("/app/").body(Body::empty()).unwrap();
        elsewhere.extensions_mut().insert(ConnectInfo(SocketAddr::from(([203, 0, 113, 7], 4000))));
        let answer = router(Arc::clone(&server.state)).oneshot(elsewhere).await.unwrap();
        let page = axum::body::to_bytes(answer.into_body(), 100_000).await.unwrap();
        let page = String::from_utf8(page.to_vec()).unwrap();
        assert!(page.contains("href=\"account-deletion-requests\"") && !page.contains("inbox"), "{page}");
        server.stop().await;
    }

    async fn a_shop_may_have_no_pages(database: TestDatabase) {
        let (server, _) = stage(&database, &[("[options]\n", "[admin]\ndisable = true\n\n[options]\n")]).await;
        for path in ["/app/", "/app/account-deletion-requests", "/app/inbox", "/app/inbox.json", "/app/base.css"] {
            assert_eq!(server.get(path, None).await.status.as_u16(), 404, "{path}");
        }
        assert_eq!(server.get("/docs", None).await.status.as_u16(), 200);
        server.stop().await;
    }
}
