//! The key that stands before all gates below `/store`, at every row.

use cr_core::workflows::create_api_key::{self, ApiKeyType};
use cr_server::routes::{Namespace, TABLE};
use http::Method;
use serde_json::json;

use crate::stage::{request, stage, told, verified};

const MISSING: &str = r#"400 {"type":"not_allowed","message":"Publishable API key required in the request header: x-publishable-api-key. You can manage your keys in settings in the dashboard."}"#;
const REFUSED: &str =
    r#"400 {"type":"not_allowed","message":"A valid publishable key is required to proceed with the request"}"#;

cr_testkit::both! {
    /// A row that forgot to ask would serve storefronts whose key the shop took back.
    async fn every_row_below_store_and_no_other_wants_a_key_first(database: TestDatabase) {
        let edit = ("trustProxy = []", "trustProxy = []\npublishableKey = \"required\"");
        let (server, _) = stage(&database, &[]).await;
        let login = verified(&server).await.login;
        server.stop().await;
        let (server, _) = stage(&database, &[edit]).await;
        let good = create_api_key::run(&server.app, ApiKeyType::Publishable, "shop").await.unwrap();
        let revoked = create_api_key::run(&server.app, ApiKeyType::Publishable, "former shop").await.unwrap();
        database.sql("update api_key set revoked_at = '2026-01-02T03:04:05.678Z' where title = 'former shop'").await;
        let secret = create_api_key::run(&server.app, ApiKeyType::Secret, "machine").await.unwrap();
        let bearer = format!("Bearer {login}");
        let upper = good.to_uppercase();
        for route in TABLE {
            let path = route.path.replace("{actor_type}", "customer").replace("{auth_provider}", "emailpass");
            let path = path.replace("{id}", "adr_9");
            for (key, refusal) in [
                (None, Some(MISSING)),
                (Some(""), Some(MISSING)),
                (Some("pk_unknown"), Some(REFUSED)),
                (Some(upper.as_str()), Some(REFUSED)),
                (Some(secret.as_str()), Some(REFUSED)),
                (Some(revoked.as_str()), Some(REFUSED)),
                (Some(good.as_str()), None),
            ] {
                let mut headers = vec![("authorization", bearer.as_str())];
                headers.extend(key.map(|key| ("x-publishable-api-key", key)));
                let body = (route.method != Method::GET).then(|| json!({}));
                let said = told(&server.raw(request(route.method.clone(), &path, &headers, body)).await);
                let what = format!("{key:?} at {} {path}", route.method);
                match refusal.filter(|_| route.namespace == Namespace::Store) {
                    Some(refusal) => assert_eq!(said, refusal, "{what}"),
                    None => assert!(![MISSING, REFUSED].contains(&said.as_str()), "{what}: {said}"),
                }
            }
        }
        server.stop().await;
    }
}
