//! How a path is judged that goes on to another server: as the laxest reader between here and there might read it.

use crate::routes::{Namespace, Routes};

/// Whether nothing in a path can be read in two ways.
fn is_plain(path: &str) -> bool {
    let is_odd = |byte: u8| matches!(byte, 0..=b' ' | b'%' | b'\\' | b';' | 0x7f..);
    path.starts_with('/') && !path.contains("//") && !path.contains("/.") && !path.bytes().any(is_odd)
}

/// A path as it is judged: percent-decoded, back slashes turned, empty and dot segments resolved, in lower case. What is sent
/// is the path as it came.
pub fn judged(path: &str) -> String {
    if is_plain(path) {
        let trimmed = path.trim_end_matches('/');
        return if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_ascii_lowercase() };
    }
    resolved(path).0
}

/// The same, and whether the path lay below `/store` at any moment on the way.
fn resolved(path: &str) -> (String, bool) {
    let mut segments: Vec<String> = Vec::new();
    let mut passes_store = false;
    let decoded = decoded(path).replace('\\', "/").to_lowercase();
    for segment in decoded.split('/') {
        // What stands after a semicolon is a parameter to some, and nothing to others.
        match segment.split(';').next().unwrap_or_default().trim() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            plain => segments.push(plain.to_owned()),
        }
        passes_store |= segments.first().is_some_and(|first| first == "store");
    }
    (format!("/{}", segments.join("/")), passes_store)
}

/// Percent-decoded twice, for whoever does it once more behind us; bytes that are no text become replacement characters.
fn decoded(path: &str) -> String {
    let once = percent_decoded(path.as_bytes());
    String::from_utf8_lossy(&percent_decoded(&once)).into_owned()
}

/// Every good escape as its byte; a bad one stays.
fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escape = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let value = escape.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(value.unwrap_or(*byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    decoded
}

/// Whether a path only looks as if it were not ours: read laxly, it is one of our own routes. Such a request would reach the
/// upstream's own version of the route, around ours.
pub fn is_disguised(routes: &Routes, path: &str) -> bool {
    !is_plain(path) && readings(path).iter().any(|(reading, _)| routes.has(reading))
}

/// What [`resolved`] makes of a path, and of the same without its parameters, which a servlet takes off before it decodes.
fn readings(path: &str) -> [(String, bool); 2] {
    let bare: Vec<&str> = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    [resolved(path), resolved(&bare.join("/"))]
}

/// The namespace that a path lies in, whoever reads it: a server that resolves dot segments, or one that takes them for a
/// parameter. Where one reader sees the store, its rules hold.
pub fn namespace(path: &str) -> Namespace {
    let plain = Namespace::of(path);
    if plain == Namespace::Store || is_plain(path) {
        return plain;
    }
    let readings = readings(path);
    let sees = |seen| plain == seen || readings.iter().any(|(reading, _)| Namespace::of(reading) == seen);
    if readings.iter().any(|(_, passes_store)| *passes_store) {
        return Namespace::Store;
    }
    [Namespace::Admin, Namespace::Auth].into_iter().find(|namespace| sees(*namespace)).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::TABLE;

    /// Whoever finds a spelling that we do not recognise and Medusa does goes around the guard.
    #[test]
    fn tricks_are_seen_through() {
        for (path, plain) in [
            ("/store/carts", "/store/carts"),
            ("//store/carts", "/store/carts"),
            ("/store//carts/", "/store/carts"),
            ("/STORE/Carts", "/store/carts"),
            ("/%73tore/carts", "/store/carts"),
            ("/%2573tore/carts", "/store/carts"),
            ("/store%2fcarts", "/store/carts"),
            ("/x/../store/carts", "/store/carts"),
            ("/x/%2e%2e/store/carts", "/store/carts"),
            ("/./store/carts", "/store/carts"),
            ("/\\store\\carts", "/store/carts"),
            ("/store;x=1/carts;y", "/store/carts"),
            ("/../../store/carts", "/store/carts"),
            ("/%zz/%", "/%zz/%"),
            ("/", "/"),
            ("", "/"),
            ("/Store/Carts/", "/store/carts"),
        ] {
            assert_eq!(judged(path), plain, "{path}");
        }
        // Express takes the segments for parameters, a proxy in between resolves them.
        for path in [
            "/store/things/..%2f..",
            "/store/things/%2e%2e%2f%2e%2e",
            "/store/things/..%5c..",
            "/store/a%2f..%2f..%2f..%2fadmin%2forders",
            "/x/..%2fstore%2f..",
            "/store/../x",
            "/STORE/x;/../..",
        ] {
            assert_eq!(namespace(path), Namespace::Store, "{path}");
        }
        assert_eq!(namespace("/admin/../x"), Namespace::Admin);
        assert_eq!(namespace("/%61dmin/orders"), Namespace::Admin);
        assert_eq!(namespace("/%FF%FEstore"), Namespace::None);
    }

    #[test]
    fn our_own_routes_are_recognised_in_disguise() {
        let routes = Routes::new(TABLE);
        for (path, disguised) in [
            ("/store/customers", false),
            ("/store/customers/", false),
            ("/Store/Customers", false),
            ("/store/carts", false),
            ("//store/customers", true),
            ("/store/%63ustomers", true),
            ("/store/x/../customers", true),
            ("/store//customers", true),
            ("/auth//customer/emailpass/register", true),
            ("/auth/customer/google", false),
            ("/auth/cust%20omer/google", false),
            ("/auth/cust%20omer/emailpass", true),
            // One of ours to who resolves, a provider of Medusa's to who does not.
            ("/auth/x%2f..%2f..%2fstore/customers", true),
            ("/store;x/customers;y%2fz", true),
        ] {
            assert_eq!(is_disguised(&routes, path), disguised, "{path}");
        }
    }
}
