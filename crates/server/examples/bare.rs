//! What `cargo xtask bench` compares the server with: the least that answers `GET /store/customers/me` at all.
//!
//! A token is checked and one row is read, with the same functions, the same driver and the same allocator as the server, and
//! nothing else: no router, no CORS, no publishable key, no session rule, no `?fields=`. Reads `DATABASE_URL`, `JWT_SECRET`
//! and `PORT`. Not a server for anything but that comparison.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use cr_core::env::Env;
use cr_core::keys::Keys;
use cr_core::modules::auth::token;
use cr_db::models::auth_identity;
use cr_db::{Database, DatabaseSettings, PLACE_TIMEOUT};
use cr_types::ids::AuthIdentityId;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What each request needs.
struct Bare {
    keys: Keys,
    env: Env,
    database: Database,
}

/// Serves until it is killed.
#[tokio::main]
async fn main() -> Result<()> {
    let secret = SecretString::from(variable("JWT_SECRET")?);
    let settings = DatabaseSettings {
        url: variable("DATABASE_URL")?,
        schema: "public".to_owned(),
        min_connections: 2,
        max_connections: 8,
        place_timeout: PLACE_TIMEOUT,
    };
    let keys = Keys::new(std::slice::from_ref(&secret), &secret);
    let bare = Arc::new(Bare { keys, env: Env::system(), database: Database::connect(&settings).await? });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, variable("PORT")?.parse()?)).await?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let bare = Arc::clone(&bare);
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&bare), request));
            // A client that goes away in the middle is no matter here.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

/// One variable of the environment.
#[expect(clippy::disallowed_methods, reason = "this program has no configuration")]
fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set"))
}

/// 200 for `/health` and for a token whose identity is there; else 401, and 500 when the database fails.
async fn answer(bare: Arc<Bare>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/health" {
        return Ok(Response::new(Full::from("OK")));
    }
    let (status, body) = match row(&bare, &request).await {
        Ok(Some(body)) => (StatusCode::OK, body),
        Ok(None) => (StatusCode::UNAUTHORIZED, String::new()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The identity of the bearer token as JSON; `None` without a good token or without a row.
async fn row(bare: &Bare, request: &Request<Incoming>) -> Result<Option<String>> {
    let value = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = value.and_then(|value| value.strip_prefix("Bearer ")) else { return Ok(None) };
    let Some(claims) = token::read_auth(&bare.keys, token, bare.env.clock.now()) else { return Ok(None) };
    let mut tx = bare.database.read().await?;
    let found = auth_identity::find(&mut tx, &AuthIdentityId::from_stored(claims.auth_identity_id)).await?;
    tx.commit().await?;
    Ok(found
        .map(|identity| serde_json::json!({ "id": identity.id, "app_metadata": identity.app_metadata }).to_string()))
}
