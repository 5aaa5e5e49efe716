//! A server on a socket that behaves as Twilio's Messages API does: it judges what is posted, keeps what it takes, and fails as
//! planned.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::webhook_sink::{SinkRequest, read_request};

/// The account that the sink knows.
pub const ACCOUNT_SID: &str = "AC0123456789abcdef0123456789abcdef";
/// Its token.
pub const AUTH_TOKEN: &str = "tw1lio-t0ken";
/// The number that belongs to the account.
pub const FROM: &str = "+15550002222";
/// The messaging service that belongs to the account.
pub const MESSAGING_SERVICE: &str = "MG0123456789abcdef0123456789abcdef";
/// The longest body in characters: <https://www.twilio.com/docs/api/errors/21617>.
const LONGEST_BODY: usize = 1600;
/// How long a test waits for a message before it fails.
const PATIENCE: Duration = Duration::from_mins(1);
/// What an endless answer ends after, in case nobody hangs up.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;

/// A message that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentText {
    /// `SM…`
    pub sid: String,
    /// To whom.
    pub to: String,
    /// From which number or messaging service.
    pub from: String,
    /// The text.
    pub body: String,
    /// `I-Twilio-Idempotency-Token`
    pub token: Option<String>,
}

/// What to do with one request instead of judging it.
#[derive(Clone, Debug)]
pub enum SmsAnswer {
    /// Refuses with a status and a code of Twilio's, and a `Retry-After`.
    Refuse(u16, u32, Option<&'static str>),
    /// Answers with a status and a page that is no JSON, as a proxy in between does.
    Page(u16),
    /// Sends the client elsewhere.
    Redirect(String),
    /// Reads the request and never answers.
    Silence,
    /// Reads the request and closes.
    HangUp,
    /// Closes in the middle of the header.
    BreakOff,
    /// Takes the message and closes without an answer.
    LoseAnswer,
    /// Refuses with a status and a body that does not end.
    Endless(u16),
}

/// What all connections share.
#[derive(Default)]
struct State {
    taken: Mutex<Vec<SentText>>,
    plan: Mutex<VecDeque<SmsAnswer>>,
    requests: AtomicUsize,
    endless_bytes: AtomicUsize,
    arrived: Notify,
}

/// The server. Stops when dropped.
pub struct SmsSink {
    address: SocketAddr,
    state: Arc<State>,
    _listening: JoinSet<()>,
}

impl SmsSink {
    /// Listens on a free loopback port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
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

    /// `http://127.0.0.1:port`, for `baseUrl`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What to do with the next requests, one each; after these, they are judged.
    pub fn answer_next(&self, answers: &[SmsAnswer]) {
        self.state.plan.lock().unwrap().extend(answers.iter().cloned());
    }

    /// The messages so far, in order.
    pub fn texts(&self) -> Vec<SentText> {
        self.state.taken.lock().unwrap().clone()
    }

    /// How many requests came, refused ones too.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Bytes of endless answers that were written before the client hung up.
    pub fn endless_bytes(&self) -> usize {
        self.state.endless_bytes.load(Ordering::SeqCst)
    }

