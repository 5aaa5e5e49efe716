//! What this server does not own goes to the Medusa behind it, streamed both ways and untouched, but for what a proxy has to do:
//! who came is told anew, what belongs to a connection stays on it, and our session becomes a token that Medusa reads.
//!
//! What is true of our own routes holds for what passes: a good publishable key below `/store`, no customer whose account is about
//! to go, no write by cookie from foreign pages. Bodies are neither read nor limited; CORS is the upstream's.

mod headers;
mod path;

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use cr_core::error::Error;
use cr_core::modules::auth::session::CUSTOMER;
use cr_core::modules::auth::token::{self, AuthClaims};
use http::header;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::call::Call;
use crate::client_address::Origin;
use crate::json;
use crate::middlewares::{authenticate, publishable_key, same_site};
use crate::respond::Reply;
use crate::routes::{Found, Gate, Namespace, OWNED_PROVIDERS};
use crate::session;
use crate::state::ServerState;

/// Node ends a connection that was idle for five seconds (`server.keepAliveTimeout`); a request must not be sent into that.
const IDLE: Duration = Duration::from_secs(4);
/// Until a connection to the upstream stands.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the token lives that stands for a session on the way: seconds.
const TOKEN_SECONDS: i64 = 60;

/// The way to the upstream.
pub struct Gateway {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    scheme: http::uri::Scheme,
    authority: http::uri::Authority,
    /// The path of the upstream's address, without a slash at its end.
    prefix: String,
    timeout: Duration,
}

impl Gateway {
    /// To an address such as `http://medusa:9000`; `timeout` runs from the request to the upstream's header.
    ///
    /// # Errors
    /// When that is no address, or TLS cannot be set up.
    pub fn new(upstream: &str, timeout: Duration) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let parts = upstream.parse::<Uri>()?.into_parts();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(rustls::crypto::aws_lc_rs::default_provider())
            .context("the system's certificates cannot be read")?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .set_host(false)
            .build(connector);
        Ok(Self {
            client,
            scheme: parts.scheme.context("gateway.upstream has no scheme")?,
            authority: parts.authority.context("gateway.upstream has no host")?,
            prefix: parts.path_and_query.map_or_else(String::new, |path| path.path().trim_end_matches('/').to_owned()),
            timeout,
        })
    }

    /// Whether a request is the upstream's to answer: no route of ours fits, or one of `/auth` with a provider that is not ours.
    pub fn takes(found: Option<&Found<'_>>, path: &str) -> bool {
        match found {
            Some(found) => found.names_other("auth_provider", &OWNED_PROVIDERS),
            None => !is_owned_door(path),
        }
    }

    /// Sends a request on and streams the answer back.
    ///
    /// # Errors
    /// 502 when the upstream cannot be reached or breaks off before its header, 504 when that takes too long.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response, Error> {
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        let uri = uri.path_and_query(format!("{}{target}", self.prefix)).build();
        *request.uri_mut() = uri.map_err(|_| Error::invalid_data("The path cannot be passed on"))?;
        *request.version_mut() = http::Version::HTTP_11;
        if !request.headers().contains_key(header::HOST) {
            let host = HeaderValue::from_str(self.authority.as_str()).map_err(Error::internal)?;
            request.headers_mut().insert(header::HOST, host);
        }
        match tokio::time::timeout(self.timeout, self.client.request(request)).await {
            Err(_) => Err(Error::gateway_timeout("The shop did not answer in time")),
            Ok(Err(error)) => {
                let chain = anyhow::Error::from(error);
                tracing::warn!(error = format!("{chain:#}"), "The upstream could not be asked");
                Err(Error::bad_gateway("The shop cannot be reached"))
            }
            Ok(Ok(response)) => Ok(response.map(Body::new)),
        }
    }
}

/// Everything below `/auth/{actor}/{emailpass,phonepass}`, `/auth/token/refresh` and `/auth/session` is ours, every method.
fn is_owned_door(path: &str) -> bool {
    let judged = path::judged(path);
    let mut segments = judged.split('/').skip(1);
    match (segments.next(), segments.next(), segments.next()) {
        (Some("auth"), Some("session"), None) | (Some("auth"), Some("token"), Some("refresh")) => true,
        (Some("auth"), Some(_), Some(provider)) => OWNED_PROVIDERS.contains(&provider),
        _ => false,
    }
}

/// Judges a request that is not ours, and passes it on.
///
/// # Errors
/// 404 for one of our own routes in disguise; 400 without a good publishable key; 403 for an account that is about to go, and for
/// a write by cookie from a foreign page; as [`Gateway::send`].
pub async fn pass(
    state: &ServerState,
    gateway: &Gateway,
    call: Call,
    body: Body,
    upgrade: Option<hyper::upgrade::OnUpgrade>,
    origin: Origin,
) -> Result<Reply, Error> {
    if path::is_disguised(&state.http.routes, &call.path) {
        return Err(Error::not_found(format!("Cannot {} {}", call.method, call.path)));
    }
    let protocol = headers::upgrade(&call.headers);
    let mut headers = call.headers.clone();
    // A preflight carries nobody's credentials, and the upstream's CORS answers it.
    if call.method != Method::OPTIONS {
        stand_in(state, &call, &mut headers).await?;
    }
    headers::towards_upstream(&mut headers, origin, &call.request_id, protocol.as_ref());
    let mut request = Request::new(body);
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.target.clone();
    *request.headers_mut() = headers;
    let mut response = gateway.send(request).await?;
    let switched = protocol.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS);
    if let (Some(ours), true) = (upgrade, switched.is_some()) {
        join(ours, hyper::upgrade::on(&mut response));
    }
    headers::towards_client(response.headers_mut(), switched.as_ref());
    Ok(Reply::passed(response))
}

