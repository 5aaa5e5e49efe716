//! What goes to PostgreSQL: a way in between that reads the protocol, so that nothing the driver sends by itself stays unseen.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use cr_testkit::chaos_proxy::address_of;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The version that a session begins with, 3.0; what comes before it asks for TLS.
const VERSION: [u8; 4] = [0, 3, 0, 0];

/// What was asked, an entry a round trip.
type Trips = Arc<Mutex<Vec<String>>>;

/// The way. It ends when dropped.
pub(crate) struct Wire {
    address: SocketAddr,
    target: SocketAddr,
    trips: Trips,
    _listening: JoinSet<()>,
}

impl Wire {
    /// Listens on a free loopback port before the server of a URL.
    pub(crate) async fn start(url: &str) -> Self {
        let target = address_of(url);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let trips = Trips::default();
        let heard = Arc::clone(&trips);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, target, Arc::clone(&heard)));
            }
        });
        Self { address, target, trips, _listening: listening }
    }

    /// The same URL by this way.
    pub(crate) fn url(&self, url: &str) -> String {
        url.replacen(&self.target.to_string(), &self.address.to_string(), 1)
    }

    /// What was asked since the last time. A trip that asked nothing, to see whether anybody is there, is an empty text.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.trips.lock().unwrap())
    }
}

/// Carries one connection until an end closes.
async fn carry(client: TcpStream, target: SocketAddr, trips: Trips) {
    let database = TcpStream::connect(target).await.unwrap();
    for stream in [&client, &database] {
        stream.set_nodelay(true).unwrap();
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_database, mut to_database) = database.into_split();
    let asked = async {
        let mut reader = Reader { trips, ..Reader::default() };
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            reader.read(&buffer[..length]);
            if to_database.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = asked => {}
        _ = tokio::io::copy(&mut from_database, &mut to_client) => {}
    }
}

/// Reads what a client sends (PostgreSQL 15, chapter 55.7).
#[derive(Default)]
struct Reader {
    trips: Trips,
    unread: Vec<u8>,
    is_started: bool,
    /// The texts of prepared statements by their names.
    prepared: HashMap<Vec<u8>, String>,
    /// What the next `Sync` ends.
    pending: String,
}

impl Reader {
    /// Takes the messages that are whole.
    fn read(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while let Some((kind, body)) = self.next() {
            self.note(kind, &body);
        }
    }

    /// The next message: its kind and its body. Before the session begins a message has no kind.
    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = usize::from(self.is_started);
        let length = self.unread.get(head..head + 4)?;
        let end = head + usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
        if self.unread.len() < end {
            return None;
        }
        let message: Vec<u8> = self.unread.drain(..end).collect();
        if self.is_started {
            return Some((message[0], message[5..].to_vec()));
        }
        self.is_started = message[4..8] == VERSION;
        Some((0, Vec::new()))
    }

    /// Remembers what a message says, and counts where it is one that an answer is waited for.
    fn note(&mut self, kind: u8, body: &[u8]) {
        let mut texts = body.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        match kind {
            b'Q' => self.count(text(texts.next().unwrap())),
            // Parse: name, text.
            b'P' => {
                let (name, sql) = (texts.next().unwrap(), text(texts.next().unwrap()));
                self.pending = format!("prepare: {sql}");
                self.prepared.insert(name, sql);
            }
            // Bind: portal, name.
            b'B' => self.pending.clone_from(&self.prepared[&texts.nth(1).unwrap()]),
            b'S' => {
                let pending = std::mem::take(&mut self.pending);
                self.count(pending);
            }
            _ => {}
        }
    }

    /// One more round trip.
    fn count(&self, what: String) {
        self.trips.lock().unwrap().push(what);
    }
}

/// A part of a message as text.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}
