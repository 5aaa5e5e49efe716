//! Which passwords are taken.

use passwords::analyzer::is_common_password;
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

/// Whether it is on the list as typed or in lower case: the list has both spellings of some.
fn is_common(password: &str) -> bool {
    let folded = Zeroizing::new(password.to_lowercase());
    is_common_password(password) || is_common_password(folded.as_str())
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

    #[test]
    fn common_passwords_are_taken_where_the_policy_says_so() {
        let policy = PasswordPolicy { min_length: 1, max_length: 128, reject_common: false };
        assert!(check_policy("password", &policy).is_ok());
    }
}
