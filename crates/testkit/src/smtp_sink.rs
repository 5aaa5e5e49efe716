//! A mail server on a socket: STARTTLS or TLS with a certificate of its own authority, AUTH, and failures on demand.
//!
//! It speaks enough of RFC 5321 to be talked to by any client and keeps what it was given.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::mime::Mail;

/// How long a test waits for mail before it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// How the sink's connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkTls {
    /// Not at all, and not offered.
    None,
    /// Offered, and demanded before AUTH and MAIL.
    StartTls,
    /// From the first byte.
    Wrapped,
}

/// What the sink does with one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Takes the mail.
    Accept,
    /// Greets with this code and closes.
    RefuseSession(u16),
    /// Answers RCPT with this code.
    RefuseRecipient(u16),
    /// Answers the mail's end with this code.
    RefuseMessage(u16),
    /// Closes after the mail's end, without an answer, and keeps the mail.
    HangUp,
    /// Says nothing at all until the client goes.
    Stall,
    /// Keeps the mail and answers its end only after [`SmtpSink::release`].
    Hold,
}

/// A mail as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkMessage {
    /// What MAIL FROM named.
    pub sender: String,
    /// What RCPT TO named.
    pub recipients: Vec<String>,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
    /// The user that logged in.
    pub user: Option<String>,
    /// Headers and body, CRLF, without the dots that the transport added.
    pub source: String,
}

impl SinkMessage {
    /// The mail taken apart.
    pub fn mail(&self) -> Mail {
        Mail::parse(&self.source)
    }
}

/// What all connections share.
struct State {
    tls: SinkTls,
    credentials: Option<(String, String)>,
    acceptor: TlsAcceptor,
    messages: Mutex<Vec<SinkMessage>>,
    plan: Mutex<VecDeque<Answer>>,
    connections: Mutex<usize>,
    arrived: Notify,
    release: Semaphore,
}

/// The server. Stops when dropped.
pub struct SmtpSink {
    address: SocketAddr,
    state: Arc<State>,
    ca_file: tempfile::NamedTempFile,
    listening: JoinSet<()>,
}

impl SmtpSink {
    /// Listens on a free loopback port. With `credentials` (user, password) mail is taken only after AUTH.
    ///
    /// # Panics
    /// When there is no port or no certificate.
    pub async fn start(tls: SinkTls, credentials: Option<(&str, &str)>) -> Self {
        let (acceptor, ca_pem) = certificate();
        let ca_file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(ca_file.path(), ca_pem).unwrap();
        let state = Arc::new(State {
            tls,
            credentials: credentials.map(|(user, password)| (user.to_owned(), password.to_owned())),
            acceptor,
            messages: Mutex::default(),
            plan: Mutex::default(),
            connections: Mutex::default(),
            arrived: Notify::new(),
            release: Semaphore::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, Arc::clone(&state)));
        Self { address, state, ca_file, listening }
    }

    /// An address that fits: with the credentials, and `tls=required` where STARTTLS is demanded.
    pub fn url(&self) -> String {
        let credentials =
            self.state.credentials.as_ref().map_or_else(String::new, |(user, password)| format!("{user}:{password}@"));
        let (scheme, query) = match self.state.tls {
            SinkTls::None => ("smtp", ""),
            SinkTls::StartTls => ("smtp", "?tls=required"),
            SinkTls::Wrapped => ("smtps", ""),
        };
        format!("{scheme}://{credentials}{}{query}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A PEM file with the authority's certificate.
    pub fn ca_file(&self) -> &Path {
        self.ca_file.path()
    }

    /// What to do with the next connections, one each; after these, mail is taken.
    pub fn answer_next(&self, answers: &[Answer]) {
        self.state.plan.lock().unwrap().extend(answers);
    }

    /// Lets one held mail go on.
    pub fn release(&self) {
        self.state.release.add_permits(1);
    }

    /// The mails so far, in order.
    pub fn messages(&self) -> Vec<SinkMessage> {
        self.state.messages.lock().unwrap().clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }

    /// Waits until there are this many mails, and returns them all.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait_for(&self, count: usize) -> Vec<SinkMessage> {
        let waiting = async {
            loop {
                let arrived = self.state.arrived.notified();
                let messages = self.messages();
                if messages.len() >= count {
                    return messages;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("mail must come")
    }

    /// Stops listening and cuts off whoever is connected: connections are refused from now on.
    pub async fn stop(&mut self) {
        self.listening.shutdown().await;
    }

    /// Listens again on the same port.
    ///
    /// # Panics
    /// When another took the port meanwhile.
    pub async fn restart(&mut self) {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.listening.spawn(listen(listener, Arc::clone(&self.state)));
    }
}

/// An authority and, signed by it, a certificate for loopback; the authority as PEM.
fn certificate() -> (TlsAcceptor, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let ca_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), ca_pem)
}

/// Serves connections until aborted, and with it all of them.
async fn listen(listener: TcpListener, state: Arc<State>) {
    let mut sessions = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        *state.connections.lock().unwrap() += 1;
        let answer = state.plan.lock().unwrap().pop_front().unwrap_or(Answer::Accept);
        sessions.spawn(serve(stream, Arc::clone(&state), answer));
    }
}

/// One connection. A client that goes away ends it.
async fn serve(stream: TcpStream, state: Arc<State>, answer: Answer) {
    if answer == Answer::Stall {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {}
        return;
    }
    if state.tls == SinkTls::Wrapped {
        let Ok(stream) = state.acceptor.accept(stream).await else { return };
        Session::new(stream, &state, answer, true).converse(true).await;
        return;
    }
    let session = Session::new(stream, &state, answer, false);
    let Some(stream) = session.converse(true).await else { return };
    let Ok(stream) = state.acceptor.accept(stream).await else { return };
    Session::new(stream, &state, answer, true).converse(false).await;
}

/// One conversation on one stream.
struct Session<'a, S> {
    stream: BufReader<S>,
    state: &'a State,
    answer: Answer,
    encrypted: bool,
    user: Option<String>,
    sender: String,
    recipients: Vec<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    /// A conversation that has not begun; `encrypted` says whether the stream is TLS already.
    fn new(stream: S, state: &'a State, answer: Answer, encrypted: bool) -> Self {
        let stream = BufReader::new(stream);
        Self { stream, state, answer, encrypted, user: None, sender: String::new(), recipients: Vec::new() }
    }

