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
    let mut segments: Vec<String> = Vec::new();
    for segment in lax_segments(path) {
        match segment.as_str() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// The segments of a path, cut wherever any reader may cut; dot segments are still there, and of what is only a parameter or a
/// blank an empty text.
fn lax_segments(path: &str) -> Vec<String> {
    let decoded = decoded(path).replace('\\', "/").to_lowercase();
    // What stands after a semicolon is a parameter to some, and nothing to others.
    let plain = |segment: &str| segment.split(';').next().unwrap_or_default().trim().to_owned();
    decoded.split('/').filter(|segment| !segment.is_empty()).map(plain).collect()
}

/// Whether readers may come to other segments than those between the slashes: they resolve dots or not, before decoding or
/// after it, merge empty segments or take them for some, drop parameters, turn back slashes. All that they do is to leave out
/// segments, so whoever allows for any of them to be left out allows for every reader.
fn is_bent(path: &str) -> bool {
    let decoded = decoded(path);
    let has_dots = || lax_segments(path).iter().any(|segment| matches!(segment.as_str(), "." | ".."));
    let slashes = |text: &str| text.matches('/').count();
    decoded.contains(['\\', ';']) || decoded.contains("//") || slashes(&decoded) != slashes(path) || has_dots()
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

/// Whether a path only looks as if it were not ours: to some reader it may be one of our own routes. Such a request would reach
/// the upstream's own version of the route, around ours.
pub fn is_disguised(routes: &Routes, path: &str) -> bool {
    !is_plain(path) && (routes.has(&judged(path)) || (is_bent(path) && routes.has_among(&lax_segments(path))))
}

/// The namespace that a path lies in, whoever reads it: a server that resolves dot segments, or one that takes them for a
/// parameter. Where one reader may see the store, its rules hold.
pub fn namespace(path: &str) -> Namespace {
    let plain = Namespace::of(path);
    if plain == Namespace::Store || is_plain(path) {
        return plain;
    }
    let segments = lax_segments(path);
    let most = if is_bent(path) { segments.len() } else { 1 };
    let may_be = |name: &str| segments.iter().filter(|part| !part.is_empty()).take(most).any(|part| part == name);
    if may_be("store") {
        Namespace::Store
    } else if may_be("admin") || plain == Namespace::Admin {
        Namespace::Admin
    } else if may_be("auth") {
        Namespace::Auth
    } else {
        plain
    }
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
            // RFC 3986 knows empty segments, and merges none.
            ("/store//../customers", true),
            ("/admin/account-deletion-requests///..", true),
            ("/store/x/..;/../../customers", true),
            ("/store/a%5cb/../customers", true),
            ("//auth/a%2fb/emailpass", true),
            ("/%61uth/;customer/phonepass", true),
            ("/store/products/caf%C3%A9", false),
            ("/store/files/a%2Fb", false),
            ("//auth/customer/google", false),
        ] {
            assert_eq!(is_disguised(&routes, path), disguised, "{path}");
        }
    }
}
