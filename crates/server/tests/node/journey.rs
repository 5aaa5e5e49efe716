//! The real Medusa JS SDK walks a customer's whole way against this server, on development's defaults.

use cr_core::env::Env;
use cr_core::workflows::create_api_key::ApiKeyType;
use cr_testkit::TestDatabase;
use serde_json::Value;

use crate::harness::Server;

/// The steps that `e2e/journey.mjs` reports in each of the SDK's two modes, in their order.
const STEPS: [&str; 9] = [
    "register",
    "unverified login refused",
    "email verified",
    "login by email",
    "phone verified",
    "login by phone",
    "login by phone",
    "update",
    "refresh",
];

cr_testkit::both! {
    /// A storefront that uses the SDK as its documentation says would not work.
    async fn the_js_sdk_registers_verifies_logs_in_and_out_in_jwt_and_session_mode(database: TestDatabase) {
        let server = Server::start(None, &database, Env::system()).await;
        let key = server.api_key(ApiKeyType::Publishable).await;
        let variables = [("BASE_URL", server.base_url.as_str()), ("PUBLISHABLE_KEY", key.as_str())];
        let printed = cr_testkit::node::run("journey.mjs", &variables).await;
        server.stop().await;

        let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for mode in ["jwt", "session"] {
            let of_mode = lines.iter().filter(|line| line["mode"] == mode);
            let steps: Vec<&str> = of_mode.map(|line| line["step"].as_str().unwrap()).collect();
            assert_eq!(steps, [&STEPS[..], &["logout"]].concat(), "{mode}");
        }
    }
}
