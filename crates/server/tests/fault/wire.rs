//! HTTP/1.1 by hand: one request a connection, and requests that are held back until the server has begun with them.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::PATIENCE;

/// What the server says once it wants a body.
const GO_ON: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Status line and headers as they came.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Answer {
    /// Takes bytes of a whole answer apart.
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("cut off: {text}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// A header's value, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// A text of the JSON body.
    pub(crate) fn field(&self, pointer: &str) -> String {
        let json: Value = serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let value = json.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no {pointer} in {self:?}")).to_owned()
    }
}

/// One request and its answer.
///
/// # Errors
/// When nobody listens or the connection breaks.
pub(crate) async fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let head = head(address, method, path, headers, body);
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await??;
    if text.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Answer::parse(&text))
}

/// Request line and headers, without the empty line.
fn head(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}"
    )
}

/// A request that the server has begun to work on.
pub(crate) struct Begun(TcpStream);

impl Begun {
    /// Sends a `POST`, the body only once the server asks for it: after that the request is surely in flight.
    pub(crate) async fn post(address: SocketAddr, path: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = head(address, "POST", path, "expect: 100-continue\r\n", body);
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        let mut asked = vec![0; GO_ON.len()];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&asked), GO_ON);
        stream.write_all(body.as_bytes()).await.unwrap();
        Self(stream)
    }

    /// Waits for the answer.
    pub(crate) async fn finish(mut self) -> Answer {
        let mut text = String::new();
        tokio::time::timeout(PATIENCE, self.0.read_to_string(&mut text)).await.expect("no answer").unwrap();
        Answer::parse(&text)
    }
}
