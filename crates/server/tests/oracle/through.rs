//! The recorded exchanges through the gateway, with the real Medusa behind it: `oracle/gateway.toml` lists what differs besides.

use std::collections::BTreeMap;

use cr_core::env::Env;
use cr_core::password::HashParams;
use cr_testkit::TestDatabase;
use cr_testkit::real_medusa::{self, RealMedusa, Version};
use http::Method;
use serde_json::Value;

use crate::deviations::Plan;
use crate::recorded::{ADMIN, CONFIGURATION, JWT_SECRET};
use crate::replay::{Target, replay};
use crate::support::TestServer;
use crate::transcript::{self, Request, Scenario};

/// This server in front of Medusa.
struct Through {
    server: TestServer,
    database: TestDatabase,
    given: BTreeMap<String, String>,
    _medusa: RealMedusa,
}

impl Target for Through {
    fn base_url(&self) -> &str {
        &self.server.url
    }

    fn given(&self) -> BTreeMap<String, String> {
        self.given.clone()
    }

    fn now(&self) -> i64 {
        self.server.app.shared.env.clock.now().seconds()
    }

    /// Time goes by itself, as it does for Medusa.
    fn tick(&self) {}

    fn is_upstreams(&self, request: &Request, path: &str) -> bool {
        // A preflight is for whoever answers the request that it asks for.
        let wanted = request.headers.get("access-control-request-method").filter(|_| request.method == "OPTIONS");
        let method = wanted.unwrap_or(&request.method).as_str();
        // Orders are the upstream's to tell, on our own route too.
        if method == "GET"
            && path.starts_with("/store/customers/me?")
            && (path.contains("*orders") || path.contains("orders."))
        {
            return true;
        }
        let path = path.split('?').next().unwrap();
        let found = self.server.state.http.routes.find(&Method::from_bytes(method.as_bytes()).unwrap(), path);
        cr_server::gateway::Gateway::takes(found.as_ref(), path)
    }

    async fn sql(&self, statements: &str) {
        self.database.sql(statements).await;
    }

    async fn rows(&self, statement: &str) -> Vec<Value> {
        self.database.rows(statement).await
    }
}

/// Medusa with its administrator, this server in front of it, and keys of Medusa's making.
async fn start(version: Version) -> Through {
    let database = real_medusa::database(version).await;
    let medusa = RealMedusa::start_with_secret(version, &database, JWT_SECRET).await;
    let env = Env::system();
    let gateway = format!("[gateway]\nupstream = \"{}\"\n\n[options]\n", medusa.url);
    let configuration = CONFIGURATION.replacen("[options]\n", &gateway, 1);
    let production = [("NODE_ENV", "production")];
    let server = TestServer::start(&database, &configuration, &production, env, HashParams::default()).await;
    let given = [("jwt_secret", JWT_SECRET), ("admin_email", ADMIN.0), ("admin_password", ADMIN.1)];
    let mut given: BTreeMap<String, String> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let credentials = serde_json::json!({"email": ADMIN.0, "password": ADMIN.1});
    let admin = server.post("/auth/user/emailpass", None, credentials).await.field("/token");
    for (name, kind) in [("pk", "publishable"), ("sk", "secret")] {
        let body = serde_json::json!({"title": kind, "type": kind});
        let key = server.post("/admin/api-keys", Some(&admin), body).await.field("/api_key/token");
        given.insert(name.to_owned(), key);
    }
    Through { server, database, given, _medusa: medusa }
}

/// What was recorded of 2.11.2, since our own routes speak that; where the upstream answers, what was recorded of the version
/// that stands there.
fn recorded(target: &Through, version: Version) -> Vec<Scenario> {
    let mut scenarios = transcript::load();
    if version == Version::Pinned {
        return scenarios;
    }
    for (scenario, newer) in scenarios.iter_mut().zip(transcript::load_newest()) {
        assert_eq!((&scenario.name, scenario.steps.len()), (&newer.name, newer.steps.len()));
        for (step, newer) in scenario.steps.iter_mut().zip(newer.steps) {
            assert_eq!(step.name, newer.name);
            if target.is_upstreams(&step.request, &step.request.path) {
                step.response = newer.response;
            }
        }
    }
    scenarios
}

/// Replays everything through the gateway.
fn replay_all(version: Version) {
    cr_testkit::run(async move {
        let plan = Plan::load_through(version);
        let target = start(version).await;
        let mut differences = Vec::new();
        for (number, scenario) in (0..).zip(recorded(&target, version)) {
            let run = format!("{:08x}", 0x5eed_0000_u32 + number);
            differences.extend(Box::pin(replay(&target, &plan, &scenario, &run)).await);
        }
        target.server.stop().await;
        let told: Vec<String> = differences.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{} steps differ:\n\n{}", told.len(), told.join("\n\n"));
    });
}

/// A shop that put this server in front of its Medusa would find an answer changed that nobody decided on.
#[test]
fn recorded_exchanges_pass_through_the_gateway() {
    replay_all(Version::Pinned);
}

/// The same in front of the newest Medusa.
#[test]
fn recorded_exchanges_pass_through_to_the_newest() {
    replay_all(Version::Newest);
}
