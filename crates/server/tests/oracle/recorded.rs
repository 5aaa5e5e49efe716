//! The recorded exchanges, replayed against this server on both databases.

use std::collections::BTreeMap;
use std::sync::Arc;

use cr_core::password::HashParams;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use cr_core::workflows::create_user;
use cr_testkit::{Frozen, TestDatabase};
use secrecy::SecretString;
use serde_json::Value;

use crate::deviations::Plan;
use crate::replay::{Target, replay};
use crate::support::TestServer;
use crate::transcript;

/// As Medusa was configured when it was recorded; what only this server asks for is as mild as it goes.
pub(crate) const CONFIGURATION: &str = r#"
[projectConfig.http]
jwtSecret = "supersecret"
cookieSecret = "supersecret"
allowWeakSecrets = true
storeCors = "http://localhost:8000"
adminCors = "http://localhost:7001"
authCors = "http://localhost:8000,http://localhost:7001"
publishableKey = "required"

[options]
storefrontUrl = "http://localhost:8000"
registration = { identifier = "email", require_verification = false }
login = { identifier = "email" }

[options.password_reset]
template = "builtin"

[options.limits]
registrationsPerAddress = "off"
loginFailures = "off"
loginFailuresPerAddress = "off"
resets = "off"

[[notification.providers]]
id = "webhook"
channels = ["email", "sms"]
options = { url = "https://127.0.0.1:9/nobody-listens-here", secret = "a secret of thirty-two bytes or more" }
"#;

/// The administrator, and the secret that signs tokens.
pub(crate) const ADMIN: (&str, &str) = ("admin@example.com", "supersecret123");
pub(crate) const JWT_SECRET: &str = "supersecret";

/// This server and its database.
struct Replayed<'a> {
    server: TestServer,
    clock: Arc<Frozen>,
    database: &'a TestDatabase,
    given: BTreeMap<String, String>,
}

impl Target for Replayed<'_> {
    fn base_url(&self) -> &str {
        &self.server.url
    }

    fn given(&self) -> BTreeMap<String, String> {
        self.given.clone()
    }

    fn now(&self) -> i64 {
        self.server.app.shared.env.clock.now().seconds()
    }

    fn tick(&self) {
        self.clock.advance_seconds(1);
    }

    async fn sql(&self, statements: &str) {
        self.database.sql(statements).await;
    }

    async fn rows(&self, statement: &str) -> Vec<Value> {
        self.database.rows(statement).await
    }
}

/// The server with its administrator and API keys.
async fn start(database: &TestDatabase) -> Replayed<'_> {
    let (env, clock) = cr_testkit::env(2);
    let production = [("NODE_ENV", "production")];
    let server = TestServer::start(database, CONFIGURATION, &production, env, HashParams::default()).await;
    let (email, password) = ADMIN;
    create_user::run(&server.app, email, SecretString::from(password)).await.unwrap();
    let pk = create_api_key::run(&server.app, ApiKeyType::Publishable, "storefront").await.unwrap();
    let sk = create_api_key::run(&server.app, ApiKeyType::Secret, "machine").await.unwrap();
    let given = [
        ("pk", pk.as_str()),
        ("sk", sk.as_str()),
        ("jwt_secret", JWT_SECRET),
        ("admin_email", email),
        ("admin_password", password),
    ];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Replayed { server, clock, database, given }
}

cr_testkit::both! {
    /// Storefronts and admins written for Medusa 2.11.2 would break where an answer differs that nobody decided on.
    async fn recorded_exchanges_are_answered_as_recorded_but_for_the_listed_deviations(database: TestDatabase) {
        let plan = Plan::load();
        let target = start(&database).await;
        let mut differences = Vec::new();
        for (number, scenario) in (0..).zip(transcript::load()) {
            let run = format!("{:08x}", 0x5eed_0000_u32 + number);
            differences.extend(Box::pin(replay(&target, &plan, &scenario, &run)).await);
        }
        target.server.stop().await;
        let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{} steps differ:\n\n{}", told.len(), told.join("\n\n"));
    }
}
