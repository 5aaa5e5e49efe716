//! Whoever reads a path on its way to the upstream, it gets around none of our routes and out of no namespace.
#![no_main]

use std::sync::LazyLock;

use cr_server::gateway::{Gateway, path};
use cr_server::routes::{Namespace, OWNED_PROVIDERS, Routes, TABLE};
use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;

static ROUTES: LazyLock<Routes> = LazyLock::new(|| Routes::new(TABLE));
const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::PATCH, Method::DELETE];

/// Percent-decoded once; a bad escape stays.
fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Dot segments resolved, as RFC 3986 has it (section 5.2.4); empty segments dropped where `merges`.
fn resolved(path: &str, merges: bool) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            "" if merges => {}
            plain => segments.push(plain),
        }
    }
    format!("/{}", segments.join("/"))
}

/// What stands after a semicolon taken off every segment, as servlets do it.
fn without_parameters(path: &str) -> String {
    path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
}

/// What readers of different kinds make of a path.
fn readings(path: &str) -> [(&'static str, String); 7] {
    let once = decoded(path);
    let browser = path.replace('\\', "/").replace("%2e", ".").replace("%2E", ".");
    [
        ("as it is", path.to_owned()),
        ("decoded", once.clone()),
        ("a proxy that tidies up", resolved(&once, true)),
        ("a proxy that resolves", resolved(path, false)),
        ("a browser's reader", resolved(&browser, false)),
        ("a servlet", resolved(&decoded(&without_parameters(path)), true)),
        ("two proxies", resolved(&decoded(&resolved(&once, true)), true)),
    ]
}

/// Whether one of our handlers answers this path, whatever the method; one that cannot be decoded is answered by none.
fn is_ours(path: &str) -> bool {
    METHODS.iter().any(|method| {
        let found = ROUTES.find(method, path).filter(|found| found.params().is_ok());
        found.is_some_and(|found| !found.names_other("auth_provider", &OWNED_PROVIDERS))
    })
}

fuzz_target!(|text: &str| {
    let Ok(uri) = text.parse::<Uri>() else { return };
    let path = uri.path();
    let judged = path::judged(path);
    assert!(judged.starts_with('/') && !judged.contains("//") && !judged.contains('\\'), "{path:?} {judged:?}");
    assert!(judged == "/" || !judged.ends_with('/'), "{path:?} {judged:?}");
    assert!(!judged.split('/').any(|segment| [".", ".."].contains(&segment)), "{path:?} {judged:?}");
    assert!(!judged.bytes().any(|byte| byte.is_ascii_uppercase()), "{path:?} {judged:?}");
    // A path that is ours as it is goes to our handler, or is the upstream's by its method alone.
    let is_passed = !is_ours(path)
        && METHODS.iter().any(|method| {
            Gateway::takes(ROUTES.find(method, path).as_ref(), path) && !path::is_disguised(&ROUTES, path)
        });
    for (reader, reading) in readings(path) {
        assert!(!is_passed || !is_ours(&reading), "{path:?} goes around {reading:?}, read by {reader}");
        let seen = Namespace::of(&reading);
        let held = path::namespace(path);
        let is_held = match seen {
            Namespace::Store => held == Namespace::Store,
            Namespace::Admin => matches!(held, Namespace::Store | Namespace::Admin),
            Namespace::Auth | Namespace::None => true,
        };
        assert!(is_held, "{path:?} is {held:?}, and {seen:?} read by {reader}");
    }
});
