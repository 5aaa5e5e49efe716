//! The publishable key that `/store` wants where it is required.

use cr_core::workflows::create_api_key::{self, ApiKeyType};
use http::Method;

use crate::stage::{request, stage, told};

cr_testkit::both! {
    /// A storefront that forgot its key must be told so before anything else.
    async fn store_routes_want_a_key_where_it_is_required(database: TestDatabase) {
        const MISSING: &str = r#"400 {"type":"not_allowed","message":"Publishable API key required in the request header: x-publishable-api-key. You can manage your keys in settings in the dashboard."}"#;
        const REFUSED: &str = r#"400 {"type":"not_allowed","message":"A valid publishable key is required to proceed with the request"}"#;
        let (server, _) = stage(&database, &[("trustProxy = []", "trustProxy = []\npublishableKey = \"required\"")]).await;
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

    /// A shop without Medusa has no keys to ask for.
    async fn no_key_is_wanted_where_no_medusa_made_the_database(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        assert_eq!(told(&server.get("/store/customers/me", None).await), r#"401 {"message":"Unauthorized"}"#);
        server.stop().await;
    }
}
