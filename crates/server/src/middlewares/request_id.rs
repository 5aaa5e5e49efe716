//! One id a request, in every log line and in the answer, so that a complaint can be found.

use cr_core::env::Env;
use http::{HeaderMap, HeaderName};

/// Where it travels.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken from a client, in characters.
const LONGEST: usize = 128;

/// The client's or proxy's id if it is visible ASCII of a reasonable length, else a new one of 32 hex digits.
pub fn of(headers: &HeaderMap, env: &Env) -> String {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
    match given {
        Some(id) if is_sound(id) => id.to_owned(),
        _ => format!("{:032x}", u128::from_be_bytes(env.bytes())),
    }
}

/// Whether an id may stand in a log as it is.
fn is_sound(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An id with line breaks or colours in it would forge log lines.
    #[test]
    fn only_short_visible_ids_are_taken_over() {
        for (id, sound) in [
            ("req-1", true),
            (&*"x".repeat(128), true),
            (&*"x".repeat(129), false),
            ("", false),
            ("a b", false),
            ("a\u{1b}[31m", false),
        ] {
            assert_eq!(is_sound(id), sound, "{id}");
        }
    }
}
