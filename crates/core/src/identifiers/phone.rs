//! Phone numbers, stored as E.164.
//!
//! The `phonenumber` crate gives the metadata alone: calling codes, possible lengths, trunk prefixes. Its parser is not
//! used, because it drops extensions, strips trunk prefixes twice and reads letters as digits. A number needs to be
//! possible, not valid: `+15551234567`, which nobody can hold, must work.

use std::fmt;

use phonenumber::Metadata;
use phonenumber::metadata::DATABASE;

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
        let Some(digits) = international else {
            let metadata = DATABASE.by_id(default_country?)?;
            return Self::from_parts(metadata.country_code(), metadata, &dialled);
        };
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
    DATABASE
        .by_code(&calling_code)
        .unwrap_or_default()
        .iter()
        .any(|metadata| metadata.descriptors().general().possible_length().contains(&length))
}

/// The national number without the digits that are dialled inside the country only, such as Germany's `0`.
///
/// They stay where they may belong to the number: where without them it would have no possible length, or would stop
/// being valid. Thus Italy's `06` stays whole, and Russia's `800…` keeps its `8`.
fn without_trunk_prefix<'a>(metadata: &Metadata, digits: &'a str) -> &'a str {
    let general = metadata.descriptors().general();
    let stripped = metadata.national_prefix().and_then(|prefix| digits.strip_prefix(prefix));
    match stripped {
        Some(rest) if is_possible(metadata.country_code(), rest) => {
            let needed = general.is_match(digits) && !general.is_match(rest);
            if needed { digits } else { rest }
        }
        _ => digits,
    }
}

/// The number with all but its last two digits hidden: `***67`.
pub fn mask_phone(text: &str) -> String {
    let hidden = text.chars().count().saturating_sub(2);
    format!("***{}", text.chars().skip(hidden.max(1)).collect::<String>())
}
