//! Reading a mail as a mail client does: headers unfolded and decoded, parts decoded. Independent of what wrote it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A mail taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Names as written and decoded values, in order.
    pub headers: Vec<(String, String)>,
    /// The `text/plain` part.
    pub text: Option<String>,
    /// The `text/html` part.
    pub html: Option<String>,
    /// The content types of all parts, in order, without parameters.
    pub parts: Vec<String>,
}

impl Mail {
    /// Takes a mail apart.
    ///
    /// # Panics
    /// When it is no UTF-8 or a part cannot be decoded.
    pub fn parse(source: &str) -> Self {
        let (headers, body) = split_entity(source);
        let mut mail = Self { headers, text: None, html: None, parts: Vec::new() };
        let headers = mail.headers.clone();
        mail.take(&headers, body);
        mail
    }

    /// A header's value, by its name without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Takes an entity: a multipart's parts, or a leaf's content.
    fn take(&mut self, headers: &[(String, String)], body: &str) {
        let content_type = find(headers, "content-type").unwrap_or("text/plain").to_owned();
        let kind = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        self.parts.push(kind.clone());
        if kind.starts_with("multipart/") {
            let boundary = parameter(&content_type, "boundary").expect("a multipart names its boundary");
            let opening = format!("--{boundary}");
            for part in body.split(opening.as_str()).skip(1) {
                if part.starts_with("--") {
                    break;
                }
                let part = part.trim_start_matches("\r\n");
                let (headers, body) = split_entity(part.strip_suffix("\r\n").unwrap_or(part));
                self.take(&headers, body);
            }
            return;
        }
        let bytes = match find(headers, "content-transfer-encoding").unwrap_or("7bit").to_ascii_lowercase().as_str() {
            "quoted-printable" => decode_quoted_printable(body),
            "base64" => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
            _ => body.as_bytes().to_vec(),
        };
        let content = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
        match kind.as_str() {
            "text/plain" => self.text = Some(content),
            "text/html" => self.html = Some(content),
            _ => {}
        }
    }
}

/// Divides headers and body at the empty line, unfolds and decodes the headers.
fn split_entity(source: &str) -> (Vec<(String, String)>, &str) {
    let (head, body) = source.split_once("\r\n\r\n").unwrap_or((source, ""));
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let headers = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), decode_words(value.trim())))
        .collect();
    (headers, body)
}

/// A header's value by its name.
fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A parameter of a content type.
fn parameter(content_type: &str, name: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (known, value) = parameter.trim().split_once('=')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
    })
}

/// Decodes `=?utf-8?b?…?=` and `=?utf-8?q?…?=` (RFC 2047); space between two of them is no space.
fn decode_words(value: &str) -> String {
    let mut decoded = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some((before, found)) = rest.split_once("=?") {
        let mut fields = found.splitn(3, '?');
        let (Some(_), Some(encoding), Some(tail)) = (fields.next(), fields.next(), fields.next()) else { break };
        let Some((text, following)) = tail.split_once("?=") else { break };
        if !(after_word && before.trim().is_empty()) {
            decoded.push_str(before);
        }
        let bytes = match encoding.to_ascii_lowercase().as_str() {
            "b" => STANDARD.decode(text).unwrap(),
            _ => decode_quoted_printable(&text.replace('_', " ")),
        };
        decoded.push_str(&String::from_utf8(bytes).unwrap());
        after_word = true;
        rest = following;
    }
    decoded + rest
}

/// Decodes quoted-printable (RFC 2045, section 6.7).
fn decode_quoted_printable(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after.get(..2).expect("two digits follow an equals sign");
        bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits follow an equals sign"));
        rest = after.get(2..).unwrap_or("");
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_taken_apart_as_a_client_would() {
        let mail = Mail::parse(
            "Subject: =?utf-8?b?R3LDvMOf?=\r\n =?utf-8?q?e_an?= dich\r\nContent-Type: multipart/alternative;\r\n \
             boundary=\"x\"\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: \
             quoted-printable\r\n\r\nsch=C3=B6n la=\r\nng\r\n--x\r\nContent-Type: text/html\r\n\
             Content-Transfer-Encoding: base64\r\n\r\nPGI+\r\n--x--\r\n",
        );
        assert_eq!(mail.header("subject"), Some("Grüße an dich"));
        assert_eq!(mail.text.as_deref(), Some("schön lang"));
        assert_eq!(mail.html.as_deref(), Some("<b>"));
        assert_eq!(mail.parts, ["multipart/alternative", "text/plain", "text/html"]);
    }
}
