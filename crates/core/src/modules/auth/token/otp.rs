//! OTP tokens: which OTP a code is meant for. Ours alone, under a derived key a kind.
//!
//! What else belongs to an OTP (customer, new value, reason) is in its row: a token in a mail or a log tells nothing.

use cr_types::ids::OtpId;
use cr_types::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::{shaped, verified, write};
use crate::keys::Keys;

/// What an OTP is for, which decides the key of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtpKind {
    /// Verifies a contact.
    Verify,
    /// Confirms a new contact.
    ContactChange,
    /// Confirms that an account is to be deleted.
    Deletion,
    /// Confirms that a deletion is called off.
    Cancellation,
}

impl OtpKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Verify, Self::ContactChange, Self::Deletion, Self::Cancellation];

    /// `verify`, `contact_change`, `deletion` or `cancellation`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::ContactChange => "contact_change",
            Self::Deletion => "deletion",
            Self::Cancellation => "cancellation",
        }
    }

    /// The kind's name on its key.
    fn label(self) -> String {
        format!("otp {}", self.as_str())
    }
}

/// What an OTP token says: nothing but which OTP, of which kind, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtpToken {
    /// The row of `otp_verification`.
    pub id: OtpId,
    /// What it is for.
    pub kind: OtpKind,
    /// When the code expires; whole seconds on the wire.
    pub exp: Timestamp,
}

/// An OTP token's claims: `{"id":"otp_…","kind":"verify","exp":1767323045}`.
#[derive(Serialize, Deserialize)]
struct OtpClaims {
    id: OtpId,
    kind: OtpKind,
    exp: i64,
}

/// An OTP token, signed with the key of its kind.
pub fn issue_otp(keys: &Keys, token: &OtpToken) -> String {
    let claims = OtpClaims { id: token.id.clone(), kind: token.kind, exp: token.exp.seconds() };
    write(&keys.token_key(&token.kind.label()), &claims)
}

/// What an OTP token says, expired or not: callers answer differently when it expired.
///
/// `None` if it is forged, malformed or signed with another kind's key.
pub fn read_otp(keys: &Keys, token: &str) -> Option<OtpToken> {
    OtpKind::ALL.into_iter().find_map(|kind| {
        let claims = keys.token_keys(&kind.label()).find_map(|key| verified(&key, token))?;
        let claims: OtpClaims = shaped(claims)?;
        let exp = Timestamp::from_seconds(claims.exp)?;
        (claims.kind == kind).then_some(OtpToken { id: claims.id, kind, exp })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRY: i64 = 1_767_323_045;

    fn keys() -> Keys {
        Keys::new(&["a secret of more than thirty-two bytes".into()], &"a cookie secret".into())
    }

    /// Made by npm's `jsonwebtoken` under the derived key: tokens in people's mail outlive a new version.
    #[test]
    fn an_expired_otp_token_still_tells_what_it_was_for() {
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpZCI6Im90cF8xIiwia2luZCI6InZlcmlmeSIsImV4cCI6MTc2NzMyMzA0NX0.\
            h3Hdu9mO4P93DdPw-6u6PElUG382v8uv6nBL6JmBUkQ";
        let read = OtpToken {
            id: OtpId::from_stored("otp_1"),
            kind: OtpKind::Verify,
            exp: Timestamp::from_seconds(EXPIRY).unwrap(),
        };
        assert_eq!(read_otp(&keys(), token), Some(read));
    }

    #[test]
    fn a_kind_is_taken_under_its_own_key_alone() {
        let keys = keys();
        for kind in OtpKind::ALL {
            for claimed in OtpKind::ALL {
                let claims = OtpClaims { id: OtpId::from_stored("otp_1"), kind: claimed, exp: EXPIRY };
                let read = read_otp(&keys, &write(&keys.token_key(&kind.label()), &claims));
                assert_eq!(read.map(|token| token.kind), (kind == claimed).then_some(kind), "{claimed:?} as {kind:?}");
            }
        }
    }

    #[test]
    fn names_are_the_same_in_rows_and_tokens() {
        for kind in OtpKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
