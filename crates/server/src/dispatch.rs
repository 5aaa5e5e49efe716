//! How a request walks: address, body, CORS, publishable key, token, handler, and back with tag, id and log line.
//!
//! The order is Medusa 2.11.2's; the first failure answers. CORS headers stand on failures too, where the route is known.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use cr_core::error::Error;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version, header};
use hyper::upgrade::OnUpgrade;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::gateway::{self, Gateway};
use crate::json;
use crate::middlewares::{authenticate, cors, etag, request_id, request_log};
use crate::respond::{self, Reply, ReplyBody};
use crate::routes::{Found, Gate, Namespace};
use crate::state::ServerState;
use crate::{body, query};

/// What core's guard of `/store/customers/me*` covers, known route or not.
const GUARDED_PREFIX: &str = "/store/customers/me";

/// The whole server as a service that takes a request without a socket. The peer's address is read from the request's
/// `ConnectInfo<SocketAddr>` extension; without one, no address limit applies.
pub fn router(state: Arc<ServerState>) -> Router {
    Router::new().fallback(dispatch).with_state(state)
}

/// The same as an axum handler.
async fn dispatch(State(state): State<Arc<ServerState>>, request: Request) -> Response {
    answer_to(&state, request).await
}

/// Answers one request. The peer's address is read from its `ConnectInfo<SocketAddr>` extension.
pub(crate) async fn answer_to(state: &Arc<ServerState>, request: Request) -> Response {
    let started = Instant::now();
    let (mut parts, body) = request.into_parts();
    // An older client would not understand the answer (RFC 9110, section 7.8).
    let upgrade = parts.extensions.remove::<OnUpgrade>().filter(|_| parts.version == Version::HTTP_11);
    let request_id = request_id::of(&parts.headers, &state.app.shared.env);
    let found = state.http.routes.find(&parts.method, parts.uri.path());
    let gateway = state.http.gateway.as_ref().filter(|_| {
        // A preflight is for whoever answers the request that it asks for.
        let wanted = cors::requested_method(&parts.method, &parts.headers);
        let wanted = wanted.map_or_else(|| found.clone(), |method| state.http.routes.find(&method, parts.uri.path()));
        Gateway::takes(wanted.as_ref(), parts.uri.path())
    });
    let label = match gateway {
        Some(_) => "(gateway)",
        None => found.as_ref().map_or("(no route)", |found| found.route.path),
    };

    let answered = match gateway {
        Some(gateway) => pass(state, gateway, &parts, body, upgrade, &request_id).await,
        None => answer(state, &parts, body, found.clone(), &request_id).await,
    };
    let reply = answered.unwrap_or_else(|error| respond::failure(&error, parts.method.as_str(), label, &request_id));
    let is_upstreams = matches!(reply.body, ReplyBody::Passed(_));
    let mut response = respond::into_response(reply);
    // What the upstream answered has its tag and its CORS headers.
    if !is_upstreams {
        response = etag::apply(response, &parts.method, &parts.headers).await;
        let namespace = match gateway {
            Some(_) => Some(Namespace::of(parts.uri.path())),
            None => found.map(|found| found.route.namespace),
        };
        // `HEAD` is no method of a route in Medusa, so its answers carry no CORS headers.
        let cors = namespace.filter(|_| parts.method != Method::HEAD).and_then(|namespace| state.http.cors(namespace));
        if let Some(cors) = cors {
            cors::add_headers(cors, &parts.headers, response.headers_mut());
        }
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(request_id::HEADER, id);
    }
    request_log::write(&parts.method, label, response.status(), started.elapsed(), &request_id);
    response
}

/// The way through: what is not ours goes on, its body unread.
///
/// # Errors
/// As [`gateway::pass`].
async fn pass(
    state: &Arc<ServerState>,
    gateway: &Gateway,
    parts: &Parts,
    body: Body,
    upgrade: Option<OnUpgrade>,
    request_id: &str,
) -> Result<Reply, Error> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let origin = state.http.trusted_proxies.origin(peer, &parts.headers);
    let call = Call {
        state: Arc::clone(state),
        route: None,
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        target: parts.uri.clone(),
        params: BTreeMap::new(),
        query: Map::new(),
        body: Value::Null,
        headers: parts.headers.clone(),
        auth: None,
        address: origin.address,
        peer: peer.map(|peer| peer.ip()),
        secure: origin.secure,
        request_id: request_id.to_owned(),
    };
    gateway::pass(state, gateway, call, body, upgrade, origin).await
}

