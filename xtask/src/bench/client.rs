//! The smallest HTTP/1.1 client that can put a server under load: one connection kept alive, one request after the other.
//!
//! It shares the machine with the server that it measures, so it does as little as possible: a request is bytes made
//! beforehand, an answer is read up to its `content-length`, or to the last of its chunks.

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
    /// Status line and headers as they came.
    pub(crate) head: String,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, in whatever case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
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
    /// When the connection breaks, or the answer is no HTTP/1.1 whose end can be told.
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
/// When it is no HTTP/1.1 with a `content-length` or chunks.
fn parse(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let (head, rest) = bytes.split_at(end + 4);
    let head = std::str::from_utf8(head).context("the head of the answer is not text")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("the answer has no status")?;
    let body = if header(head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        unchunk(rest)?
    } else {
        let length = header(head, "content-length").and_then(|value| value.parse::<usize>().ok());
        let length = length.with_context(|| format!("the answer has no content-length:\n{head}"))?;
        rest.get(..length).map(<[u8]>::to_vec)
    };
    Ok(body.map(|body| Answer { status, head: head.to_owned(), body }))
}

/// The first header of this name in a head.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The chunks put together, once the last, empty one is there (RFC 9112, section 7.1; trailers are not read).
///
/// # Errors
/// When a chunk does not say how long it is.
fn unchunk(mut rest: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let (size, after) = rest.split_at(end);
        let size = std::str::from_utf8(size).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.context("a chunk of the answer has no size")?;
        let Some(chunk) = after.get(2..size + 4) else { return Ok(None) };
        body.extend_from_slice(chunk.get(..size).unwrap_or_default());
        if size == 0 {
            return Ok(Some(body));
        }
        rest = after.get(size + 4..).unwrap_or_default();
    }
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
    fn an_answer_is_whole_when_what_it_announced_is_there() {
        for (text, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Some("{}")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", None),
            ("HTTP/1.1 200 OK\r\nContent-Le", None),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\nb\r\na\":1234567}\r\n0\r\n\r\n",
                Some("{\"a\":1234567}"),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{", None),
        ] {
            let answer = parse(text.as_bytes()).unwrap();
            assert_eq!(answer.map(|answer| String::from_utf8(answer.body).unwrap()).as_deref(), body, "{text}");
        }
        for endless in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"] {
            assert!(parse(endless.as_bytes()).is_err(), "{endless}");
        }
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
