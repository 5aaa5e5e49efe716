//! What becomes of the connections to the upstream: used again, held back with a slow client, given up with one that is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cr_testkit::TestDatabase;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::client;
use crate::stage::stage;
use crate::support::TestServer;

/// More than the buffers of two connections and two programs hold.
const ENDLESS: usize = 200 * 1024 * 1024;

/// What an upstream saw.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    written: AtomicUsize,
    broken: AtomicUsize,
}

/// Reads the head of a request; `false` when the connection ends.
async fn head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

/// An upstream that answers with a body of this length, as long as somebody takes it.
async fn upstream(length: usize) -> (String, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = format!("[gateway]\nupstream = \"http://{}\"\n\n[options]\n", listener.local_addr().unwrap());
    let seen = Arc::new(Seen::default());
    let own = Arc::clone(&seen);
    TaskTracker::new().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            own.connections.fetch_add(1, Ordering::SeqCst);
            let seen = Arc::clone(&own);
            TaskTracker::new().spawn(async move {
                while head(&mut stream).await {
                    let start = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                    let mut left = length;
                    let mut written = stream.write_all(start.as_bytes()).await;
                    while left > 0 && written.is_ok() {
                        let part = left.min(64 * 1024);
                        written = stream.write_all(&vec![b'x'; part]).await;
                        seen.written.fetch_add(part, Ordering::SeqCst);
                        left -= part;
                    }
                    if written.is_err() {
                        seen.broken.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                }
            });
        }
    });
    (gateway, seen)
}

/// A server in front of it.
async fn open(database: &TestDatabase, length: usize) -> (TestServer, Arc<Seen>) {
    let (gateway, seen) = upstream(length).await;
    let (server, _) = stage(database, &[("[options]\n", &gateway)]).await;
    (server, seen)
}

/// Waits until a number is what is wanted.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.unwrap_or_else(|_| panic!("{what}"));
}

cr_testkit::both! {
    /// A request that comes before the last one's connection is free again opens another, so it need not be one.
    async fn few_connections_serve_many_requests(database: TestDatabase) {
        let (server, seen) = open(&database, 5).await;
        for _ in 0..30 {
            let answer = client().get(format!("{}/custom/x", server.url)).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap(), "xxxxx");
        }
        let connections = seen.connections.load(Ordering::SeqCst);
        assert!(connections <= 5, "{connections} connections for 30 requests");
        server.stop().await;
    }

    /// A client on a slow line must not fill this server's memory, and one that is gone must not keep the upstream busy.
    async fn a_client_that_does_not_read_holds_the_upstream_back(database: TestDatabase) {
        let (server, seen) = open(&database, ENDLESS).await;
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(b"GET /custom/x HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        until("the answer begins", || seen.written.load(Ordering::SeqCst) > 0).await;
        let mut before = usize::MAX;
        while before != seen.written.load(Ordering::SeqCst) {
            before = seen.written.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        assert!(before < ENDLESS / 4, "{before} bytes were taken for nobody");
        assert_eq!(seen.broken.load(Ordering::SeqCst), 0);
        drop(stream);
        until("the upstream is let go", || seen.broken.load(Ordering::SeqCst) == 1).await;
        server.stop().await;
    }
}
