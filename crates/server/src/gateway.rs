//! What this server does not own goes to the Medusa behind it, streamed both ways and untouched, but for what a proxy has to do:
//! who came is told anew, what belongs to a connection stays on it, and our session becomes a token that Medusa reads.
//!
//! What is true of our own routes holds for what passes: a good publishable key below `/store`, no customer whose account is about
//! to go, no write by cookie from foreign pages. Bodies are neither read nor limited; CORS is the upstream's.

mod body;
mod headers;
pub mod path;

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use cr_core::error::Error;
use cr_core::modules::auth::session::{CUSTOMER, USER};
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
use crate::middlewares::{authenticate, cors, same_site};
use crate::respond::Reply;
use crate::routes::{Found, Gate, Namespace, OWNED_PROVIDERS};
use crate::session;
use crate::state::{LiveCustomer, ServerState};

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
    /// To an address such as `http://medusa:9000`; `timeout` runs from the end of the request to the upstream's header, and anew
    /// while an upload goes on.
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
        // An upstream that stops reading would hold the connection, and the client's with it, for good.
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(timeout));
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
            Some(found) => found.names_other("auth_provider", &OWNED_PROVIDERS) && !is_owned_door(path),
            None => !is_owned_door(path),
        }
    }

    /// Sends a request on and streams the answer back.
    ///
    /// # Errors
    /// 502 when the upstream cannot be reached or breaks off before its header, 504 when that takes too long; 400 when the request's
    /// own body breaks off.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response, Error> {
        *request.uri_mut() = self.absolute(request.uri())?;
        *request.version_mut() = http::Version::HTTP_11;
        if !request.headers().contains_key(header::HOST) {
            let host = HeaderValue::from_str(self.authority.as_str()).map_err(Error::internal)?;
            request.headers_mut().insert(header::HOST, host);
        }
        let is_head = request.method() == Method::HEAD;
        let (parts, body) = request.into_parts();
        let (upload, frames) = body::Upload::new(body);
        let mut answer = pin!(self.client.request(Request::from_parts(parts, Body::new(upload))));
        let response = loop {
            let before = frames.load(Ordering::Relaxed);
            match tokio::time::timeout(self.timeout, &mut answer).await {
                Ok(answered) => break answered.map_err(not_answered)?,
                Err(_) if frames.load(Ordering::Relaxed) != before => {}
                Err(_) => return Err(Error::gateway_timeout("The shop did not answer in time")),
            }
        };
        let is_untold = is_head && !response.headers().contains_key(header::CONTENT_LENGTH);
        let mut response = response.map(|body| if is_untold { Body::new(body::Untold) } else { Body::new(body) });
        *response.version_mut() = http::Version::HTTP_11;
        Ok(response)
    }

    /// The upstream's address for a path and query, which stay as they came.
    fn absolute(&self, target: &Uri) -> Result<Uri, Error> {
        let refused = || Error::invalid_data("The path cannot be passed on");
        let path_and_query = match target.path_and_query() {
            Some(path_and_query) if self.prefix.is_empty() => path_and_query.clone(),
            other => {
                let target = other.map_or("/", PathAndQuery::as_str);
                format!("{}{target}", self.prefix).parse().map_err(|_| refused())?
            }
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_and_query);
        Uri::from_parts(parts).map_err(|_| refused())
    }
}

