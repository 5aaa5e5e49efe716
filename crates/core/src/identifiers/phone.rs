//! Phone numbers, stored as E.164.
//!
//! The `phonenumber` crate gives the metadata alone: calling codes, possible lengths, trunk prefixes. Its parser is not
//! used, because it drops extensions, strips trunk prefixes twice and reads letters as digits. A number needs to be
//! possible, not valid: `+15551234567`, which nobody can hold, must work.

use std::fmt;

use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};

/// Longest text in bytes that is looked at; a number with all its separators fits easily.
const MAX_TEXT_BYTES: usize = 64;

/// Digits of a whole number, calling code included; ITU-T E.164, section 6.
const MAX_DIGITS: usize = 15;

/// Digits of a calling code; ITU-T E.164, annex B.
const MAX_CALLING_CODE_DIGITS: usize = 3;

/// A number as `+`, calling code and national number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber {
    text: String,
    calling_code: u16,
}

impl PhoneNumber {
    /// Removes separators, reads a leading `00` as `+` and judges the rest by the lengths that the calling code has.
    ///
    /// A national number needs `default_country` (upper-case ISO 3166); without it, and for letters, extensions, digits
    /// of other scripts and impossible lengths, the answer is `None`.
    pub fn parse(text: &str, default_country: Option<&str>) -> Option<Self> {
        let dialled = without_separators(text)?;
        let international = dialled.strip_prefix('+').or_else(|| dialled.strip_prefix("00"));
        if !international.unwrap_or(&dialled).bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = if let Some(digits) = international {
            Self::from_international(digits)?
        } else {
            let metadata = DATABASE.by_id(default_country?)?;
            Self::from_parts(metadata.country_code(), metadata, &dialled)?
        };
        // With digits in front that might be left out once more, it would be another number when it is read again.
        (Self::from_international(number.text.trim_start_matches('+')).as_ref() == Some(&number)).then_some(number)
    }

    /// Reads calling code and national number.
    fn from_international(digits: &str) -> Option<Self> {
        (1..=MAX_CALLING_CODE_DIGITS).find_map(|length| {
            let (code, national) = digits.split_at_checked(length)?;
            let code = code.parse().ok().filter(|_| !code.starts_with('0'))?;
            let metadata = DATABASE.by_code(&code)?.into_iter().next()?;
            Self::from_parts(code, metadata, national)
        })
    }

    /// Puts a number together, if it is possible.
    fn from_parts(calling_code: u16, metadata: &Metadata, digits: &str) -> Option<Self> {
        let national = without_trunk_prefix(metadata, digits);
        let text = format!("+{calling_code}{national}");
        let fits = is_possible(calling_code, national) && text.len() <= MAX_DIGITS + 1;
        fits.then_some(Self { text, calling_code })
    }

    /// The number as stored, `+15551234567`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The calling code without `+`, `1`.
    pub fn calling_code(&self) -> String {
        self.calling_code.to_string()
    }

