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
use http::{HeaderValue, Request, StatusCode, header};
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

/// How long connections are still served after the stop, for requests that were on their way when it came: who sent one knows nothing
/// of the stop yet.
const LAST_CALL: Duration = Duration::from_millis(300);

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
        connections.spawn(serve(builder.clone(), Arc::clone(&state), stop.clone(), stream, peer));
    }
    for (stream, peer) in take_last(listener) {
        connections.spawn(serve(builder.clone(), Arc::clone(&state), stop.clone(), stream, peer));
    }
    connections.close();
    connections.wait().await;
}

/// Closes the listener. Whoever was let into its queue before is served: the system has told them that they are connected.
fn take_last(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut last = Vec::new();
    let taken = listener.into_std().and_then(|listener| {
        loop {
            // It does not block, so the end of the queue is an error.
            match listener.accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    last.push((TcpStream::from_std(stream)?, peer));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    });
    if let Err(error) = taken {
        tracing::debug!(%error, "Not all connections could be taken before the stop");
    }
    last
}

/// One connection until its end, or until `stop` and the end of the request that it is at.
async fn serve(
    builder: http1::Builder,
    state: Arc<ServerState>,
    stop: CancellationToken,
    stream: TcpStream,
    peer: SocketAddr,
) {
    set_nodelay(&stream);
    let stopping = stop.clone();
    let service = service_fn(move |request| answer(Arc::clone(&state), peer, stopping.clone(), request));
    let over = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_CALL).await;
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = over => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "A connection broke off");
    }
}

/// One request of a connection. Once the server stops, the answer says that it is the connection's last.
async fn answer(
    state: Arc<ServerState>,
    peer: SocketAddr,
    stop: CancellationToken,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut response = dispatch::answer_to(&state, request).await;
    if stop.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
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
