//! Connections: taken from the listener, served one task each, and finished when the server stops.
//!
//! What axum's own `serve` does, and besides: who does not send the head of a request in time loses the connection, so that
//! thousands of half-sent requests do not take all file descriptors.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dispatch;
use crate::state::ServerState;

/// How long the head of a request may take, and a connection be idle before it: as long as proxies keep theirs (nginx,
/// `keepalive_timeout` of an upstream: 60 s).
const HEAD: Duration = Duration::from_mins(1);
/// What passes before the next try when no connection can be taken, for example for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until `stop`; then finishes the requests in flight.
pub(crate) async fn run(listener: TcpListener, state: Arc<ServerState>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                after(&error).await;
                continue;
            }
        };
        set_nodelay(&stream);
        let (state, stop) = (Arc::clone(&state), stop.clone());
        let service = service_fn(move |request| answer(Arc::clone(&state), peer, request));
        let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
        connections.spawn(async move {
            let mut connection = pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::debug!(%error, "A connection broke off");
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// One request of a connection.
async fn answer(state: Arc<ServerState>, peer: SocketAddr, request: Request<Incoming>) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    Ok(dispatch::answer_to(&state, request).await)
}

/// An answer in two parts must not wait for the client's word that the first has come.
fn set_nodelay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "A connection could not be set to send at once");
    }
}

/// Goes on at once when a client was gone before it was taken; else waits a little, and says why.
async fn after(error: &std::io::Error) {
    let is_clients = [ErrorKind::ConnectionRefused, ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    if is_clients.contains(&error.kind()) {
        return;
    }
    tracing::error!(%error, "No connection can be taken");
    tokio::time::sleep(PAUSE).await;
}