    /// Loads the metadata, which takes some 70 ms and 6 MiB, on a thread of its own: the first request need not wait.
    ///
    /// A system that grants no thread loads it at the first number instead.
    pub fn warm_up() {
        let warm = || {
            if Self::parse("+15551234567", None).is_none() {
                tracing::error!("The phone number metadata does not know the calling code 1");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("phone-warm-up".to_owned()).spawn(warm) {
            tracing::debug!(error = %error, "No thread for loading the phone number metadata");
        }
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The text without blanks, `-`, `(`, `)` and `.`; `None` if it is too long to be a number.
fn without_separators(text: &str) -> Option<String> {
    let kept = || text.chars().filter(|character| !matches!(character, ' ' | '\u{a0}' | '-' | '(' | ')' | '.'));
    (text.len() <= MAX_TEXT_BYTES).then(|| kept().collect())
}

/// Whether a country with this calling code has national numbers of this length.
fn is_possible(calling_code: u16, national: &str) -> bool {
    let length = u16::try_from(national.len()).unwrap_or(u16::MAX);
    let regions = DATABASE.by_code(&calling_code).unwrap_or_default();
    regions.iter().flat_map(|metadata| kinds(metadata)).any(|kind| kind.possible_length().contains(&length))
}

/// The kinds of number that can be called from abroad; the general description has no lengths in this crate's metadata.
fn kinds(metadata: &Metadata) -> impl Iterator<Item = &Descriptor> {
    let all = metadata.descriptors();
    let personal = [all.fixed_line(), all.mobile(), all.personal_number(), all.voip(), all.pager()];
    let commercial = [all.toll_free(), all.premium_rate(), all.shared_cost(), all.uan(), all.voicemail()];
    personal.into_iter().chain(commercial).flatten()
}

/// The national number without the digits that are dialled inside the country only, such as Germany's `0`.
///
/// They stay where they may belong to the number: where without them it would have no possible length, or would stop
/// looking like a number of that country. Thus Italy's `06` stays whole, and Russia's `800…` keeps its `8`.
fn without_trunk_prefix<'a>(metadata: &Metadata, digits: &'a str) -> &'a str {
    let possible = |digits: &str| is_possible(metadata.country_code(), digits);
    let likely = |digits: &str| possible(digits) && metadata.descriptors().general().is_match(digits);
    match metadata.national_prefix().and_then(|prefix| digits.strip_prefix(prefix)) {
        Some(rest) if possible(rest) && (likely(rest) || !likely(digits)) => rest,
        _ => digits,
    }
}

/// The number with all but its last two digits hidden: `***67`.
pub fn mask_phone(text: &str) -> String {
    let hidden = text.chars().count().saturating_sub(2);
    format!("***{}", text.chars().skip(hidden.max(1)).collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed};

    use super::*;

    /// The text of what a parse gave.
    fn parsed(text: &str, country: Option<&str>) -> Option<String> {
        PhoneNumber::parse(text, country).map(|number| number.as_str().to_owned())
    }

    #[test]
    fn spellings_of_one_number_become_one() {
        for (text, country, stored) in [
            ("+15551234567", None, "+15551234567"),
            ("+1 (555) 123-4567", None, "+15551234567"),
            ("+1.555.123.4567", None, "+15551234567"),
            ("  +1\u{a0}555 123 4567 ", None, "+15551234567"),
            ("0015551234567", None, "+15551234567"),
            ("(00) 1 555 1234567", None, "+15551234567"),
            ("(555) 123-4567", Some("US"), "+15551234567"),
            ("1 555 123 4567", Some("US"), "+15551234567"),
            ("+15551234567", Some("DE"), "+15551234567"),
            ("020 7946 0958", Some("GB"), "+442079460958"),
            ("+44 (0)20 7946 0958", None, "+442079460958"),
            ("8 912 345 67 89", Some("RU"), "+79123456789"),
            ("8001234567", Some("RU"), "+78001234567"),
            ("8 800 555 35 35", Some("RU"), "+78005553535"),
            ("+78005553535", None, "+78005553535"),
            ("+77012345678", None, "+77012345678"),
            ("06 1234 5678", Some("IT"), "+390612345678"),
            ("+39 06 1234 5678", None, "+390612345678"),
            ("030 123456", Some("DE"), "+4930123456"),
            ("0171 2345678", Some("DE"), "+491712345678"),
            ("06 30 123 4567", Some("HU"), "+36301234567"),
            ("612 34 56 78", Some("ES"), "+34612345678"),
            ("(11) 91234-5678", Some("BR"), "+5511912345678"),
            ("09876543210", Some("IN"), "+919876543210"),
            ("0812-345-678", Some("ID"), "+62812345678"),
            ("079 123 45 67", Some("CH"), "+41791234567"),
            ("01 2345 6789", Some("FR"), "+33123456789"),
            ("+33 0 6 12 34 56 78", None, "+33612345678"),
            ("246 234 5678", Some("BB"), "+12462345678"),
            ("+1246 234 5678", None, "+12462345678"),
            ("+290 12345", None, "+29012345"),
            ("+683 4002", None, "+6834002"),
            ("+65 6123 4567", None, "+6561234567"),
            ("+262692123456", None, "+262692123456"),
        ] {
            assert_eq!(parsed(text, country).as_deref(), Some(stored), "{text:?} in {country:?}");
        }
    }

    #[test]
    fn what_is_no_possible_number_is_refused() {
        for (text, country) in [
            ("", None),
            ("+", None),
            ("00", None),
            ("+0", None),
            ("555 123 4567", None),
            ("15551234567", None),
            ("5551234567", Some("XX")),
            ("5551234567", Some("us")),
            ("5551234567", Some("")),
            ("+1555123456", None),
            ("+155512345678", None),
            ("+11555123456a", None),
            ("+1 800 FLOWERS", None),
            ("+14155552671x5", None),
            ("+14155552671 ext 5", None),
            ("+14155552671#5", None),
            ("+14155552671;ext=5", None),
            ("tel:+14155552671", None),
            ("+1415555,2671", None),
            ("+1/415/5552671", None),
            ("++14155552671", None),
            ("1+4155552671", Some("US")),
            ("+0014155552671", None),
            ("+999123456789", None),
            ("+210123456789", None),
            ("+１４１５５５５２６７１", None),
            ("+١٤١٥٥٥٥٢٦٧١", None),
            ("+1415555267\0", None),
            ("+1415\n5552671", None),
            ("a@example.com", Some("US")),
            ("0 0 171 2345678", Some("DE")),
            ("+84 00 1234 5678", None),
            ("+4930123456789012345", None),
        ] {
            assert_eq!(parsed(text, country), None, "{text:?} in {country:?}");
        }
        assert_eq!(parsed(&"1".repeat(1_000_000), Some("US")), None);
        assert_eq!(parsed(&" ".repeat(1_000_000), Some("US")), None);
    }

    #[test]
    fn calling_codes_are_read_off_whole() {
        for (text, code) in [("+15551234567", "1"), ("+442079460958", "44"), ("+35312345678", "353")] {
            assert_eq!(PhoneNumber::parse(text, None).unwrap().calling_code(), code);
        }
    }

    #[test]
    fn masks_show_two_digits_at_most() {
        for (text, masked) in [("+15551234567", "***67"), ("12", "***2"), ("1", "***"), ("", "***")] {
            assert_eq!(mask_phone(text), masked, "{text}");
        }
    }

    proptest! {
        // The same texts in every run: what the library knows of numbers changes, but not from run to run.
        #![proptest_config(Config { rng_seed: RngSeed::Fixed(7), ..Config::default() })]

        #[test]
        fn any_text_is_a_number_in_e164_or_none(text in any::<String>(), digits in "[+0-9 ().\\-]{0,24}") {
            for (text, country) in [(&text, None), (&text, Some("US")), (&digits, None), (&digits, Some("DE"))] {
                if let Some(number) = PhoneNumber::parse(text, country) {
                    let stored = number.as_str();
                    prop_assert!(stored.len() <= 16 && stored.starts_with('+'));
                    prop_assert!(stored[1..].bytes().all(|byte| byte.is_ascii_digit()));
                    let again = PhoneNumber::parse(stored, Some("FR"));
                    prop_assert_eq!(again.as_ref(), Some(&number), "reading the stored form changes nothing");
                }
            }
        }
    }
}
