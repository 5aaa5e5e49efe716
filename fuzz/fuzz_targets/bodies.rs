//! Whatever a body says, its handler takes it or refuses it with a sentence. Input: a request as on the wire, but with line feeds
//! alone: `POST /store/customers`, headers, an empty line, the body.
//!
//! The database holds nothing, not even tables: a request that is understood ends at the first statement, always alike.
#![no_main]

use std::error::Error as _;
use std::sync::{Arc, LazyLock, RwLock};

use axum::body::Body;
use cr_core::app::{App, Shared, Wake};
use cr_core::delivery::template::Templates;
use cr_core::error::{Error, ErrorKind};
use cr_core::keys::Keys;
use cr_core::modules::account_deletion_request::counts::LargeCounts;
use cr_core::modules::auth::token::AuthClaims;
use cr_core::modules::customer::{Customer, Session};
use cr_core::modules::rate_limit::channel_budget::BudgetAlarms;
use cr_core::password::{Algorithm, HashParams, HashPool};
use cr_server::access::DatabaseAccess;
use cr_server::call::{AuthContext, Call};
use cr_server::client_address::TrustedProxies;
use cr_server::middlewares::cors::Cors;
use cr_server::routes::{Routes, TABLE};
use cr_server::state::{Http, ServerState};
use cr_server::{body, json, query};
use cr_testkit::TestDatabase;
use cr_types::ids::CustomerId;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};

const LIMIT: usize = 4096;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
static STAGE: LazyLock<Stage> = LazyLock::new(|| RUNTIME.block_on(stage()));

/// A server whose every statement fails.
struct Stage {
    state: Arc<ServerState>,
    _database: TestDatabase,
}

/// Makes it, with a database file that stays empty.
async fn stage() -> Stage {
    let database = TestDatabase::empty_sqlite();
    let options = cr_testkit::application::options();
    let secret = || "0123456789abcdef0123456789abcdef".into();
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
    let hashes = Arc::new(HashPool::new(1, Algorithm::Scrypt(HashParams { log_n: 1, r: 1, p: 1 })));
    let app = App::new(Arc::new(shared), database.connect_as_is().await, hashes);
    let cors = || Cors::parse("http://localhost:8000").unwrap();
    let http = Http {
        store_cors: cors(),
        admin_cors: cors(),
        auth_cors: cors(),
        publishable_key_required: false,
        trusted_proxies: TrustedProxies::new(Vec::new()),
        body_limit: LIMIT,
        access: Box::new(DatabaseAccess(app.clone())),
        routes: Routes::new(TABLE),
        admin_path: "/app".to_owned(),
        gateway: None,
        inbox: None,
    };
    Stage { state: Arc::new(ServerState { app, http }), _database: database }
}

/// Whoever every gate lets in.
fn caller(state: &ServerState) -> AuthContext {
    let now = state.now();
    let customer = Customer {
        id: CustomerId::from_stored("cus_1"),
        company_name: None,
        first_name: None,
        last_name: None,
        email: Some("alice@example.com".to_owned()),
        phone: Some("+15551234567".to_owned()),
        has_account: true,
        metadata: None,
        email_flag: true,
        phone_flag: false,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        email_proof: None,
        phone_proof: None,
    };
    let claims = AuthClaims {
        actor_id: "cus_1".to_owned(),
        actor_type: "customer".to_owned(),
        auth_identity_id: "authid_1".to_owned(),
        auth_provider: Some("emailpass".to_owned()),
        mfa_enabled: false,
        mfa_challenge_completed_at: None,
        app_metadata: Map::new(),
        user_metadata: Map::new(),
        iat: now.seconds(),
        exp: now.seconds() + 60,
    };
    let session = Session {
        customer,
        app_metadata: None,
        is_deletion_active: false,
        deletion_scheduled_at: None,
        addresses: Vec::new(),
    };
    AuthContext { claims, from_session: false, session: Some(Box::new(session)), is_left: false }
}

/// Method, target, headers and body; `None` for what is no request at all.
fn parts(input: &[u8]) -> Option<(Method, Uri, HeaderMap, &[u8])> {
    let end = input.windows(2).position(|pair| pair == b"\n\n")?;
    let mut lines = std::str::from_utf8(&input[..end]).ok()?.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?);
    }
    Some((Method::from_bytes(method.as_bytes()).ok()?, target.parse().ok()?, headers, &input[end + 2..]))
}

/// A body that was read, written as JSON and read once more, is what it was.
async fn read_again(read: &Value) {
    if !(read.is_object() || read.is_array()) {
        return;
    }
    let written = json::write(read).unwrap();
    let utf16: Vec<u8> = written.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content_type, bytes) in
        [("application/json", written.into_bytes()), ("application/json; charset=utf-16le", utf16)]
    {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let again = body::read(&headers, Body::from(bytes), 1024 * 1024).await;
        assert_eq!(again.unwrap(), *read, "{content_type}");
    }
}

/// A refusal is a sentence, and a failure is the database's.
fn judge(error: &Error) {
    assert!(!error.message.is_empty() && !error.message.contains('\0'), "{error:?}");
    if !matches!(error.kind, ErrorKind::Internal | ErrorKind::Unavailable) {
        return;
    }
    let mut told = String::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        told = format!("{told}{inner}; ");
        cause = inner.source();
    }
    assert!(told.contains("no such table"), "{error:?}: {told}");
}

/// Reads the body, finds the row and calls its handler, as if every gate had let the caller in.
async fn send(method: Method, target: Uri, headers: HeaderMap, bytes: &[u8]) {
    let state = &STAGE.state;
    let read = match body::read(&headers, Body::from(bytes.to_vec()), LIMIT).await {
        Ok(read) => read,
        Err(error) => {
            assert!(matches!(error.kind, ErrorKind::InvalidData | ErrorKind::TooLarge), "{error:?}");
            return judge(&error);
        }
    };
    assert!(!json::has_nul(&read));
    read_again(&read).await;
    let path = target.path().to_owned();
    let Some(found) = state.http.routes.find(&method, &path) else { return };
    let params = match found.params() {
        Ok(params) => params,
        Err(error) => return judge(&error),
    };
    let query = query::parse(target.query().unwrap_or_default());
    if query.iter().any(|(key, value)| key.contains('\0') || json::has_nul(value)) {
        // Refused before any handler sees it.
        return;
    }
    let call = Call {
        state: Arc::clone(state),
        route: Some(found.route),
        method,
        path: path.clone(),
        query,
        target,
        params,
        body: read,
        headers,
        auth: Some(caller(state)),
        address: None,
        peer: None,
        secure: false,
        request_id: "1".to_owned(),
    };
    if let Err(error) = (found.route.handler)(call).await {
        judge(&error);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((method, target, headers, bytes)) = parts(input) else { return };
    LazyLock::force(&STAGE);
    RUNTIME.block_on(send(method, target, headers, bytes));
});
