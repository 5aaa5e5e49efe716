//! CORS as Medusa 2.11.2 does it: a list a namespace, credentials always, headers only where the route exists for the
//! method. What is not there: `Max-Age`, `Expose-Headers`, a wildcard.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use regex::{Regex, RegexBuilder};

use crate::respond::Reply;
use crate::routes::Namespace;
use crate::state::Http;

/// The methods that a preflight is told, whatever the route has.
const METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE";

/// The origins of one namespace.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    origins: Vec<AllowedOrigin>,
}

/// One entry of the list.
#[derive(Clone, Debug)]
enum AllowedOrigin {
    /// Letter for letter; case and a final slash matter.
    Exact(String),
    /// Anywhere in the origin, as `RegExp.test` has it.
    Pattern(Regex),
}

impl Cors {
    /// From `http.storeCors` and its like: entries between commas, not trimmed; `/re/flags` is a regular expression.
    ///
    /// # Errors
    /// The first entry that is an expression which cannot be used.
    pub fn parse(text: &str) -> Result<Self, String> {
        let origins = text.split(',').map(parse_entry).collect::<Result<_, _>>()?;
        Ok(Self { origins })
    }

    /// Whether a page from this origin may read answers.
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| match allowed {
            AllowedOrigin::Exact(text) => text == origin,
            AllowedOrigin::Pattern(pattern) => pattern.is_match(origin),
        })
    }
}

impl Http {
    /// The list of a namespace; routes outside of the three have no CORS.
    pub fn cors(&self, namespace: Namespace) -> Option<&Cors> {
        match namespace {
            Namespace::Auth => Some(&self.auth_cors),
            Namespace::Store => Some(&self.store_cors),
            Namespace::Admin => Some(&self.admin_cors),
            Namespace::None => None,
        }
    }
}

/// One entry: an expression where it reads as one. JavaScript's `g`, `y` and `u` change nothing in a single test.
///
/// # Errors
/// The entry, when its expression or its flags cannot be used.
fn parse_entry(entry: &str) -> Result<AllowedOrigin, String> {
    let Some((source, flags)) = entry.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) else {
        return Ok(AllowedOrigin::Exact(entry.to_owned()));
    };
    if !flags.chars().all(|flag| "gimsuy".contains(flag)) {
        return Ok(AllowedOrigin::Exact(entry.to_owned()));
    }
    RegexBuilder::new(source)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        .build()
        .map(AllowedOrigin::Pattern)
        .map_err(|_| entry.to_owned())
}

/// The method of the request that a preflight asks for; `None` for whatever is none. `HEAD` is no method of a route in Medusa.
pub fn requested_method(method: &Method, headers: &HeaderMap) -> Option<Method> {
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD).filter(|_| *method == Method::OPTIONS)?;
    Method::from_bytes(wanted.as_bytes()).ok().filter(|wanted| *wanted != Method::HEAD)
}

/// Adds what a request to a known route gets, refused or not.
pub fn add_headers(cors: &Cors, request: &HeaderMap, response: &mut HeaderMap) {
    response.append(header::VARY, HeaderValue::from_static("Origin"));
    response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if let Some(origin) = allowed_origin(cors, request) {
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
}

/// The answer to a preflight of a known route: no key or token is asked for.
pub fn preflight(cors: &Cors, request: &HeaderMap) -> Reply {
    let mut reply = Reply::empty(StatusCode::NO_CONTENT)
        .header(header::VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"))
        .header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"))
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    let echoed: [(&HeaderName, Option<&HeaderValue>); 2] = [
        (&header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed_origin(cors, request)),
        (&header::ACCESS_CONTROL_ALLOW_HEADERS, request.get(header::ACCESS_CONTROL_REQUEST_HEADERS)),
    ];
    for (name, value) in echoed {
        if let Some(value) = value {
            reply = reply.header(name.clone(), value.clone());
        }
    }
    reply
}

/// The request's `Origin`, if the list has it.
fn allowed_origin<'a>(cors: &Cors, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
    request.get(header::ORIGIN).filter(|origin| origin.to_str().is_ok_and(|origin| cors.allows(origin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An origin too many reads customers' data; one too few breaks a shop.
    #[test]
    fn origins_match_as_medusa_matches_them() {
        for (list, origin, allowed) in [
            ("http://localhost:8000", "http://localhost:8000", true),
            ("http://localhost:8000", "http://LOCALHOST:8000", false),
            ("http://localhost:8000", "http://localhost:8000/", false),
            ("http://localhost:8000", "http://localhost:80001", false),
            ("http://localhost:8000", "null", false),
            ("http://a.example,http://b.example", "http://b.example", true),
            ("http://a.example, http://b.example", "http://b.example", false),
            ("*", "http://a.example", false),
            ("", "http://a.example", false),
            ("/vercel\\.app$/", "https://x.vercel.app", true),
            ("/vercel\\.app$/", "https://x.vercel.app.evil.example", false),
            ("/VERCEL\\.app$/i", "https://x.vercel.app", true),
            ("/VERCEL\\.app$/", "https://x.vercel.app", false),
            ("http://a.example,/^https:\\/\\/[a-z]+\\.shop\\.example$/", "https://de.shop.example", true),
        ] {
            assert_eq!(Cors::parse(list).unwrap().allows(origin), allowed, "{list} {origin}");
        }
        assert_eq!(Cors::parse("http://a.example,/[/").unwrap_err(), "/[/");
    }
}
