//! A server that stands behind the gateway: it says what reached it, and misbehaves on demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

/// Starts it on a port of its own; it ends with the test's runtime.
pub(crate) async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    TaskTracker::new().spawn(async move { axum::serve(listener, router()).await });
    address
}

/// Its one route; `/release` lets an event that waits go out.
fn router() -> Router {
    Router::new().fallback(answer).with_state(Arc::new(Notify::new()))
}

/// By the last word of the path.
async fn answer(State(released): State<Arc<Notify>>, request: Request) -> Response {
    match request.uri().path().rsplit('/').next().unwrap_or_default() {
        "slow" => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            Response::new(Body::empty())
        }
        "events" => streamed(released, false),
        "broken" => streamed(released, true),
        "release" => {
            released.notify_one();
            Response::new(Body::empty())
        }
        "upgrade" => upgraded(request),
        "refused" => plain(StatusCode::IM_A_TEAPOT, "text/plain", "no tea"),
        "big" => plain(StatusCode::OK, "text/plain", &"x".repeat(3_000_000)),
        "me" => customer(&request),
        _ => told(request).await,
    }
}

/// What reached it: method, target, headers, how much body.
async fn told(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers: Value = headers(&parts.headers);
    let target = parts.uri.path_and_query().map(ToString::to_string);
    let text = String::from_utf8_lossy(body.get(..body.len().min(200)).unwrap_or_default()).into_owned();
    let told = json!({
        "method": parts.method.as_str(), "target": target, "headers": headers, "length": body.len(), "body": text,
    });
    let mut response = plain(StatusCode::OK, "application/json", &told.to_string());
    for (name, value) in [
        ("set-cookie", "connect.sid=theirs; Path=/"),
        ("set-cookie", "cart=1; Path=/"),
        ("etag", "\"theirs\""),
        ("access-control-allow-origin", "https://theirs.example"),
        ("keep-alive", "timeout=5"),
        ("x-powered-by", "Express"),
    ] {
        response.headers_mut().append(name, value.parse().unwrap());
    }
    response
}

/// Headers by name; of several, all.
fn headers(headers: &HeaderMap) -> Value {
    let mut told = json!({});
    for name in headers.keys() {
        let values: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        told[name.as_str()] = json!(values.join(" | "));
    }
    told
}

/// A customer with the fields that were asked for, as Medusa has them.
fn customer(request: &Request) -> Response {
    let told = json!({"customer": {"id": "cus_x", "orders": [], "asked": request.uri().query()}});
    plain(StatusCode::OK, "application/json", &told.to_string())
}

/// One event, and once it is released another; or the connection breaks.
fn streamed(released: Arc<Notify>, breaks: bool) -> Response {
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    TaskTracker::new().spawn(async move {
        let _ = sender.send_data(Bytes::from_static(b"data: 1\n\n")).await;
        released.notified().await;
        if breaks {
            sender.abort(std::io::Error::other("cut"));
        } else {
            let _ = sender.send_data(Bytes::from_static(b"data: 2\n\n")).await;
        }
    });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
    response
}

/// Turns the connection into one that sends back what it gets.
fn upgraded(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    TaskTracker::new().spawn(async move {
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
        let _ = tokio::io::copy(&mut from, &mut to).await;
    });
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS, "text/plain", "");
    response.headers_mut().insert("connection", "upgrade".parse().unwrap());
    response.headers_mut().insert("upgrade", "echo".parse().unwrap());
    response
}

/// A short answer.
fn plain(status: StatusCode, content_type: &str, text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", content_type.parse().unwrap());
    response
}
