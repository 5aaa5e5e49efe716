//! Codes: how one is drawn, and how one that somebody typed is read.
//!
//! Storing and comparing them is [`crate::keys`]' and the OTP workflows' part.

use crate::env::Rng;
use crate::options::OtpCharset;

/// The characters of a charset, each of one byte.
fn characters(charset: OtpCharset) -> &'static [u8] {
    match charset {
        OtpCharset::Numeric => b"0123456789",
        OtpCharset::Alphanumeric => b"23456789ABCDEFGHJKMNPQRSTUVWXYZ",
    }
}

/// A new code of `length` characters, each as likely as any other.
///
/// A random byte that would favour the first characters is drawn again (rejection sampling), never folded.
pub fn generate(rng: &dyn Rng, length: usize, charset: OtpCharset) -> String {
    let characters = characters(charset);
    let even = 256 - 256 % characters.len();
    let mut code = String::with_capacity(length);
    let mut chance = [0; 16];
    while code.len() < length {
        rng.fill(&mut chance);
        let drawn = chance.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < even);
        let wanted = length - code.len();
        code.extend(
            drawn.filter_map(|byte| characters.get(byte % characters.len())).take(wanted).map(|c| char::from(*c)),
        );
    }
    code
}

/// A typed code as it would have been drawn: without blanks and dashes, and in upper case where letters are in use.
///
/// Other characters stay, so that a wrong code stays wrong.
pub fn normalise(input: &str, charset: OtpCharset) -> String {
    let kept = input.chars().filter(|character| !character.is_whitespace() && *character != '-');
    match charset {
        OtpCharset::Numeric => kept.collect(),
        OtpCharset::Alphanumeric => kept.map(|character| character.to_ascii_uppercase()).collect(),
    }
}