/// Why there is no answer: the client's body broke off, or else the upstream did.
fn not_answered(error: hyper_util::client::legacy::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user) {
            return Error::invalid_data("The request body is not complete");
        }
        cause = inner.source();
    }
    Error::bad_gateway("The shop cannot be reached").because(error)
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
/// 404 for one of our own routes in disguise; 400 without a good publishable key, for `CONNECT` and for two hosts; 403 for an account
/// that is about to go, and for a write by cookie from a foreign page; as [`Gateway::send`].
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
    if call.method == Method::CONNECT || call.headers.get_all(header::HOST).iter().count() > 1 {
        return Err(Error::invalid_data("A request names one host, and is no CONNECT"));
    }
    // A preflight carries nobody's credentials, and the upstream's CORS answers it.
    let is_preflight = cors::requested_method(&call.method, &call.headers).is_some();
    let credentials = if is_preflight { Credentials::AsTheyCame } else { judge(state, &call).await? };
    let protocol = upgrade.as_ref().and_then(|_| headers::upgrade(&call.headers));
    let Call { method, target, mut headers, request_id, .. } = call;
    let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
    credentials.apply(state, &mut headers);
    headers::towards_upstream(&mut headers, origin, &request_id, protocol.as_ref());
    if is_chunked {
        // Else the body of a `GET` would be left out.
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.headers_mut() = headers;
    let mut response = gateway.send(request).await?;
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switches {
        let (Some(ours), Some(_)) = (upgrade, protocol) else {
            return Err(Error::bad_gateway("The shop answered what was not asked"));
        };
        join(ours, hyper::upgrade::on(&mut response));
    }
    headers::towards_client(response.headers_mut(), switches);
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
    headers::towards_client(response.headers_mut(), false);
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

/// What becomes of a request's own credentials on the way.
enum Credentials {
    /// They are for the upstream to judge.
    AsTheyCame,
    /// They are taken away: Medusa does not know that they count no more.
    Ended,
    /// A session, for which a token stands.
    Session(Box<AuthClaims>),
}

impl Credentials {
    /// Puts the result of the judgement into the headers.
    fn apply(self, state: &ServerState, headers: &mut HeaderMap) {
        match self {
            Self::AsTheyCame => {}
            Self::Ended => drop(headers.remove(header::AUTHORIZATION)),
            Self::Session(claims) => bear(state, headers, &claims),
        }
    }
}

/// Holds a request against what is true of our own routes.
///
/// # Errors
/// As [`pass`].
async fn judge(state: &ServerState, call: &Call) -> Result<Credentials, Error> {
    let namespace = path::namespace(&call.path);
    if namespace == Namespace::Store {
        return match authenticate::authorize(call, namespace, Gate::OptionalCustomer).await? {
            Some(auth) if auth.from_session => Ok(Credentials::Session(Box::new(auth.claims))),
            Some(_) => Ok(Credentials::AsTheyCame),
            None => match bearer_claims(state, call) {
                Some(claims) if claims.actor_type == CUSTOMER || is_over(state, &claims).await? => {
                    Ok(Credentials::Ended)
                }
                _ => Ok(Credentials::AsTheyCame),
            },
        };
    }
    let session = session::read(state.keys(), &call.headers, state.now());
    let has_own = call.headers.contains_key(header::AUTHORIZATION);
    let wins = |claims: &AuthClaims| !has_own || (namespace == Namespace::Admin && claims.actor_type != CUSTOMER);
    if let Some(claims) = session.filter(wins) {
        same_site::check(&call.method, &call.headers, state.http.cors(namespace))?;
        // One that is over hides no token or key that the request brings besides.
        if !is_over(state, &claims).await? {
            return Ok(Credentials::Session(Box::new(claims)));
        }
    }
    match bearer_claims(state, call) {
        Some(claims) if is_over(state, &claims).await? => Ok(Credentials::Ended),
        _ => Ok(Credentials::AsTheyCame),
    }
}

/// Whether the account of these claims is gone, or its sessions were ended: what only this server knows.
///
/// # Errors
/// When the database cannot be asked.
async fn is_over(state: &ServerState, claims: &AuthClaims) -> Result<bool, Error> {
    match claims.actor_type.as_str() {
        _ if claims.actor_id.is_empty() => Ok(false),
        CUSTOMER => Ok(authenticate::live_customer(state, claims).await? == LiveCustomer::Gone),
        USER => Ok(!authenticate::is_live_user(state, claims).await?),
        _ => Ok(false),
    }
}

/// The claims of the bearer token, signed by us or by Medusa.
fn bearer_claims(state: &ServerState, call: &Call) -> Option<AuthClaims> {
    call.bearer().and_then(|token| token::read_auth(state.keys(), token, state.now()))
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
