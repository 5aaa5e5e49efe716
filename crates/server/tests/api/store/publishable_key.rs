//! The publishable key that `/store` wants where it is required.

use cr_core::workflows::create_api_key::{self, ApiKeyType};
use http::Method;

use crate::stage::{request, schedule_deletion, stage, told, verified};

/// What [`stage`] differs in where a key is asked for.
const REQUIRED: (&str, &str) = ("trustProxy = []", "trustProxy = []\npublishableKey = \"required\"");
/// The answer to no key.
const MISSING: &str = r#"400 {"type":"not_allowed","message":"Publishable API key required in the request header: x-publishable-api-key. You can manage your keys in settings in the dashboard."}"#;
/// The answer to one that is not good.
const REFUSED: &str =
    r#"400 {"type":"not_allowed","message":"A valid publishable key is required to proceed with the request"}"#;

cr_testkit::both! {
    /// A storefront that forgot its key must be told so before anything else.
    async fn store_routes_want_a_key_where_it_is_required(database: TestDatabase) {
        let (server, _) = stage(&database, &[REQUIRED]).await;
        let good = create_api_key::run(&server.app, ApiKeyType::Publishable, "shop").await.unwrap();
        let secret = create_api_key::run(&server.app, ApiKeyType::Secret, "machine").await.unwrap();
        for path in ["/store/customers/me", "/store/nothing", "/STORE/customers/me/"] {
            for (key, expected) in [
                (None, MISSING),
                (Some(""), MISSING),
                (Some("pk_unknown"), REFUSED),
                (Some(secret.as_str()), REFUSED),
            ] {
                let headers: Vec<_> = key.map(|key| ("x-publishable-api-key", key)).into_iter().collect();
                let answer = server.raw(request(Method::GET, path, &headers, None)).await;
                assert_eq!(told(&answer), expected, "{path} {key:?}");
            }
        }
        let headers = [("x-publishable-api-key", good.as_str())];
        let me = server.raw(request(Method::GET, "/store/customers/me", &headers, None)).await;
        assert_eq!(told(&me), r#"401 {"message":"Unauthorized"}"#);
        let nothing = server.raw(request(Method::GET, "/store/nothing", &headers, None)).await;
        assert_eq!(told(&nothing), r#"404 {"type":"not_found","message":"Cannot GET /store/nothing"}"#);
        assert_eq!(server.get("/health", None).await.status.as_u16(), 200);
        let login = server.post("/auth/customer/emailpass", None, serde_json::json!({})).await;
        assert_eq!(login.status.as_u16(), 401);

        database.sql("update api_key set revoked_at = '2026-01-02T03:04:05.678Z'").await;
        let revoked = server.raw(request(Method::GET, "/store/customers/me", &headers, None)).await;
        assert_eq!(told(&revoked), REFUSED);
        server.stop().await;
    }

    /// Key and customer are looked up together; whoever calls, a key that is not good is what is told.
    async fn a_key_is_judged_before_the_customer(database: TestDatabase) {
        let (first, _) = stage(&database, &[]).await;
        let customer = verified(&first).await;
        first.stop().await;
        let (server, _) = stage(&database, &[REQUIRED]).await;
        let good = create_api_key::run(&server.app, ApiKeyType::Publishable, "shop").await.unwrap();
        let bearer = format!("Bearer {}", customer.login);
        let ask = async |path: &str, method: Method, key: Option<&str>, bearer: Option<&str>| {
            let key = key.map(|key| ("x-publishable-api-key", key));
            let bearer = bearer.map(|bearer| ("authorization", bearer));
            let headers: Vec<_> = key.into_iter().chain(bearer).collect();
            let body = (method == Method::POST).then(|| serde_json::json!({"type": "email_verification"}));
            told(&server.raw(request(method, path, &headers, body)).await)
        };
        let (me, send) = ("/store/customers/me", "/store/customers/otp/send");
        // A customer who lives, one who is about to go, and one who is gone.
        for state in ["live", "leaving", "gone"] {
            match state {
                "leaving" => schedule_deletion(&database, &customer.id).await,
                "gone" => database.sql("update customer set deleted_at = '2026-01-02T03:04:05.678Z'").await,
                _ => {}
            }
            for (path, method) in [(me, Method::GET), (send, Method::POST), ("/store/customers/me/x", Method::GET)] {
                for bearer in [Some(bearer.as_str()), Some("Bearer none"), None] {
                    let with = async |key| ask(path, method.clone(), key, bearer).await;
                    assert_eq!(with(None).await, MISSING, "{state} {path} {bearer:?}");
                    assert_eq!(with(Some("pk_unknown")).await, REFUSED, "{state} {path} {bearer:?}");
                    let let_in = with(Some(&good)).await;
                    assert!(let_in != MISSING && let_in != REFUSED, "{state} {path} {bearer:?}: {let_in}");
                }
            }
            let expected = match state {
                "live" => "200 {",
                "leaving" => "403 {",
                _ => "401 {",
            };
            let answer = ask(me, Method::GET, Some(&good), Some(&bearer)).await;
            assert!(answer.starts_with(expected), "{state}: {answer}");
        }
        server.stop().await;
    }

    /// A shop without Medusa has no keys to ask for.
    async fn no_key_is_wanted_where_no_medusa_made_the_database(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        assert_eq!(told(&server.get("/store/customers/me", None).await), r#"401 {"message":"Unauthorized"}"#);
        server.stop().await;
    }
}
