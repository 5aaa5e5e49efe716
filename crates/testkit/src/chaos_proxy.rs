//! A TCP proxy that goes wrong on command: it stands between the program and its database.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Bytes go through in both directions.
    Well,
    /// Every connection is reset, and each new one at once.
    Cut,
    /// Connections stay open and nothing moves; what was sent goes on once the way is well again.
    Stalled,
    /// As stalled, but what was open or opened meanwhile never moves again: a firewall has forgotten it.
    Lost,
    /// The database's direction ends, as if it had closed, while what the program writes is still taken, and lost.
    HalfClosed,
    /// Each connection is reset in the middle of the next answer.
    ResetInAnswer,
}

/// The proxy. Stops, and closes all connections, when dropped.
pub struct ChaosProxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    target: watch::Sender<SocketAddr>,
    _listening: JoinSet<()>,
}

impl ChaosProxy {
    /// Listens on a free loopback port, the way to the target being well.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, ways) = watch::channel(Way::Well);
        let (target, targets) = watch::channel(target);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let client = Client { stream: client, way: ways.clone() };
                connections.spawn(client.serve(*targets.borrow()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, way, target, _listening: listening }
    }

    /// The same URL by way of the proxy.
    ///
    /// # Panics
    /// When the URL names no host and port in figures.
    pub fn url(&self, url: &str) -> String {
        url.replacen(&address_of(url).to_string(), &self.address.to_string(), 1)
    }

    /// Makes the way so, from now on, for connections there are and connections to come.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// New connections go there, as when an address is moved to another machine.
    pub fn lead_to(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }
}

/// The address in a URL such as `postgres://user@127.0.0.1:5432/name`.
///
/// # Panics
/// When it names no host and port in figures.
pub fn address_of(url: &str) -> SocketAddr {
    let rest = url.split("://").nth(1).unwrap();
    let authority = rest.split(['/', '?']).next().unwrap();
    authority.rsplit('@').next().unwrap().parse().unwrap()
}

/// The program's end of a connection.
struct Client {
    stream: TcpStream,
    way: watch::Receiver<Way>,
}

impl Client {
    /// Carries bytes until one end closes, the way is cut, or the proxy ends.
    async fn serve(mut self, target: SocketAddr) {
        // A database that is not there is as a way that is cut.
        let Ok(mut database) = TcpStream::connect(target).await else { return self.reset() };
        let (mut asked, mut answered) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        loop {
            let way = *self.way.borrow_and_update();
            match way {
                Way::Well | Way::ResetInAnswer => {}
                Way::Stalled => match self.way.changed().await {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                Way::Lost => return self.never().await,
                Way::Cut => return self.reset(),
                Way::HalfClosed => return self.half_close().await,
            }
            let carried = tokio::select! {
                changed = self.way.changed() => changed.is_ok(),
                read = self.stream.read(&mut asked) => carry(read, &asked, &mut database).await,
                read = database.read(&mut answered) => match read {
                    Ok(length) if length > 0 && way == Way::ResetInAnswer => {
                        carry(Ok(length / 2), &answered, &mut self.stream).await;
                        return self.reset();
                    }
                    read => carry(read, &answered, &mut self.stream).await,
                },
            };
            if !carried {
                return;
            }
        }
    }

    /// Closes with a reset in place of a goodbye.
    fn reset(self) {
        // Where it cannot be set, the other end is gone already.
        let _ = self.stream.set_zero_linger();
    }

    /// Ends one direction and swallows the other.
    async fn half_close(mut self) {
        let mut lost = vec![0; 1024];
        if self.stream.shutdown().await.is_ok() {
            while self.stream.read(&mut lost).await.is_ok_and(|length| length > 0) {}
        }
    }

    /// Keeps the connection open for as long as the proxy lives.
    async fn never(mut self) {
        while self.way.changed().await.is_ok() {}
    }
}

/// Hands on what was read; false at the end.
async fn carry(read: std::io::Result<usize>, bytes: &[u8], to: &mut TcpStream) -> bool {
    match read {
        Ok(length) if length > 0 => to.write_all(bytes.get(..length).unwrap()).await.is_ok(),
        _ => false,
    }
}