    /// Waits until there are this many messages, and returns them all.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait_for(&self, count: usize) -> Vec<SentText> {
        let waiting = async {
            loop {
                let arrived = self.state.arrived.notified();
                let texts = self.texts();
                if texts.len() >= count {
                    return texts;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("a text message must come")
    }
}

impl State {
    /// Takes a message: its sid.
    fn take(&self, mut text: SentText) -> String {
        let mut taken = self.taken.lock().unwrap();
        text.sid = format!("SM{:032x}", taken.len() + 1);
        let sid = text.sid.clone();
        taken.push(text);
        drop(taken);
        self.arrived.notify_waiters();
        sid
    }
}

/// One request, then the connection is closed.
async fn serve(stream: TcpStream, state: Arc<State>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let request = read_request(&mut stream).await?;
    state.requests.fetch_add(1, Ordering::SeqCst);
    let planned = state.plan.lock().unwrap().pop_front();
    let stream = stream.get_mut();
    let answer = match planned {
        None => judged(&request, &state),
        Some(SmsAnswer::Refuse(status, code, retry_after)) => {
            let header = retry_after.map_or_else(String::new, |value| format!("retry-after: {value}\r\n"));
            refusal(status, code, &header)
        }
        Some(SmsAnswer::Page(status)) => answer(status, "content-type: text/html\r\n", "<h1>It did not work</h1>"),
        Some(SmsAnswer::Redirect(to)) => answer(307, &format!("location: {to}\r\n"), ""),
        Some(SmsAnswer::Silence) => {
            std::future::pending::<()>().await;
            String::new()
        }
        Some(SmsAnswer::HangUp) => String::new(),
        Some(SmsAnswer::BreakOff) => "HTTP/1.1 201 Created\r\ncontent-ty".to_owned(),
        Some(SmsAnswer::LoseAnswer) => {
            judged(&request, &state);
            String::new()
        }
        Some(SmsAnswer::Endless(status)) => {
            let head = format!("HTTP/1.1 {status} Planned\r\nconnection: close\r\n\r\n{{\"message\":\"");
            stream.write_all(head.as_bytes()).await.ok()?;
            let chunk = vec![b'x'; 64 * 1024];
            while state.endless_bytes.fetch_add(chunk.len(), Ordering::SeqCst) < ENDLESS_BYTES {
                stream.write_all(&chunk).await.ok()?;
            }
            String::new()
        }
    };
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

/// What Twilio says to a request: 201 with the message, or a refusal by its own codes.
fn judged(request: &SinkRequest, state: &State) -> String {
    let path = format!("/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json");
    if request.path != path {
        return refusal(404, 20404, "");
    }
    if request.method != "POST" {
        return refusal(405, 20004, "");
    }
    let credentials = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}")));
    if request.header("authorization") != Some(&credentials) {
        return refusal(401, 20003, "");
    }
    let form = pairs(&request.body);
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let Some(to) = field("To").filter(|to| !to.is_empty()) else { return refusal(400, 21604, "") };
    let (from, body) = (field("MessagingServiceSid").or_else(|| field("From")), field("Body").unwrap_or_default());
    let code = match from {
        None | Some("") => 21603,
        Some(from) if from.starts_with('+') && from != FROM => 21606,
        Some(from) if field("MessagingServiceSid").is_some() && from != MESSAGING_SERVICE => 21705,
        Some(_) if !is_e164(to) => 21211,
        Some(_) if body.is_empty() => 21602,
        Some(_) if body.chars().count() > LONGEST_BODY => 21617,
        Some(from) => {
            let token = request.header("i-twilio-idempotency-token").map(ToOwned::to_owned);
            let text =
                SentText { sid: String::new(), to: to.to_owned(), from: from.to_owned(), body: body.to_owned(), token };
            let sid = state.take(text);
            let json = json!({ "sid": sid, "account_sid": ACCOUNT_SID, "to": to, "body": body, "status": "queued",
                "error_code": null, "error_message": null, "num_segments": "1" });
            return answer(201, "content-type: application/json\r\n", &json.to_string());
        }
    };
    refusal(400, code, "")
}

/// Whether a number has Twilio's form: `+` and 8 to 15 digits, no zero in front.
fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

/// A refusal in Twilio's form, with more header lines.
fn refusal(status: u16, code: u32, headers: &str) -> String {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    // The real one repeats the number in its message.
    let message = format!("The number +15550001111 caused error {code}");
    let json = json!({ "code": code, "message": message, "more_info": more_info, "status": status });
    answer(status, &format!("content-type: application/json\r\n{headers}"), &json.to_string())
}

/// A whole answer; each of `headers` ends its line.
fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Judged\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

/// The pairs of a form body, decoded.
fn pairs(body: &str) -> Vec<(String, String)> {
    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decode(name), decode(value))).collect()
}

/// `+` is a blank, `%XX` a byte (WHATWG URL, "application/x-www-form-urlencoded parsing").
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        let escaped = others.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = others.get(2..).unwrap_or_default();
            }
            None => bytes.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
