//! A server around a database that no handler touches, with handlers that only tell what they were given.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use cr_core::app::{App, Shared, Wake};
use cr_core::delivery::template::Templates;
use cr_core::error::Error;
use cr_core::keys::Keys;
use cr_core::modules::account_deletion_request::counts::LargeCounts;
use cr_core::modules::auth::token::{self, AuthClaims};
use cr_core::modules::customer::{Customer, Session};
use cr_core::modules::rate_limit::channel_budget::BudgetAlarms;
use cr_core::options::Options;
use cr_core::password::{Algorithm, HashParams, HashPool};
use cr_testkit::TestDatabase;
use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt;
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::call::{Call, Handler};
use crate::client_address::TrustedProxies;
use crate::config::{Config, Sources};
use crate::dispatch::router;
use crate::middlewares::cors::Cors;
use crate::respond::Reply;
use crate::routes::{Gate, Route, Routes};
use crate::session;
use crate::state::{Access, Answer, Http, LiveCustomer, ServerState};

/// Tells what a handler sees.
fn echo(call: &Call) -> Value {
    let caller = call.auth.as_ref().map(|auth| {
        json!({"actor": auth.claims.actor_id, "identity": auth.claims.auth_identity_id, "session": auth.from_session})
    });
    json!({"params": call.params, "query": call.query, "body": call.body, "caller": caller})
}

const ECHO: Handler = |call| Box::pin(async move { Reply::json(&echo(&call)) });
const REFUSE: Handler = |_| Box::pin(async { Err(Error::invalid_data("on purpose")) });
const PANIC: Handler = |_| Box::pin(async { panic!("on purpose") });
const PAGE: Handler = |_| Box::pin(async { Ok(Reply::html("<!doctype html>")) });
const HEALTH: Handler = |_| Box::pin(async { Ok(Reply::text("OK")) });
const OPEN: Handler = |call| {
    Box::pin(async move {
        let claims = call.claims()?.clone();
        let mut reply = Reply::json(&json!({"user": claims}))?;
        if let Some(cookie) = session::open(&call.state, &claims, call.secure)? {
            reply = reply.header(header::SET_COOKIE, cookie);
        }
        Ok(reply)
    })
};

static SAMPLE: &[Route] = &[
    Route::auth(Method::POST, "/auth/token/refresh", Gate::BearerIdentity, ECHO),
    Route::auth(Method::POST, "/auth/session", Gate::BearerActor, OPEN),
    Route::auth(Method::DELETE, "/auth/session", Gate::Session, ECHO),
    Route::auth(Method::POST, "/auth/{actor_type}/{auth_provider}", Gate::Public, ECHO),
    Route::auth(Method::GET, "/auth/{actor_type}/{auth_provider}", Gate::Public, ECHO),
    Route::store(Method::POST, "/store/customers", Gate::Registrant, ECHO),
    Route::store(Method::GET, "/store/customers/me", Gate::Customer, ECHO),
    Route::store(Method::POST, "/store/customers/me", Gate::Customer, ECHO),
    Route::store(Method::POST, "/store/customers/otp/send", Gate::OptionalCustomer, ECHO),
    Route::store(Method::POST, "/store/customers/account-deletion/cancel-request", Gate::OptionalCustomer, ECHO)
        .during_deletion(),
    Route::store(Method::POST, "/store/customers/otp/verify", Gate::OptionalCustomer, REFUSE).looks_up_bearer(),
    Route::admin(Method::GET, "/admin/account-deletion-requests", ECHO),
    Route::plain(Method::GET, "/health", HEALTH),
    Route::plain(Method::GET, "/page", PAGE),
    Route::plain(Method::GET, "/panic", PANIC),
];

/// Knows one key of each kind; customers and administrators are judged by their id.
struct Known;

impl Access for Known {
    fn publishable_key<'a>(&'a self, token: &'a str) -> Answer<'a, bool> {
        Box::pin(async move { Ok(token == "pk_good") })
    }

    fn secret_key<'a>(&'a self, token: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move { Ok((token == "sk_good").then(|| "apk_1".to_owned())) })
    }

    fn live_customer<'a>(&'a self, claims: &'a AuthClaims, _: bool) -> Answer<'a, LiveCustomer> {
        Box::pin(async move {
            Ok(match claims.actor_id.as_str() {
                "cus_gone" => LiveCustomer::Gone,
                "cus_fault" => return Err(Error::internal("on purpose")),
                "cus_pending" => LiveCustomer::DeletionPending(session("cus_pending")),
                id => LiveCustomer::Live(session(id)),
            })
        })
    }

    fn live_customer_with_key<'a>(
        &'a self,
        claims: &'a AuthClaims,
        with_addresses: bool,
        token: &'a str,
    ) -> Answer<'a, Option<LiveCustomer>> {
        Box::pin(async move {
            if self.publishable_key(token).await? {
                self.live_customer(claims, with_addresses).await.map(Some)
            } else {
                Ok(None)
            }
        })
    }

    fn is_live_user<'a>(&'a self, claims: &'a AuthClaims) -> Answer<'a, bool> {
        Box::pin(async move { Ok(claims.actor_id != "user_gone") })
    }
}

