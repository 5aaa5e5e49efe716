//! An HTTP endpoint on a socket that keeps what is posted to it and answers as planned.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How long a test waits for a request before it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkRequest {
    /// Such as `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl SinkRequest {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What to answer to one request: a status and headers, such as `("retry-after", "30")`.
#[derive(Clone, Debug)]
pub struct SinkAnswer {
    /// The status.
    pub status: u16,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

/// What all connections share.
#[derive(Default)]
struct State {
    requests: Mutex<Vec<SinkRequest>>,
    plan: Mutex<VecDeque<SinkAnswer>>,
    arrived: Notify,
}

/// The server. Stops when dropped.
pub struct WebhookSink {
    address: SocketAddr,
    state: Arc<State>,
    _listening: JoinSet<()>,
}

impl WebhookSink {
    /// Listens on a free loopback port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Listens where somebody has been told that it would.
    ///
    /// # Panics
    /// When that is taken.
    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state, _listening: listening }
    }

    /// `http://127.0.0.1:port`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What to answer to the next requests, one each; after these, 204.
    pub fn answer_next(&self, answers: &[SinkAnswer]) {
        self.state.plan.lock().unwrap().extend(answers.iter().cloned());
    }

    /// The requests so far, in order.
    pub fn requests(&self) -> Vec<SinkRequest> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Waits until there are this many requests, and returns them all.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait_for(&self, count: usize) -> Vec<SinkRequest> {
        let waiting = async {
            loop {
                let arrived = self.state.arrived.notified();
                let requests = self.requests();
                if requests.len() >= count {
                    return requests;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("a request must come")
    }
}

/// Reads one request with a body of a known length; `None` when it breaks off or is no HTTP.
pub(crate) async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<SinkRequest> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(Ok(0), |(_, value)| value.parse());
    let mut body = vec![0; length.ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(SinkRequest { method, path, headers, body: String::from_utf8(body).ok()? })
}

/// One request, then the connection is closed.
async fn serve(stream: TcpStream, state: Arc<State>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let request = read_request(&mut stream).await?;
    let answer = state.plan.lock().unwrap().pop_front();
    state.requests.lock().unwrap().push(request);
    state.arrived.notify_waiters();

    let SinkAnswer { status, headers } = answer.unwrap_or(SinkAnswer { status: 204, headers: Vec::new() });
    let mut head = format!("HTTP/1.1 {status} Planned\r\nconnection: close\r\n");
    if status != 204 {
        head.push_str("content-length: 0\r\n");
    }
    for (name, value) in headers {
        for part in [name, ": ", &value, "\r\n"] {
            head.push_str(part);
        }
    }
    head.push_str("\r\n");
    stream.get_mut().write_all(head.as_bytes()).await.ok()?;
    stream.get_mut().shutdown().await.ok()
}
