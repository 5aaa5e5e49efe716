//! Finding the row for a request, as Express does: segments compare without case, a slash at the end is dropped.

use std::collections::BTreeMap;

use cr_core::error::Error;
use http::Method;

use crate::query;
use crate::routes::{OWNED_PROVIDERS, Route};

/// The table, ready to be searched: static segments before `{…}`, otherwise in the order written, as Medusa sorts routes.
pub struct Routes {
    rows: Vec<Row>,
}

/// A row with its path cut at the slashes.
struct Row {
    route: &'static Route,
    segments: Vec<Segment>,
}

/// One part of a pattern. Static parts sort first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Static(&'static str),
    Parameter(&'static str),
}

/// A row that fits a request.
#[derive(Clone)]
pub struct Found<'a> {
    /// The row.
    pub route: &'static Route,
    raw_params: Vec<(&'static str, &'a str)>,
}

impl Found<'_> {
    /// The `{name}` segments, percent-decoded.
    ///
    /// # Errors
    /// `invalid_data` for a segment that is badly encoded.
    pub fn params(&self) -> Result<BTreeMap<&'static str, String>, Error> {
        self.raw_params.iter().map(|(name, raw)| Ok((*name, query::decode_segment(raw)?))).collect()
    }
}

impl Found<'_> {
    /// Whether the path has a segment of this name, and it is none of these. One that is badly encoded is refused by whoever reads it.
    pub fn names_other(&self, name: &str, known: &[&str]) -> bool {
        let raw = self.raw_params.iter().find(|(candidate, _)| *candidate == name);
        raw.and_then(|(_, raw)| query::decode_segment(raw).ok()).is_some_and(|named| !known.contains(&named.as_str()))
    }
}

impl Routes {
    /// Cuts and sorts a table.
    pub fn new(table: impl IntoIterator<Item = &'static Route>) -> Self {
        let mut rows: Vec<Row> =
            table.into_iter().map(|route| Row { route, segments: segments_of(route.path) }).collect();
        rows.sort_by_key(|row| {
            row.segments.iter().map(|segment| matches!(segment, Segment::Parameter(_))).collect::<Vec<_>>()
        });
        Self { rows }
    }

    /// The row for a request; `HEAD` takes the `GET` row.
    pub fn find<'a>(&self, method: &Method, path: &'a str) -> Option<Found<'a>> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.rows
            .iter()
            .filter(|row| row.route.method == *method)
            .find_map(|row| Some(Found { route: row.route, raw_params: row.fits(path)? }))
    }

    /// Whether a path is answered here, whatever the method: a row fits, and no auth provider that is not ours is named.
    pub fn has(&self, path: &str) -> bool {
        let mut fitting =
            self.rows.iter().filter_map(|row| Some(Found { route: row.route, raw_params: row.fits(path)? }));
        fitting.any(|found| !found.names_other("auth_provider", &OWNED_PROVIDERS))
    }

    /// Whether the segments of one of our routes are among these in their order, whatever else is before, between and after them.
    pub fn has_among(&self, parts: &[String]) -> bool {
        self.rows.iter().filter(|row| !row.segments.is_empty()).any(|row| {
            let mut rest = parts.iter();
            row.segments.iter().all(|segment| rest.any(|part| segment.may_be(part)))
        })
    }

    /// The methods of all rows that fit a path, as Express lists them for `OPTIONS`: `HEAD` follows `GET`.
    pub fn methods(&self, path: &str) -> Vec<&'static str> {
        let mut methods = Vec::new();
        for row in self.rows.iter().filter(|row| row.fits(path).is_some()) {
            let more: &[&'static str] =
                if row.route.method == Method::GET { &["GET", "HEAD"] } else { &[row.route.method.as_str()] };
            methods.extend(more.iter().filter(|method| !methods.contains(*method)).copied().collect::<Vec<_>>());
        }
        methods
    }
}

impl Segment {
    /// Whether a part of a path, decoded and in lower case, may be meant by this; an auth provider is one of ours.
    fn may_be(self, part: &str) -> bool {
        match self {
            Self::Static(text) => text.eq_ignore_ascii_case(part),
            Self::Parameter("auth_provider") => OWNED_PROVIDERS.contains(&part),
            Self::Parameter(_) => true,
        }
    }
}

