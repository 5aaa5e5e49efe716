//! Reading a request's body as Express's body parsers read it, within `http.bodyLimit`.
//!
//! Where body-parser's failures become Medusa's 500, ours are 400 with a sentence, and 413.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use cr_core::error::Error;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value};

use crate::{json, query};

/// How long a client may take to send its body.
const ARRIVAL: Duration = Duration::from_secs(30);
/// Bytes of an unwanted body that are read and dropped, so that a client that is still sending gets to see the answer.
const MOST_DRAINED: usize = 1024 * 1024;
/// Bytes that a compressed body may have beyond the limit: what compression adds to what cannot be compressed.
const COMPRESSION_OVERHEAD: usize = 4096;

/// The content types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Text,
    Form,
}

/// Reads a body. `limit` is in bytes, inclusive, counted after inflating.
///
/// Shape: an object or array for JSON and forms, a string for `text/plain`; `{}` where there is no body, an empty one, or
/// one of another content type.
///
/// # Errors
/// `invalid_data` for what cannot be understood or holds a NUL character; 413 for what is too large.
pub async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Value, Error> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(format) = format_of(content_type) else {
        drain(body).await;
        return Ok(Value::Object(Map::new()));
    };
    let encoding = headers.get(header::CONTENT_ENCODING).map_or("identity", |value| value.to_str().unwrap_or("?"));
    let encoding = encoding.to_ascii_lowercase();
    let most = if encoding == "identity" { limit } else { limit.saturating_add(COMPRESSION_OVERHEAD) };
    let Ok(collected) = tokio::time::timeout(ARRIVAL, collect(body, most)).await else {
        return Err(Error::invalid_data("The request body did not arrive in time"));
    };
    let sent = collected?.ok_or_else(|| Error::too_large(limit))?;
    if sent.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let bytes = inflate(sent, &encoding, limit)?;
    let text = decode(&bytes, format, charset_of(content_type).as_deref())?;
    if text.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let value = match format {
        Format::Json => parse_json(&text)?,
        Format::Text => Value::String(text),
        Format::Form => Value::Object(query::parse_form(&text)?),
    };
    if json::has_nul(&value) {
        return Err(query::nul_refused());
    }
    Ok(value)
}

/// Which parser a content type calls for; none for `application/vnd.api+json` and all that is not listed.
fn format_of(content_type: &str) -> Option<Format> {
    match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Some(Format::Json),
        "text/plain" => Some(Format::Text),
        "application/x-www-form-urlencoded" => Some(Format::Form),
        _ => None,
    }
}

/// The `charset` parameter of a content type, in lower case.
fn charset_of(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    })
}

/// The bytes of a body; `None` when there are more than `most`.
///
/// # Errors
/// `invalid_data` when the connection breaks or the framing is wrong.
async fn collect(mut body: Body, most: usize) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::invalid_data("The request body could not be read"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > most {
            drain(body).await;
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Some(bytes))
}

/// Reads on and forgets, up to a bound. What goes wrong here does not matter: the answer is decided already.
async fn drain(mut body: Body) {
    let dropping = async {
        let mut seen: usize = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen = seen.saturating_add(frame.data_ref().map_or(0, axum::body::Bytes::len));
            if seen > MOST_DRAINED {
                return;
            }
        }
    };
    // A client that sends nothing more is answered all the same.
    let _ = tokio::time::timeout(ARRIVAL, dropping).await;
}

/// Undoes the content encoding, never making more than `limit` bytes.
///
/// # Errors
/// `invalid_data` for an unknown encoding or a broken stream; 413 when more would come out.
fn inflate(sent: Vec<u8>, encoding: &str, limit: usize) -> Result<Vec<u8>, Error> {
    match encoding {
        "identity" => Ok(sent),
        "gzip" => read_bounded(MultiGzDecoder::new(sent.as_slice()), limit),
        "deflate" => read_bounded(ZlibDecoder::new(sent.as_slice()), limit),
        other => Err(Error::invalid_data(format!("Unsupported content encoding \"{}\"", printable(other)))),
    }
}

/// Reads a decoder up to one byte beyond the limit, which tells "just fits" from "too large".
///
/// # Errors
/// As [`inflate`].
fn read_bounded(decoder: impl Read, limit: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|_| Error::invalid_data("The request body is not compressed as its `Content-Encoding` says"))?;
    if bytes.len() > limit {
        return Err(Error::too_large(limit));
    }
    Ok(bytes)
}

/// Bytes to text by the charset; a byte order mark is dropped.
///
/// # Errors
/// `invalid_data` for a charset that the content type does not take, or bytes that are not in it.
fn decode(bytes: &[u8], format: Format, charset: Option<&str>) -> Result<String, Error> {
    let charset = charset.unwrap_or("utf-8");
    let text = match (charset, format) {
        ("utf-8" | "utf8", _) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        ("utf-16" | "utf-16le", Format::Json | Format::Text) => utf16(bytes, u16::from_le_bytes),
        ("utf-16be", Format::Json | Format::Text) => utf16(bytes, u16::from_be_bytes),
        ("us-ascii", Format::Text) if bytes.is_ascii() => std::str::from_utf8(bytes).ok().map(str::to_owned),
        ("iso-8859-1", Format::Text) => Some(bytes.iter().copied().map(char::from).collect()),
        _ => {
            return Err(Error::invalid_data(format!("Unsupported charset \"{}\"", printable(charset))));
        }
    };
    let text = text.ok_or_else(|| Error::invalid_data(format!("The request body is not valid {charset}")))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// UTF-16 in the given byte order; `None` for half a unit or an unpaired surrogate.
fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(pairs.iter().copied().map(unit)).collect::<Result<String, _>>().ok()
}

