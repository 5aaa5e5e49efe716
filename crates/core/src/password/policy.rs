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