/// Passes on a request of one of our own routes that only the upstream can answer, after it was judged as ours: with this body,
/// as the caller that the gate let in.
///
/// # Errors
/// As [`Gateway::send`]; 404 where there is no upstream.
pub async fn forward(call: &Call, body: Option<&Value>) -> Result<Reply, Error> {
    Ok(Reply::passed(ask(call, call.target.clone(), body).await?))
}

/// The same with another target; the answer as it came.
///
/// # Errors
/// As [`forward`].
pub async fn ask(call: &Call, target: Uri, body: Option<&Value>) -> Result<Response, Error> {
    let gateway = call.state.http.gateway.as_ref();
    let gateway = gateway.ok_or_else(|| Error::not_found(format!("Cannot {} {}", call.method, call.path)))?;
    let mut headers = call.headers.clone();
    if let Some(auth) = call.auth.as_ref().filter(|auth| auth.from_session) {
        bear(&call.state, &mut headers, &auth.claims);
    }
    let origin = Origin { address: call.address, secure: call.secure };
    headers::towards_upstream(&mut headers, origin, &call.request_id, None);
    for name in [header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CONTENT_TYPE, header::ACCEPT_ENCODING] {
        headers.remove(name);
    }
    let mut request = Request::new(Body::empty());
    if let Some(body) = body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // What is a `Value` already can always be written.
        *request.body_mut() = json::write(body).unwrap_or_default().into();
    }
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = target;
    *request.headers_mut() = headers;
    let mut response = gateway.send(request).await?;
    headers::towards_client(response.headers_mut(), None);
    Ok(response)
}

/// Whether an actor's passwords are the upstream's to reset: administrators, and actors that only Medusa's configuration names.
pub fn owns_passwords_of(call: &Call) -> bool {
    let actor_type = call.param("actor_type");
    let listed = &call.app().shared.options.auth_methods_per_actor;
    call.state.http.gateway.is_some()
        && actor_type != CUSTOMER
        && (actor_type == "user" || listed.iter().any(|(actor, _)| actor == actor_type))
}

/// Holds a request against what is true of our own routes, and gives it the token that stands for its session.
///
/// # Errors
/// As [`pass`].
async fn stand_in(state: &ServerState, call: &Call, headers: &mut HeaderMap) -> Result<(), Error> {
    let namespace = path::namespace(&call.path);
    if namespace == Namespace::Store {
        publishable_key::check(call).await?;
        let auth = authenticate::authorize(call, Gate::OptionalCustomer).await?;
        match auth {
            Some(auth) if auth.from_session => bear(state, headers, &auth.claims),
            // Medusa does not know that the sessions of this account were ended.
            None if is_customers(state, call) => drop(headers.remove(header::AUTHORIZATION)),
            _ => {}
        }
        return Ok(());
    }
    let Some(claims) = session::read(state.keys(), &call.headers, state.now()) else { return Ok(()) };
    let wins = namespace == Namespace::Admin && claims.actor_type != CUSTOMER;
    if wins || !call.headers.contains_key(header::AUTHORIZATION) {
        same_site::check(&call.method, &call.headers, state.http.cors(namespace))?;
        bear(state, headers, &claims);
    }
    Ok(())
}

/// Whether the bearer token is a customer's, signed by us or by Medusa.
fn is_customers(state: &ServerState, call: &Call) -> bool {
    let claims = call.bearer().and_then(|token| token::read_auth(state.keys(), token, state.now()));
    claims.is_some_and(|claims| claims.actor_type == CUSTOMER)
}

/// Puts a token in that says what a session says, and lives as long as one request may take to arrive.
fn bear(state: &ServerState, headers: &mut HeaderMap, claims: &AuthClaims) {
    let ends = state.now().seconds() + TOKEN_SECONDS;
    let claims = AuthClaims { exp: claims.exp.min(ends), ..claims.clone() };
    let bearer = format!("Bearer {}", token::issue(state.keys(), &claims));
    if let Ok(mut value) = HeaderValue::from_str(&bearer) {
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
}

/// Copies bytes between two connections that were turned into something else, until one ends.
fn join(ours: hyper::upgrade::OnUpgrade, theirs: hyper::upgrade::OnUpgrade) {
    TaskTracker::new().spawn(async move {
        let joined = async {
            let (ours, theirs) = tokio::try_join!(ours, theirs)?;
            tokio::io::copy_bidirectional(&mut TokioIo::new(ours), &mut TokioIo::new(theirs)).await?;
            anyhow::Ok(())
        };
        if let Err(error) = joined.await {
            tracing::debug!(%error, "An upgraded connection broke off");
        }
    });
}
