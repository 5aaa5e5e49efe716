//! One request, read and judged: what a handler gets.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use cr_core::app::App;
use cr_core::error::Error;
use cr_core::modules::auth::token::AuthClaims;
use cr_core::modules::customer::{Customer, Session};
use http::{HeaderMap, Method, Uri, header};
use serde_json::{Map, Value};

use crate::client_address;
use crate::respond::Reply;
use crate::routes::Route;
use crate::state::ServerState;

/// What a row of the route table calls.
pub type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

/// A request after its body was read and its gate passed.
pub struct Call {
    /// What the server can reach.
    pub state: Arc<ServerState>,
    /// The row that matched; `None` only while an unknown route is being refused.
    pub route: Option<&'static Route>,
    /// The method as sent: a `HEAD` stays one.
    pub method: Method,
    /// The path as sent, still percent-encoded, without the query.
    pub path: String,
    /// Path and query as sent.
    pub target: Uri,
    /// The `{name}` segments, percent-decoded.
    pub params: BTreeMap<&'static str, String>,
    /// The query string as `qs` reads it: values are strings, arrays or objects.
    pub query: Map<String, Value>,
    /// The body: JSON or form as an object or array, `text/plain` as a string, anything else as `{}`.
    pub body: Value,
    /// The headers as sent.
    pub headers: HeaderMap,
    /// Who is calling, when the row's gate asks for it.
    pub auth: Option<AuthContext>,
    /// Whose request this is; `None` when a trusted proxy did not say, which means: no address limit.
    pub address: Option<IpAddr>,
    /// The address at the other end of the socket, whoever the client is.
    pub peer: Option<IpAddr>,
    /// Whether a trusted proxy said that the client came by TLS.
    pub secure: bool,
    /// Goes into the logs and back to the client.
    pub request_id: String,
}

/// Who is calling.
#[derive(Clone, Debug)]
pub struct AuthContext {
    /// The claims of the token or session.
    pub claims: AuthClaims,
    /// Whether they came with the session cookie.
    pub from_session: bool,
    /// The customer with what the gate looked up besides: loaded once a request.
    pub session: Option<Box<Session>>,
    /// Whether the token names a customer whom the gate has left to the workflow ([`LookUp::InWorkflow`](crate::routes::LookUp)).
    pub is_left: bool,
}

impl Call {
    /// The product, for workflows.
    pub fn app(&self) -> &App {
        &self.state.app
    }

    /// A `{name}` segment of the path; empty when the row's pattern has no such name.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A header, if it is there and readable text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The bearer token as sent, unchecked.
    pub fn bearer(&self) -> Option<&str> {
        bearer(&self.headers)
    }

    /// The claims of the caller.
    ///
    /// # Errors
    /// 401 when nobody is authenticated, which only an optional or public gate lets happen.
    pub fn claims(&self) -> Result<&AuthClaims, Error> {
        self.auth.as_ref().map(|auth| &auth.claims).ok_or_else(Error::unauthenticated)
    }

    /// The customer that the gate let in.
    ///
    /// # Errors
    /// 401 when the row's gate is not [`crate::routes::Gate::Customer`].
    pub fn customer(&self) -> Result<&Customer, Error> {
        Ok(&self.session()?.customer)
    }

    /// The same with what was loaded in the same statement.
    ///
    /// # Errors
    /// As [`Call::customer`].
    pub fn session(&self) -> Result<&Session, Error> {
        let session = self.auth.as_ref().and_then(|auth| auth.session.as_deref());
        session.ok_or_else(Error::unauthenticated)
    }

    /// What an address limit counts by: the address, in IPv6 its /64.
    pub fn address_key(&self) -> Option<String> {
        self.address.map(client_address::limiter_key)
    }
}

/// The bearer token among the headers: the scheme in any case, then blanks, then the token; text after it is ignored, whatever its
/// bytes (Medusa 2.11.2, `authenticate-middleware`). What is a blank to JavaScript is one here: who read fewer tokens than Medusa does
/// would let pass what Medusa takes.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let is_blank = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ' | 0xa0);
    let mut words = headers.get(header::AUTHORIZATION)?.as_bytes().split(is_blank).filter(|word| !word.is_empty());
    words.next().filter(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))?;
    std::str::from_utf8(words.next()?).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The forms that Medusa 2.11.2 was seen to take and to refuse.
    #[test]
    fn bearer_takes_any_case_and_ignores_what_follows() {
        for (sent, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER  abc", Some("abc")),
            ("Bearer abc x", Some("abc")),
            ("x Bearer abc", None),
            ("Token abc", None),
            ("abc", None),
            ("Bearer", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(sent))]);
            assert_eq!(bearer(&headers), token, "{sent}");
        }
        for sent in [&b"Bearer abc \xff"[..], b"Bearer\xa0abc", b"Bearer abc\xa0", b"Bearer abc \xc3\xa9"] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_bytes(sent).unwrap())]);
            assert_eq!(bearer(&headers), Some("abc"), "{sent:?}");
        }
    }
}
