//! Identifiers: Medusa's prefix, an underscore and an upper-case ULID.
//!
//! Rows that Medusa or an import wrote may hold any text, so what comes out of a database is taken as it is; only what we
//! make has a guaranteed shape.

use std::fmt;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::timestamp::Timestamp;

/// A new identifier: `prefix_` and 26 characters of ULID, or the bare ULID where `prefix` is empty (Medusa's
/// `provider_identity`). `chance` are the ULID's 80 random bits.
pub fn generate(prefix: &str, now: Timestamp, chance: [u8; 10]) -> String {
    let mut random: u128 = 0;
    for byte in chance {
        random = (random << 8) | u128::from(byte);
    }
    let ulid = Ulid::from_parts(u64::try_from(now.millis()).unwrap_or(0), random);
    if prefix.is_empty() { ulid.to_string() } else { format!("{prefix}_{ulid}") }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The prefix before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new one; see [`generate`].
            pub fn generate(now: Timestamp, chance: [u8; 10]) -> Self {
                Self(generate(Self::PREFIX, now, chance))
            }

            /// One that a database, a token or a caller gave; any text is taken.
            pub fn from_stored(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text, as stored.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

id! {
    /// `cus_…`, a row of Medusa's `customer`.
    CustomerId, "cus"
}
id! {
    /// `authid_…`, a row of Medusa's `auth_identity`.
    AuthIdentityId, "authid"
}
id! {
    /// `otp_…`, a row of `otp_verification`.
    OtpId, "otp"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_prefix_and_26_upper_case_characters() {
        let now = Timestamp::from_millis(1_767_323_045_678).unwrap();
        let id = CustomerId::generate(now, [0xff; 10]);
        assert_eq!(id.as_str(), "cus_01KDYAK3SEZZZZZZZZZZZZZZZZ");
        assert_eq!(generate("", now, [0; 10]), "01KDYAK3SE0000000000000000");
    }
}
