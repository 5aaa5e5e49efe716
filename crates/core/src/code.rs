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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// `SplitMix64`: evenly spread and the same at every run.
    struct Even(AtomicU64);

    impl Rng for Even {
        fn fill(&self, buffer: &mut [u8]) {
            for chunk in buffer.chunks_mut(8) {
                let mut word = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
                word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
            }
        }
    }

    /// Hands out one byte after the other.
    struct Counting(AtomicU64);

    impl Rng for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            for byte in buffer {
                *byte = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes()[0];
            }
        }
    }

    #[test]
    fn every_length_is_exact_and_every_character_from_the_charset() {
        let rng = Even(AtomicU64::new(1));
        for charset in [OtpCharset::Numeric, OtpCharset::Alphanumeric] {
            for length in 0..=40 {
                let code = generate(&rng, length, charset);
                assert_eq!(code.len(), length);
                assert!(code.bytes().all(|byte| characters(charset).contains(&byte)), "{code}");
            }
        }
    }

    /// Folding 256 values into 10 would make `0` to `5` likelier, and guessing cheaper.
    #[test]
    fn each_run_of_all_bytes_gives_each_character_equally_often() {
        for (charset, each) in [(OtpCharset::Numeric, 25), (OtpCharset::Alphanumeric, 8)] {
            let characters = characters(charset);
            let code = generate(&Counting(AtomicU64::new(0)), each * characters.len(), charset);
            for character in characters {
                assert_eq!(code.bytes().filter(|byte| byte == character).count(), each, "{}", char::from(*character));
            }
        }
    }

    #[test]
    fn codes_are_uniform() {
        let rng = Even(AtomicU64::new(7));
        for charset in [OtpCharset::Numeric, OtpCharset::Alphanumeric] {
            let characters = characters(charset);
            let expected = 4_000.0;
            let drawn = generate(&rng, 4_000 * characters.len(), charset);
            let squares: f64 = characters
                .iter()
                .map(|character| f64::from(u32::try_from(drawn.bytes().filter(|b| b == character).count()).unwrap()))
                .map(|count| (count - expected).powi(2) / expected)
                .sum();
            // The 0.999 quantile of chi-square with 30 degrees of freedom; with 9 it is smaller still.
            assert!(squares < 59.7, "{charset:?}: {squares}");
        }
    }

    #[test]
    fn typed_codes_lose_blanks_dashes_and_case_but_no_mistake() {
        for (typed, charset, read) in [
            (" 123 456\n", OtpCharset::Numeric, "123456"),
            ("123-456", OtpCharset::Numeric, "123456"),
            ("12345a", OtpCharset::Numeric, "12345a"),
            ("١٢٣٤٥٦", OtpCharset::Numeric, "١٢٣٤٥٦"),
            ("ab2-c3d", OtpCharset::Alphanumeric, "AB2C3D"),
            ("", OtpCharset::Alphanumeric, ""),
        ] {
            assert_eq!(normalise(typed, charset), read, "{typed:?}");
        }
    }
}
