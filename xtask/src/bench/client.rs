//! The smallest HTTP/1.1 client that can put a server under load: one connection kept alive, one request after the other.
//!
//! It shares the machine with the server that it measures, so it does as little as possible: a request is bytes made
//! beforehand, an answer is read up to its `content-length`. Chunked answers are refused, since no route that is measured
//! sends one.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read; the answer begins at 0.
    buffer: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Connects to a server on this machine.
    ///
    /// # Errors
    /// When nobody listens there.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends the bytes of one request and waits for its whole answer.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is no HTTP/1.1 with a `content-length`.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Answer> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection in the middle of an answer");
            }
            if let Some(answer) = parse(&self.buffer)? {
                return Ok(answer);
            }
        }
    }
}

/// The answer, once all of it is there.
///
/// # Errors
/// When it is no HTTP/1.1 with a `content-length`.
fn parse(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let (head, rest) = bytes.split_at(end + 4);
    let head = std::str::from_utf8(head).context("the head of the answer is not text")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("the answer has no status")?;
    let length: usize = head
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        })
        .with_context(|| format!("the answer has no content-length:\n{head}"))?;
    Ok(rest.get(..length).map(|body| Answer { status, body: body.to_vec() }))
}

/// The bytes of a request; `token` becomes a bearer token, `body` goes as JSON.
pub(crate) fn request(method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Vec<u8> {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let body = body.unwrap_or_default();
    let content = if body.is_empty() {
        String::new()
    } else {
        format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
    };
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{authorization}{content}\r\n{body}").into_bytes()
}

/// The same request with one header more.
pub(crate) fn with_header(request: &[u8], name: &str, value: &str) -> Vec<u8> {
    let first_line = request.windows(2).position(|pair| pair == b"\r\n").map_or(0, |end| end + 2);
    let (start, rest) = request.split_at(first_line);
    [start, format!("{name}: {value}\r\n").as_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_announced_length_is_there() {
        for (text, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Some("{}")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", None),
            ("HTTP/1.1 200 OK\r\nContent-Le", None),
        ] {
            let answer = parse(text.as_bytes()).unwrap();
            assert_eq!(answer.map(|answer| String::from_utf8(answer.body).unwrap()).as_deref(), body, "{text}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_announces_its_body_and_carries_its_token() {
        let text = String::from_utf8(request("POST", "/x", Some("t"), Some("{}"))).unwrap();
        let expected = "POST /x HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer t\r\n\
                        content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(text, expected);
        let text = String::from_utf8(with_header(&request("GET", "/x", None, None), "a", "b")).unwrap();
        assert_eq!(text, "GET /x HTTP/1.1\r\na: b\r\nhost: localhost\r\n\r\n");
    }
}
