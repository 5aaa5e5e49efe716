//! The npm package's helpers against this server, by plain fetch and by the real Medusa JS SDK.

use cr_core::env::Env;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use serde_json::json;

use crate::support::{CHEAP, DEVELOPMENT, TestServer};

cr_testkit::both! {
    /// A storefront that uses the helpers as their page says would not reset a password.
    async fn the_helpers_reset_a_password_by_fetch_and_by_the_sdk(database: TestDatabase) {
        let config = DEVELOPMENT.replace("identifier = \"both\"\n\n[options.login]", "identifier = \"both\"\nrequire_verification = false\n\n[options.login]");
        let server = TestServer::start(&database, &config, &[], Env::system(), CHEAP).await;
        let key = create_api_key::run(&server.app, ApiKeyType::Publishable, "storefront").await.unwrap();
        // Two people: a reset of a contact that was never proven clears the other one.
        for (email, phone) in [("ada@example.com", "+15550000001"), ("bob@example.com", "+15551234567")] {
            let token = server.register(email).await;
            let body = json!({"email": email, "phone": phone});
            assert_eq!(server.post("/store/customers", Some(&token), body).await.status.as_u16(), 200);
        }
        let variables = [
            ("BASE_URL", server.url.as_str()),
            ("PUBLISHABLE_KEY", key.as_str()),
            ("EMAIL", "ada@example.com"),
            ("PHONE", "+15551234567"),
        ];
        let printed = cr_testkit::node::run("helpers.mjs", &variables).await;
        server.stop().await;
        let steps: Vec<&str> = printed.lines().collect();
        assert_eq!(steps, [
            r#"{"mode":"fetch","step":"reset"}"#,
            r#"{"mode":"sdk","step":"reset"}"#,
            r#"{"mode":"fetch","step":"refused"}"#,
            r#"{"mode":"sdk","step":"refused"}"#,
            r#"{"mode":"none","step":"refused"}"#,
        ]);
    }
}