impl Row {
    /// The row's parameters out of a path, undecoded; `None` when it does not fit. Segments compare without case, and one
    /// trailing slash is dropped.
    fn fits<'a>(&self, path: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
        let path = path.strip_prefix('/')?;
        if path.is_empty() {
            return self.segments.is_empty().then(Vec::new);
        }
        let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
        let mut params = Vec::new();
        for segment in &self.segments {
            let part = parts.next().filter(|part| !part.is_empty())?;
            match segment {
                Segment::Static(text) if text.eq_ignore_ascii_case(part) => {}
                Segment::Static(_) => return None,
                Segment::Parameter(name) => params.push((*name, part)),
            }
        }
        parts.next().is_none().then_some(params)
    }
}

/// A pattern's segments.
fn segments_of(pattern: &'static str) -> Vec<Segment> {
    pattern
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => Segment::Parameter(name),
            None => Segment::Static(part),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Handler;
    use crate::respond::Reply;
    use crate::routes::Gate;

    const ANSWER: Handler = |_| Box::pin(async { Ok(Reply::text("OK")) });

    static SAMPLE: &[Route] = &[
        Route::auth(Method::POST, "/auth/{actor}/{provider}", Gate::Public, ANSWER),
        Route::auth(Method::GET, "/auth/{actor}/{provider}", Gate::Public, ANSWER),
        Route::auth(Method::POST, "/auth/customer/emailpass", Gate::Public, ANSWER),
        Route::auth(Method::POST, "/auth/token/refresh", Gate::BearerIdentity, ANSWER),
        Route::store(Method::GET, "/store/customers/me", Gate::Customer, ANSWER),
        Route::plain(Method::GET, "/health", ANSWER),
    ];
    static DOOR: &[Route] = &[Route::plain(Method::GET, "/", ANSWER)];

    /// Express's matching: clients call in any case, with a slash at the end, with `HEAD`.
    #[test]
    fn paths_match_as_in_express() {
        let routes = Routes::new(SAMPLE);
        for (method, path, found) in [
            ("GET", "/health", Some("/health")),
            ("HEAD", "/health", Some("/health")),
            ("POST", "/health", None),
            ("GET", "/health/", Some("/health")),
            ("GET", "/health//", None),
            ("GET", "//health", None),
            ("GET", "/STORE/Customers/ME", Some("/store/customers/me")),
            ("GET", "/store/customers/m%65", None),
            ("GET", "/store/customers/me/x", None),
            ("POST", "/auth/customer/emailpass", Some("/auth/customer/emailpass")),
            ("GET", "/auth/customer/emailpass", Some("/auth/{actor}/{provider}")),
            ("POST", "/auth/user/emailpass", Some("/auth/{actor}/{provider}")),
            ("GET", "/auth/token/refresh", Some("/auth/{actor}/{provider}")),
            ("POST", "/auth/token/refresh", Some("/auth/token/refresh")),
            ("POST", "/auth//emailpass", None),
            ("GET", "/", None),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(routes.find(&method, path).map(|row| row.route.path), found, "{method} {path}");
        }
    }

    /// The door is there for itself alone.
    #[test]
    fn the_root_is_a_path_too() {
        let routes = Routes::new(DOOR);
        for (path, found) in [("/", true), ("//", false), ("/x", false), ("", false)] {
            assert_eq!(routes.find(&Method::GET, path).is_some(), found, "{path}");
        }
    }

    #[test]
    fn parameters_are_decoded_and_bad_ones_refused() {
        let routes = Routes::new(SAMPLE);
        let params = routes.find(&Method::POST, "/auth/Robot%20x/y").unwrap().params().unwrap();
        assert_eq!((params["actor"].as_str(), params["provider"].as_str()), ("Robot x", "y"));
        let error = routes.find(&Method::POST, "/auth/customer/%E0%A4%A").unwrap().params().unwrap_err();
        assert_eq!(error.message, "Failed to decode param '%E0%A4%A'");
    }

    #[test]
    fn options_lists_methods_in_the_order_of_matching() {
        let routes = Routes::new(SAMPLE);
        assert_eq!(routes.methods("/auth/customer/emailpass"), ["POST", "GET", "HEAD"]);
        assert_eq!(routes.methods("/health"), ["GET", "HEAD"]);
        assert!(routes.methods("/nope").is_empty());
    }
}
