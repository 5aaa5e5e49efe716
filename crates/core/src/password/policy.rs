//! Which passwords are taken.

use std::cmp::Ordering;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::options::PasswordPolicy;

/// Judges a new password; cheap, so it comes before any hashing.
///
/// # Errors
/// `invalid_data` that names the rule: too short, too long (both in bytes of UTF-8), or among the 100,000 most common.
pub fn check_policy(password: &str, policy: &PasswordPolicy) -> Result<(), Error> {
    if password.len() < policy.min_length {
        return Err(Error::invalid_data(format!("Password must be at least {} bytes long", policy.min_length)));
    }
    if password.len() > policy.max_length {
        return Err(Error::invalid_data(format!("Password must be at most {} bytes long", policy.max_length)));
    }
    if policy.reject_common && is_common(password) {
        return Err(Error::invalid_data("Password is too common"));
    }
    Ok(())
}

/// The most common passwords in lower case, one a line, sorted by their bytes. From the crate `passwords`, which itself keeps
/// 100,000 pointers in memory for them; a text is paged in where it is looked at.
const COMMON: &str = include_str!("common.txt");

/// Whether the password is on the list, however it is capitalised.
fn is_common(password: &str) -> bool {
    let folded = Zeroizing::new(password.to_lowercase());
    let wanted = folded.as_bytes();
    let list = COMMON.as_bytes();
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = low.midpoint(high);
        let line = line_at(list, middle);
        match list.get(line.clone()).unwrap_or_default().cmp(wanted) {
            Ordering::Equal => return true,
            Ordering::Less => low = line.end + 1,
            Ordering::Greater => high = line.start,
        }
    }
    false
}

/// Where the line that an index lies in begins and ends, without its line feed.
fn line_at(list: &[u8], index: usize) -> Range<usize> {
    let is_end = |byte: &u8| *byte == b'\n';
    let start = list.get(..index).and_then(|before| before.iter().rposition(is_end)).map_or(0, |end| end + 1);
    let end = list.get(index..).and_then(|after| after.iter().position(is_end)).map_or(list.len(), |end| index + end);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_names_itself_and_lengths_are_bytes() {
        let policy = PasswordPolicy { min_length: 8, max_length: 16, reject_common: true };
        for (password, answer) in [
            ("Secret123!", None),
            ("", Some("Password must be at least 8 bytes long")),
            ("Short1!", Some("Password must be at least 8 bytes long")),
            ("пароль🔑", None),
            ("парольпароль", Some("Password must be at most 16 bytes long")),
            ("0123456789abcdefg", Some("Password must be at most 16 bytes long")),
            ("password123", Some("Password is too common")),
            ("PassWord123", Some("Password is too common")),
            ("P@ssw0rd", Some("Password is too common")),
            ("12345678", Some("Password is too common")),
        ] {
            assert_eq!(
                check_policy(password, &policy).err().map(|error| error.message).as_deref(),
                answer,
                "{password}"
            );
        }
    }

    /// What is long and rare enough is taken, whatever it is made of: rules on kinds of characters make people write `P@ssw0rd`.
    #[test]
    fn no_rule_asks_for_kinds_of_characters() {
        let policy = PasswordPolicy { min_length: 8, max_length: 128, reject_common: true };
        for password in [
            "wagtailumbrella",
            "WAGTAILUMBRELLA",
            "7302915840266",
            "~!@#$%^&*()~",
            "four words with blanks",
            "ключикключик",
            "🔑🔑🔑🔑🔑🔑🔑🔑",
        ] {
            assert!(check_policy(password, &policy).is_ok(), "{password}");
        }
    }

    /// Whole, in both directions: bisection needs the order, and the crate is where the list comes from.
    #[test]
    fn the_list_is_sorted_and_that_of_the_crate() {
        let mut before = "";
        for line in COMMON.lines() {
            assert!(before < line, "{before:?} stands before {line:?}");
            assert!(is_common(line) && is_common(&line.to_ascii_uppercase()), "{line:?}");
            before = line;
        }
        for known in ["password", "123456", "QWERTYUIOP", "!", "ячсмить"] {
            assert!(passwords::analyzer::is_common_password(known.to_lowercase()) && is_common(known), "{known}");
        }
        for unknown in ["", "\n", "a\nb", "passwordzq", "Tr0ub4dor&3x", "zzzzzzzzzzzzzz", "\u{10ffff}"] {
            assert!(!is_common(unknown), "{unknown:?}");
        }
        assert_eq!(COMMON.lines().count(), 97745);
    }

    #[test]
    fn common_passwords_are_taken_where_the_policy_says_so() {
        let policy = PasswordPolicy { min_length: 1, max_length: 128, reject_common: false };
        assert!(check_policy("password", &policy).is_ok());
    }
}