/// The way in: everything up to the handler's answer.
///
/// # Errors
/// Whatever the first step that fails says.
async fn answer(
    state: &Arc<ServerState>,
    parts: &Parts,
    body: Body,
    found: Option<Found<'_>>,
    request_id: &str,
) -> Result<Reply, Error> {
    let path = parts.uri.path();
    if let Some(reply) = preflight(state, &parts.method, path, &parts.headers) {
        return Ok(reply);
    }
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let origin = state.http.trusted_proxies.origin(peer, &parts.headers);
    let body = body::read(&parts.headers, body, state.http.body_limit).await?;
    let query = query::parse(parts.uri.query().unwrap_or_default());
    if query.iter().any(|(key, value)| key.contains('\0') || json::has_nul(value)) {
        return Err(query::nul_refused());
    }
    let call = Call {
        state: Arc::clone(state),
        route: found.as_ref().map(|found| found.route),
        method: parts.method.clone(),
        path: path.to_owned(),
        target: parts.uri.clone(),
        params: found.as_ref().map(Found::params).transpose()?.unwrap_or_default(),
        query,
        body,
        headers: parts.headers.clone(),
        auth: None,
        address: origin.address,
        peer: peer.map(|peer| peer.ip()),
        secure: origin.secure,
        request_id: request_id.to_owned(),
    };
    match call.route {
        Some(route) => {
            let auth = authenticate::authorize(&call, route.namespace, route.gate).await?;
            let left = auth.as_ref().filter(|auth| auth.is_left).map(|auth| auth.claims.clone());
            match (caught(route.handler, Call { auth, ..call }).await, left) {
                (Err(error), Some(claims)) => Err(authenticate::refusal_of_left(state, &claims, error).await),
                (answered, _) => answered,
            }
        }
        None => unknown(&call).await,
    }
}

/// The answer to a CORS preflight of a known route; `None` for everything else.
fn preflight(state: &ServerState, method: &Method, path: &str, headers: &HeaderMap) -> Option<Reply> {
    let wanted = cors::requested_method(method, headers)?;
    let route = state.http.routes.find(&wanted, path)?.route;
    Some(cors::preflight(state.http.cors(route.namespace)?, headers))
}

/// Refuses what no row of the table matches, in the order in which Medusa would have: key, token, and only then 404.
/// `OPTIONS` of a path that has other methods lists them.
///
/// # Errors
/// Always, but for that list.
async fn unknown(call: &Call) -> Result<Reply, Error> {
    let namespace = Namespace::of(&call.path);
    let is_guarded = || call.path.get(..GUARDED_PREFIX.len()).is_some_and(|it| it.eq_ignore_ascii_case(GUARDED_PREFIX));
    let gate = match namespace {
        Namespace::Store if is_guarded() => Gate::Customer,
        Namespace::Admin => Gate::Admin,
        Namespace::Store | Namespace::Auth | Namespace::None => Gate::Public,
    };
    authenticate::authorize(call, namespace, gate).await?;
    let methods = call.state.http.routes.methods(&call.path);
    if call.method == Method::OPTIONS && !methods.is_empty() {
        let list = methods.join(",");
        let allow = HeaderValue::from_str(&list).map_err(Error::internal)?;
        return Ok(Reply::text(list).header(header::ALLOW, allow));
    }
    Err(Error::not_found(format!("Cannot {} {}", call.method, encode_path(&call.path))))
}

/// Runs a handler; a panic in it becomes a failure of this one request.
///
/// # Errors
/// The handler's own; 500 for a panic.
async fn caught(handler: crate::call::Handler, call: Call) -> Result<Reply, Error> {
    let mut future = match catch_unwind(AssertUnwindSafe(|| handler(call))) {
        Ok(future) => future,
        Err(panic) => return Err(panicked(panic.as_ref())),
    };
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll,
        Err(panic) => Poll::Ready(Err(panicked(panic.as_ref()))),
    })
    .await
}

/// What a panic said, as the cause of a 500.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("a handler panicked: {}", said.unwrap_or("without words")))
}

/// A path as the npm package `encodeurl` prints it: escapes stay, what is no URL character becomes one.
fn encode_path(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    let bytes = path.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let is_escape =
            *byte == b'%' && bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let is_plain =
            matches!(byte, 0x21 | 0x23 | 0x24 | 0x26..=0x3b | 0x3d | 0x3f..=0x5b | 0x5d | 0x5f | 0x61..=0x7a | 0x7e);
        if is_escape || is_plain {
            text.push(char::from(*byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