    /// Talks until the end, or until STARTTLS, when the stream is handed back.
    async fn converse(mut self, greet: bool) -> Option<S> {
        if let Answer::RefuseSession(code) = self.answer {
            self.say(&format!("{code} not today")).await?;
            return None;
        }
        if greet {
            self.say("220 sink ESMTP").await?;
        }
        loop {
            let line = self.hear().await?;
            let verb = line.split([' ', ':']).next().unwrap_or("").to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.offer().await?,
                "HELO" | "NOOP" | "RSET" => self.say("250 fine").await?,
                "STARTTLS" if self.state.tls == SinkTls::StartTls && !self.encrypted => {
                    self.say("220 go on").await?;
                    return Some(self.stream.into_inner());
                }
                "QUIT" => {
                    self.say("221 bye").await?;
                    return None;
                }
                _ if self.state.tls == SinkTls::StartTls && !self.encrypted => {
                    self.say("530 Must issue a STARTTLS command first").await?;
                }
                "AUTH" => self.log_in(&line).await?,
                _ if self.state.credentials.is_some() && self.user.is_none() => {
                    self.say("530 Authentication required").await?;
                }
                "MAIL" => {
                    self.sender = in_brackets(&line);
                    self.say("250 fine").await?;
                }
                "RCPT" => self.recipient(&line).await?,
                "DATA" => self.data().await?,
                _ => self.say("502 unknown").await?,
            }
        }
    }

    /// Lists what it can.
    async fn offer(&mut self) -> Option<()> {
        self.say("250-sink").await?;
        if self.state.tls == SinkTls::StartTls && !self.encrypted {
            self.say("250-STARTTLS").await?;
        }
        if self.state.credentials.is_some() && (self.encrypted || self.state.tls == SinkTls::None) {
            self.say("250-AUTH PLAIN LOGIN").await?;
        }
        self.say("250 8BITMIME").await
    }

    /// AUTH PLAIN or LOGIN, with or without an initial response.
    async fn log_in(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ').skip(1);
        let mechanism = words.next().unwrap_or("").to_ascii_uppercase();
        let initial = words.next().map(str::to_owned);
        let given = match mechanism.as_str() {
            "PLAIN" => {
                let response = self.ask("334 ", initial).await?;
                let mut fields = response.split('\0').skip(1);
                (fields.next().unwrap_or("").to_owned(), fields.next().unwrap_or("").to_owned())
            }
            "LOGIN" => {
                let user = self.ask("334 VXNlcm5hbWU6", initial).await?;
                (user, self.ask("334 UGFzc3dvcmQ6", None).await?)
            }
            _ => return self.say("504 unknown mechanism").await,
        };
        if self.state.credentials.as_ref() == Some(&given) {
            self.user = Some(given.0);
            return self.say("235 welcome").await;
        }
        self.say("535 Authentication credentials invalid").await
    }

    /// The initial response, or what the client answers to this challenge; decoded.
    async fn ask(&mut self, challenge: &str, initial: Option<String>) -> Option<String> {
        let encoded = if let Some(initial) = initial {
            initial
        } else {
            self.say(challenge).await?;
            self.hear().await?
        };
        String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
    }

    /// RCPT.
    async fn recipient(&mut self, line: &str) -> Option<()> {
        if let Answer::RefuseRecipient(code) = self.answer {
            return self.say(&format!("{code} no such mailbox <{}>", in_brackets(line))).await;
        }
        self.recipients.push(in_brackets(line));
        self.say("250 fine").await
    }

    /// DATA up to the lone dot; then as planned.
    async fn data(&mut self) -> Option<()> {
        self.say("354 go on").await?;
        let mut source = String::new();
        loop {
            let line = self.hear().await?;
            if line == "." {
                break;
            }
            source.push_str(line.strip_prefix('.').unwrap_or(&line));
            source.push_str("\r\n");
        }
        if let Answer::RefuseMessage(code) = self.answer {
            return self.say(&format!("{code} not this one")).await;
        }
        let message = SinkMessage {
            sender: std::mem::take(&mut self.sender),
            recipients: std::mem::take(&mut self.recipients),
            encrypted: self.encrypted,
            user: self.user.clone(),
            source,
        };
        self.state.messages.lock().unwrap().push(message);
        self.state.arrived.notify_waiters();
        match self.answer {
            Answer::HangUp => return None,
            Answer::Hold => self.state.release.acquire().await.ok()?.forget(),
            _ => {}
        }
        self.say("250 taken").await
    }

    /// Writes a line; `None` when the client has gone.
    async fn say(&mut self, line: &str) -> Option<()> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.ok()?;
        self.stream.get_mut().flush().await.ok()
    }

    /// Reads a line without its end; `None` when the client has gone.
    async fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        let bytes = self.stream.read_line(&mut line).await.ok()?;
        (bytes > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// What stands in `<>`.
fn in_brackets(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(inside, _)| inside).to_owned()
}