/// JSON in body-parser's strict mode: an object or an array.
///
/// # Errors
/// `invalid_data` that says where the text stops being JSON, or that it is neither.
fn parse_json(text: &str) -> Result<Value, Error> {
    let value = json::parse(text).map_err(|error| {
        Error::invalid_data(format!(
            "The request body is not valid JSON at line {} column {}",
            error.line(),
            error.column()
        ))
    })?;
    if value.is_object() || value.is_array() {
        return Ok(value);
    }
    Err(Error::invalid_data("The request body must be a JSON object"))
}

/// What of a header's word may be repeated in a sentence.
fn printable(word: &str) -> String {
    word.chars().filter(char::is_ascii_graphic).take(40).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use cr_core::error::ErrorKind;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    const LIMIT: usize = 102_400;

    async fn read_with(content_type: &str, encoding: Option<&str>, bytes: impl Into<Vec<u8>>) -> Result<Value, Error> {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        }
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
        }
        read(&headers, Body::from(bytes.into()), LIMIT).await
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// What Medusa 2.11.2 took, read the same.
    #[tokio::test]
    async fn bodies_are_read_by_their_content_type() {
        for (content_type, body, read) in [
            ("application/json", r#"{"a":1}"#, json!({"a": 1})),
            ("application/json; charset=UTF-8", "[1]", json!([1])),
            ("Application/JSON", "", json!({})),
            ("application/json", "\u{feff}{\"a\":1.0}", json!({"a": 1})),
            ("text/plain", "{\"a\":1}", json!("{\"a\":1}")),
            ("text/plain", "", json!({})),
            ("application/x-www-form-urlencoded", "a=1&b[c]=2&d+e=%20", json!({"a": "1", "b": {"c": "2"}, "d e": " "})),
            ("application/vnd.api+json", r#"{"a":1}"#, json!({})),
            ("application/octet-stream", "x", json!({})),
            ("", r#"{"a":1}"#, json!({})),
        ] {
            assert_eq!(read_with(content_type, None, body).await.unwrap(), read, "{content_type} {body}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_understood_is_refused_with_a_sentence() {
        for (content_type, encoding, body, message) in [
            ("application/json", None, &b"{"[..], "The request body is not valid JSON at line 1 column 1"),
            ("application/json", None, b" ", "The request body is not valid JSON at line 1 column 1"),
            ("application/json", None, b"null", "The request body must be a JSON object"),
            ("application/json", None, b"\"x\"", "The request body must be a JSON object"),
            ("application/json; charset=klingon", None, b"{}", "Unsupported charset \"klingon\""),
            ("application/json", None, b"\xff{}", "The request body is not valid utf-8"),
            ("application/json", Some("zstd9"), b"{}", "Unsupported content encoding \"zstd9\""),
            (
                "application/json",
                Some("gzip"),
                b"{}",
                "The request body is not compressed as its `Content-Encoding` says",
            ),
            (
                "application/json",
                None,
                br#"{"a":"\u0000"}"#,
                "The request contains a NUL character, which cannot be stored",
            ),
            (
                "application/x-www-form-urlencoded",
                None,
                b"a=%00",
                "The request contains a NUL character, which cannot be stored",
            ),
        ] {
            let error = read_with(content_type, encoding, body).await.unwrap_err();
            assert_eq!((error.kind, error.message.as_str()), (ErrorKind::InvalidData, message), "{content_type}");
        }
    }

    /// A storefront that sends exactly the limit must not be cut off, nor one that compresses.
    #[tokio::test]
    async fn the_limit_is_inclusive_and_counts_inflated_bytes() {
        let json_of = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8)).into_bytes();
        let too_large =
            |result: Result<Value, Error>| result.err().map(|error| error.kind) == Some(ErrorKind::TooLarge);
        assert!(read_with("application/json", None, json_of(LIMIT)).await.is_ok());
        assert!(too_large(read_with("application/json", None, json_of(LIMIT + 1)).await));
        assert!(read_with("application/json", Some("gzip"), gzip(&json_of(LIMIT))).await.is_ok());
        assert!(too_large(read_with("application/json", Some("gzip"), gzip(&json_of(LIMIT + 1))).await));
        assert!(too_large(read_with("text/plain", None, vec![b'a'; LIMIT + 1]).await));
        assert!(too_large(read_with("application/json", Some("gzip"), gzip(&vec![b' '; 50_000_000])).await), "bomb");
        assert_eq!(read_with("application/octet-stream", None, vec![0; LIMIT + 1]).await.unwrap(), json!({}));
    }

    #[tokio::test]
    async fn deflate_and_utf16_are_read() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(br#"{"a":1}"#).unwrap();
        let deflated = encoder.finish().unwrap();
        assert_eq!(read_with("application/json", Some("Deflate"), deflated).await.unwrap(), json!({"a": 1}));
        let wide: Vec<u8> = r#"{"a":"ü"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read_with("application/json; charset=utf-16le", None, wide).await.unwrap(), json!({"a": "ü"}));
    }
}
