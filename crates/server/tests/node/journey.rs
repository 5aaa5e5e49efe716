//! The real Medusa JS SDK walks a customer's whole way against this server, on development's defaults.

use cr_core::env::Env;
use cr_core::password::HashParams;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use serde_json::Value;

use crate::support::TestServer;

/// What holds where there is no configuration file.
const DEFAULTS: &str = include_str!("../../src/config/config.development.toml");

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
        let server = TestServer::start(&database, DEFAULTS, &[], Env::system(), HashParams::default()).await;
        let key = create_api_key::run(&server.app, ApiKeyType::Publishable, "storefront").await.unwrap();
        let variables = [("BASE_URL", server.url.as_str()), ("PUBLISHABLE_KEY", key.as_str())];
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
