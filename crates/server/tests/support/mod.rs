//! A whole server for a test: built from a configuration text as `serve` builds it, on a test's database, answering in
//! process or on a port of its own.

#![allow(dead_code, clippy::disallowed_methods, clippy::allow_attributes, reason = "each test binary uses its part")]

pub(crate) mod contract;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use cr_core::app::App;
use cr_core::env::Env;
use cr_core::password::HashParams;
use cr_core::storage::migrate;
use cr_server::config::{Config, Sources};
use cr_server::start::Started;
use cr_server::state::ServerState;
use cr_server::{router, run, start};
use cr_testkit::{Frozen, TestDatabase};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// What development has by default, with verification demanded, on the `local` provider, without limits: most tests send more
/// than a person would.
pub(crate) const DEVELOPMENT: &str = r#"
[projectConfig.http]
jwtSecret = "a test's jwt secret of thirty-two bytes or more"
cookieSecret = "a test's cookie secret of thirty-two bytes or more"
trustProxy = []

[options]
storefrontUrl = "http://localhost:8000"
email_verification = { channel = "email", resendThrottleSeconds = 0 }
phone_verification = { channel = "sms", resendThrottleSeconds = 0 }
account_deletion_request = { resendThrottleSeconds = 0, template = "builtin" }
account_deletion_cancel = { resendThrottleSeconds = 0, template = "builtin" }
password_reset = { template = "builtin", sms_body = "Reset your password: {{reset_url}}" }

[options.registration]
identifier = "both"

[options.login]
identifier = "both"

[options.limits]
wrongCodes = "off"
sendsPerSubject = "off"
sendsPerDestination = "off"
sendsPerAddress = "off"
sendsPerChannel = { sms = "off", email = "off" }
loginFailures = "off"
loginFailuresPerAddress = "off"
registrationsPerAddress = "off"
resets = "off"
cancelRequestsPerAddress = "off"
passwordChanges = "off"
referralGuesses = "off"

[[notification.providers]]
id = "local"
channels = ["email", "sms"]
"#;

/// Cheap hashes: what a test measures is never scrypt's cost.
pub(crate) const CHEAP: HashParams = HashParams { log_n: 10, r: 8, p: 1 };

/// A server, and what a test needs to look behind it.
pub(crate) struct TestServer {
    /// `http://127.0.0.1:port`.
    pub(crate) url: String,
    /// The product behind it.
    pub(crate) app: App,
    /// The HTTP side.
    pub(crate) state: Arc<ServerState>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: http::HeaderMap,
    /// The body as it came.
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// A text of the body.
    pub(crate) fn field(&self, pointer: &str) -> String {
        let json = self.json();
        let value = json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {json}"));
        value.as_str().unwrap_or_else(|| panic!("{pointer} is no text in {json}")).to_owned()
    }
}

impl TestServer {
    /// Starts on a test's database with [`DEVELOPMENT`], frozen time and seeded chance.
    pub(crate) async fn frozen(database: &TestDatabase) -> (Self, Arc<Frozen>) {
        let (env, clock) = cr_testkit::env(1);
        (Self::start(database, DEVELOPMENT, &[], env, CHEAP).await, clock)
    }

    /// Starts with a configuration text and environment variables besides; the database's address is added.
    pub(crate) async fn start(
        database: &TestDatabase,
        config: &str,
        variables: &[(&str, &str)],
        env: Env,
        hashing: HashParams,
    ) -> Self {
        let (started, folder) = build(database, config, variables, env, hashing).await;
        let state = Arc::clone(&started.state);
        let app = state.app.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let until = stop.clone();
        #[expect(clippy::disallowed_methods, reason = "the test stops it and waits for it itself")]
        let serving = tokio::spawn(async move { run::serve(started, listener, until).await });
        Self { url, app, state, stop, serving, _folder: folder }
    }

    /// One request through the router, without a socket, as if from this machine. `body` is sent as JSON.
    pub(crate) async fn send(&self, method: Method, path: &str, bearer: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(json) => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        self.raw(request.body(body).unwrap()).await
    }

    /// Any request through the router, without a socket, as if from this machine. The answer is held against the OpenAPI
    /// document.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = exchange(&self.state, SocketAddr::from(([127, 0, 0, 1], 4000)), request).await;
        // What an upstream answers is its own to describe.
        let found = self.state.http.routes.find(&method, &path).filter(|_| self.state.http.gateway.is_none());
        if let Some(found) = found {
            contract::check(&method, found.route.path, &answer);
        }
        answer
    }

    /// `POST` with a JSON body.
    pub(crate) async fn post(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.send(Method::POST, path, bearer, Some(body)).await
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str, bearer: Option<&str>) -> Answer {
        self.send(Method::GET, path, bearer, None).await
    }

    /// The newest code that was delivered to a contact; waits for the worker.
    pub(crate) async fn code_to(&self, contact: &str) -> String {
        let inbox = self.state.http.inbox.clone().unwrap();
        let found = async {
            loop {
                let messages = inbox.messages();
                let newest = messages.iter().filter(|message| message.to == contact).find_map(|it| it.code.clone());
                if let Some(code) = newest {
                    return code;
                }
                self.app.shared.wake.messages.notify_one();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), found)
            .await
            .unwrap_or_else(|_| panic!("no code came to {contact}"))
    }

    /// Forgets delivered messages, so that the next code is the newest.
    pub(crate) fn clear_inbox(&self) {
        self.state.http.inbox.as_ref().unwrap().clear();
    }

    /// Registers an e-mail: the registration token.
    pub(crate) async fn register(&self, email: &str) -> String {
        let body = serde_json::json!({"email": email, "password": PASSWORD});
        let answer = self.post("/auth/customer/emailpass/register", None, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.field("/token")
    }

    /// Registers and creates a customer: registration token and id.
    pub(crate) async fn customer(&self, email: &str, phone: &str) -> (String, String) {
        let token = self.register(email).await;
        let answer =
            self.post("/store/customers", Some(&token), serde_json::json!({"email": email, "phone": phone})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let id = answer.field("/customer/id");
        (token, id)
    }

    /// Stops as a signal would, and waits.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

/// Everything that a server consists of before it listens, and the folder of its configuration. The database is migrated.
pub(crate) async fn build(
    database: &TestDatabase,
    config: &str,
    variables: &[(&str, &str)],
    env: Env,
    hashing: HashParams,
) -> (Started, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    let mut sources = Sources::bare(folder.path());
    sources.config_path = Some(path);
    sources.environment.insert("DATABASE_URL".to_owned(), database.url().to_owned());
    sources.environment.insert("PORT".to_owned(), "0".to_owned());
    for (name, value) in variables {
        sources.environment.insert((*name).to_owned(), (*value).to_owned());
    }
    let mut config = Config::load(&sources).unwrap_or_else(|problems| panic!("{problems:#?}"));
    config.fill_development_secrets(&env).unwrap();
    let opened = database.connect().await;
    migrate::run(&opened, env.clock.now()).await.unwrap();
    opened.close().await;
    let app = start::build_app(&config, env, hashing, None).await.unwrap();
    (start::build(&config, app).await.unwrap(), folder)
}

/// One request through a server's router, without a socket, as if from an address.
pub(crate) async fn exchange(state: &Arc<ServerState>, peer: SocketAddr, mut request: Request<Body>) -> Answer {
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router(Arc::clone(state)).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// The password of every customer that [`TestServer::register`] makes.
pub(crate) const PASSWORD: &str = "Tr0ub4dor&3x";
