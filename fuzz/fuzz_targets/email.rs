//! An address is what Medusa's grammar says, written down here a second time, and has one spelling.
#![no_main]

use std::sync::LazyLock;

use cr_core::identifiers::{Email, mask_email};
use libfuzzer_sys::fuzz_target;
use regex::Regex;

/// The grammar, but for what needs to look ahead.
static GRAMMAR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\A[a-z0-9_'+.-]*[a-z0-9_+-]@(?:[a-z0-9][a-z0-9-]*\.)+[a-z]{2,}\z").unwrap());

/// Whether the address, trimmed and in lower case, is one.
fn is_address(text: &str) -> bool {
    text.len() <= 1024 && !text.starts_with('.') && !text.contains("..") && GRAMMAR.is_match(text)
}

fuzz_target!(|text: &str| {
    let folded = text.trim().to_ascii_lowercase();
    let read = Email::parse(text);
    assert_eq!(read.as_ref().map(Email::as_str), is_address(&folded).then_some(folded.as_str()), "{text:?}");
    let Some(email) = read else { return };
    assert_eq!(Email::parse(email.as_str()).as_ref(), Some(&email), "the stored form reads as itself");
    assert_eq!(Email::parse(&format!("\t{} ", text.to_ascii_uppercase())).as_ref(), Some(&email));
    let masked = mask_email(email.as_str());
    let (shown, domain) = masked.split_once("***@").unwrap();
    let (local, whole_domain) = email.as_str().split_once('@').unwrap();
    assert_eq!((shown, domain), (&local[..1], whole_domain), "a mask shows one character and the domain");
});