/// The development defaults, or a production that differs in nothing else.
fn options(production: bool) -> Options {
    let config = Config::load(&Sources::bare(std::path::Path::new("."))).unwrap();
    Options { production, ..config.options }
}

/// A customer of which only the id matters, as a gate loads it.
fn session(id: &str) -> Box<Session> {
    let made: Timestamp = cr_testkit::START.parse().unwrap();
    let customer = Customer {
        id: CustomerId::from_stored(id),
        company_name: None,
        first_name: None,
        last_name: None,
        email: None,
        phone: None,
        has_account: true,
        metadata: None,
        email_flag: false,
        phone_flag: false,
        created_at: made,
        updated_at: made,
        deleted_at: None,
        email_proof: None,
        phone_proof: None,
    };
    Box::new(Session {
        customer,
        app_metadata: None,
        is_deletion_active: false,
        deletion_scheduled_at: None,
        addresses: Vec::new(),
    })
}

/// A server around a database that no handler touches.
pub(super) struct Server {
    pub(super) state: Arc<ServerState>,
    _database: TestDatabase,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::start_in(false).await
    }

    /// One that wants no publishable key.
    pub(super) async fn start_without_keys() -> Self {
        let mut server = Self::start().await;
        Arc::get_mut(&mut server.state).unwrap().http.publishable_key_required = false;
        server
    }

    pub(super) async fn start_in(production: bool) -> Self {
        let database = TestDatabase::empty_sqlite();
        let options = options(production);
        let secret = || SecretString::from("0123456789abcdef0123456789abcdef");
        let shared = Shared {
            keys: Keys::new(&[secret()], &secret()),
            templates: RwLock::new(Arc::new(Templates::load(&options).unwrap())),
            options,
            env: cr_testkit::env(1).0,
            wake: Wake::default(),
            budget_alarms: BudgetAlarms::default(),
            large_counts: LargeCounts::default(),
            faults: None,
        };
        let hashes = Arc::new(HashPool::new(1, Algorithm::Scrypt(HashParams::default())));
        let app = App::new(Arc::new(shared), database.connect_as_is().await, hashes);
        let http = Http {
            store_cors: Cors::parse("http://localhost:8000").unwrap(),
            admin_cors: Cors::parse("http://localhost:7001").unwrap(),
            auth_cors: Cors::parse("http://localhost:8000,http://localhost:7001").unwrap(),
            publishable_key_required: true,
            trusted_proxies: TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]),
            body_limit: 102_400,
            access: Box::new(Known),
            routes: Routes::new(SAMPLE),
            admin_path: "/app".to_owned(),
            gateway: None,
            inbox: None,
        };
        Self { state: Arc::new(ServerState { app, http }), _database: database }
    }

    /// `Bearer …` for an actor; an empty id is an identity without one.
    pub(super) fn bearer(&self, actor_type: &str, actor_id: &str) -> String {
        format!("Bearer {}", token::issue(self.state.keys(), &self.claims(actor_type, actor_id)))
    }

    pub(super) fn claims(&self, actor_type: &str, actor_id: &str) -> AuthClaims {
        let iat = self.state.now().seconds();
        AuthClaims {
            actor_id: actor_id.to_owned(),
            actor_type: actor_type.to_owned(),
            auth_identity_id: "authid_1".to_owned(),
            auth_provider: Some("emailpass".to_owned()),
            mfa_enabled: false,
            mfa_challenge_completed_at: None,
            app_metadata: serde_json::Map::new(),
            user_metadata: serde_json::Map::new(),
            iat,
            exp: iat + 60,
        }
    }

    /// `cr.sid=…` of a session.
    pub(super) fn cookie(&self, actor_type: &str, actor_id: &str) -> String {
        let header = session::open(&self.state, &self.claims(actor_type, actor_id), true).unwrap().unwrap();
        header.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    pub(super) async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(ConnectInfo("127.0.0.1:5000".parse::<SocketAddr>().unwrap()));
        Answered::read(router(Arc::clone(&self.state)).oneshot(request).await.unwrap()).await
    }
}

/// An answer, read.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answered {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(bytes.to_vec()).unwrap();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn caller(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).unwrap()["caller"].clone()
    }
}
