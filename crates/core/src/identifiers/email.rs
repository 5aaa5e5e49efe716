//! E-mail addresses, by the grammar of Medusa 2.11.2 (zod 3.25, `email()`).

use std::fmt;

/// Longest address in bytes. The grammar knows no limit, but a B-tree of `PostgreSQL` refuses a key beyond 2,704 bytes,
/// and no mail server takes more than 320.
const MAX_LENGTH_BYTES: usize = 1_024;

/// An address in lower case that Medusa would take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// Trims, folds ASCII letters to lower case and judges the rest; `None` if it is no address.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_LENGTH_BYTES {
            return None;
        }
        let (local, domain) = text.split_once('@')?;
        (is_local_part(local) && is_domain(domain)).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What stands before the `@`: letters, digits and `_'+-.`, no dot in front or twice in a row, no `'` or dot at the end.
fn is_local_part(text: &str) -> bool {
    let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_'+-.".contains(&byte));
    let ends_well = text.bytes().last().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte));
    allowed && ends_well && !text.starts_with('.') && !text.contains("..")
}

/// What stands after the `@`: labels between dots, the last one of two or more letters.
fn is_domain(text: &str) -> bool {
    let Some((labels, last)) = text.rsplit_once('.') else {
        return false;
    };
    labels.split('.').all(is_label) && last.len() >= 2 && last.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A label starts with a letter or digit and goes on with those and `-`; a `-` at its end is taken, as Medusa takes it.
fn is_label(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The address with all but its first character and its domain hidden: `a***@example.com`.
pub fn mask_email(text: &str) -> String {
    let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}***@{domain}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_and_blanks_around_make_no_difference() {
        for text in
            ["a.b@example.com", "A.B@Example.COM", " a.b@example.com", "a.b@example.com\r\n", "\u{a0}a.b@example.com"]
        {
            assert_eq!(Email::parse(text).unwrap().as_str(), "a.b@example.com", "{text:?}");
        }
    }

    #[test]
    fn no_unicode_trick_makes_an_address() {
        // The Kelvin sign lower-cases to `k`, the dotless i upper-cases to `I`, fullwidth letters look like ASCII.
        for text in
            ["\u{212a}@example.com", "\u{131}@example.com", "ａ@example.com", "a@exampl\u{435}.com", "a@b\u{3002}com"]
        {
            assert_eq!(Email::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_address_that_no_index_could_hold_is_refused() {
        let address = |length: usize| format!("{}@example.com", "x".repeat(length - "@example.com".len()));
        assert!(Email::parse(&address(1_024)).is_some());
        assert!(Email::parse(&address(1_025)).is_none());
    }

    #[test]
    fn masks_show_one_character_and_the_domain() {
        for (text, masked) in [("anna@example.com", "a***@example.com"), ("é@x", "é***@x"), ("", "***@"), ("@", "***@")]
        {
            assert_eq!(mask_email(text), masked, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_none_and_reading_it_again_changes_nothing(
            text in any::<String>(), like in "[A-Za-z0-9 .'+@-]{0,30}@[a-zA-Z0-9.-]{0,30}",
        ) {
            for email in [Email::parse(&text), Email::parse(&like)].into_iter().flatten() {
                prop_assert!(email.as_str().is_ascii());
                prop_assert_eq!(Email::parse(email.as_str()), Some(email.clone()));
            }
        }
    }
}
