//! Reading a mail server's address: `smtps://user:password@host:port` or `smtp://…?tls=required|opportunistic|none`.

use reqwest::Url;

use crate::providers::notification::OptionProblem;

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Not at all.
    None,
    /// By STARTTLS where the server offers it.
    Opportunistic,
    /// By STARTTLS, or the message is not sent.
    Required,
    /// From the first byte.
    Wrapped,
}

/// A mail server's address, taken apart.
pub(super) struct ServerAddress {
    /// Name or IP address, without brackets.
    pub(super) host: String,
    /// 465, 587 or 25 where the address names none.
    pub(super) port: u16,
    /// By scheme and `tls`.
    pub(super) encryption: Encryption,
    /// User name and password.
    pub(super) credentials: Option<(String, String)>,
    /// What to say in EHLO, where the address has a path.
    pub(super) hello: Option<String>,
}

impl ServerAddress {
    /// Reads an address as lettre's `from_url` does: the defaults of ports and of `tls` are its.
    pub(super) fn parse(text: &str) -> Result<Self, OptionProblem> {
        let problem = |message: &str| ("options.url", message.to_owned());
        let url = Url::parse(text).map_err(|_| problem("Must be smtps://… or smtp://…"))?;
        let mut tls = None;
        for (key, value) in url.query_pairs() {
            if key != "tls" {
                return Err(problem(&format!("Unknown parameter {key}; there is tls")));
            }
            tls = Some(value.into_owned());
        }
        let (encryption, port) = match (url.scheme(), tls.as_deref()) {
            ("smtps", None) => (Encryption::Wrapped, 465),
            ("smtp", None | Some("none")) => (Encryption::None, 25),
            ("smtp", Some("opportunistic")) => (Encryption::Opportunistic, 587),
            ("smtp", Some("required")) => (Encryption::Required, 587),
            ("smtp", Some(_)) => return Err(problem("tls must be required, opportunistic or none")),
            ("smtps", Some(_)) => return Err(problem("smtps:// is encrypted from the first byte; leave tls out")),
            _ => return Err(problem("Must be smtps://… or smtp://…")),
        };
        let host = url.host_str().unwrap_or("").trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(problem("Must name a host"));
        }
        let decode =
            |part| percent_decode(part).ok_or_else(|| problem("User or password is not percent-encoded UTF-8"));
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) => Some((decode(user)?, decode(password)?)),
            (_, None) => return Err(problem("Names a user but no password")),
        };
        let hello = Some(url.path().trim_matches('/')).filter(|path| !path.is_empty()).map(str::to_owned);
        Ok(Self { host, port: url.port().unwrap_or(port), encryption, credentials, hello })
    }
}

/// Text with its `%41` as characters; `None` where the bytes are no UTF-8. A lone `%` stays.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let decoded = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(b'%'));
        rest = if decoded.is_some() { after.get(2..).unwrap_or("") } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (text, host, port, encryption) in [
            ("smtps://mail.test", "mail.test", 465, Encryption::Wrapped),
            ("smtps://mail.test:4465", "mail.test", 4465, Encryption::Wrapped),
            ("smtp://mail.test", "mail.test", 25, Encryption::None),
            ("smtp://mail.test?tls=none", "mail.test", 25, Encryption::None),
            ("smtp://mail.test?tls=required", "mail.test", 587, Encryption::Required),
            ("smtp://127.0.0.1:2525?tls=opportunistic", "127.0.0.1", 2525, Encryption::Opportunistic),
            ("smtp://[::1]:2525", "::1", 2525, Encryption::None),
        ] {
            let address = ServerAddress::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port, address.encryption), (host, port, encryption), "{text}");
            assert!(address.credentials.is_none() && address.hello.is_none(), "{text}");
        }
        let full = ServerAddress::parse("smtps://us%40er:p%3Ass%25@mail.test/shop.test").unwrap();
        assert_eq!(full.credentials, Some(("us@er".to_owned(), "p:ss%".to_owned())));
        assert_eq!(full.hello.as_deref(), Some("shop.test"));
    }

    #[test]
    fn an_address_without_sense_is_refused_and_never_repeated() {
        for text in [
            "mail.test",
            "https://secret@mail.test",
            "smtp://",
            "smtp://mail.test?tls=secret",
            "smtps://mail.test?tls=none",
            "smtp://mail.test?starttls=true",
            "smtp://secret@mail.test",
            "smtp://secret:%ff@mail.test",
        ] {
            let (key, message) = ServerAddress::parse(text).err().unwrap();
            assert_eq!(key, "options.url", "{text}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
