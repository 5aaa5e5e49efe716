//! A shop with as many customers as one likes, in every state that a shop of that age would have, made by statements: for
//! measuring how the program does with ten million of them.
//!
//! Customers are numbers from 1, and who is in which state follows from the number, so that whoever measures can name them again.
//! Ids ascend as real ones do, and contacts are spread over the alphabet.

use cr_core::env::Env;
use cr_core::keys::Keys;
use cr_core::modules::auth::token::{self, AuthClaims};
use secrecy::SecretString;
use serde_json::json;

mod filling;
mod rows;
mod unproving;
mod warming;

pub use filling::{Step, fill};
pub use unproving::unprove;
pub use warming::warm;

/// The most customers: their numbers have eight digits, and so have those of who is gone.
pub const MOST: u32 = 30_000_000;
/// What everybody logs in with.
pub const PASSWORD: &str = "correct horse battery staple";
/// How long a token of [`Person`] counts.
const TOKEN_SECONDS: i64 = 24 * 3600;
/// The golden ratio less one, in millionths: steps of that part of the whole lie far apart and cover it evenly.
const STRIDE_MILLIONTHS: u64 = 618_034;

/// Which customers are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// All who may log in.
    Active,
    /// Those of them who have proven their e-mail and not their phone.
    WithUnprovenPhone,
    /// Those of them who brought somebody.
    Referrers,
    /// Those whose account will be deleted.
    Leaving,
}

impl Who {
    /// Reads `active`, `unproven-phone`, `referrers` or `leaving`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "active" => Some(Self::Active),
            "unproven-phone" => Some(Self::WithUnprovenPhone),
            "referrers" => Some(Self::Referrers),
            "leaving" => Some(Self::Leaving),
            _ => None,
        }
    }

    /// Whether a customer of so many is one of them. `rows` has the same conditions in SQL.
    fn includes(self, number: u32, customers: u32) -> bool {
        let is_confirmed = number % 100 == 3;
        let is_active = !is_confirmed && number % 1000 != 7;
        match self {
            Self::Active => is_active,
            Self::WithUnprovenPhone => is_active && number.is_multiple_of(2) && number % 50 != 12,
            Self::Referrers => is_active && number <= customers / 4,
            Self::Leaving => is_confirmed,
        }
    }
}

/// A customer, as who asks for them needs to know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// By which they are found again.
    pub number: u32,
    /// Unlike anybody else's.
    pub email: String,
    /// E.164.
    pub phone: String,
    /// A login token that counts for a day.
    pub token: String,
}

/// Up to `count` of some customers, all over the whole, nobody twice. `secret` is the one that the server signs tokens with.
pub fn people(customers: u32, who: Who, count: usize, secret: &SecretString) -> Vec<Person> {
    let keys = Keys::new(std::slice::from_ref(secret), secret);
    let now = Env::system().clock.now().seconds();
    scattered(customers)
        .filter(|number| who.includes(*number, customers))
        .take(count)
        .map(|number| person(number, &keys, now))
        .collect()
}

/// All numbers from 1, each once, neighbours far apart.
fn scattered(customers: u32) -> impl Iterator<Item = u32> {
    let all = u64::from(customers);
    let wanted = (all * STRIDE_MILLIONTHS / 1_000_000).max(1);
    // Among as many numbers in a row as there are customers, one has no divisor in common with them.
    let stride = (wanted..=wanted + all).find(|stride| divisor(*stride, all) == 1).unwrap_or(1);
    (0..all).map(move |turn| u32::try_from(turn * stride % all).unwrap_or(0) + 1)
}

/// The greatest common divisor.
fn divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { divisor(other, one % other) }
}

/// One customer, as `rows` writes them. `now` is in seconds since 1970.
fn person(number: u32, keys: &Keys, now: i64) -> Person {
    let letter = |factor: u64| char::from(b'a' + u8::try_from(u64::from(number) * factor % 26).unwrap_or(0));
    let id = |prefix: &str| format!("{prefix}_01K000000000000000{number:08}");
    let claims = AuthClaims {
        actor_id: id("cus"),
        actor_type: "customer".to_owned(),
        auth_identity_id: id("authid"),
        auth_provider: Some("emailpass".to_owned()),
        mfa_enabled: false,
        mfa_challenge_completed_at: None,
        app_metadata: json!({ "customer_id": id("cus") }).as_object().cloned().unwrap_or_default(),
        user_metadata: serde_json::Map::new(),
        iat: now,
        exp: now + TOKEN_SECONDS,
    };
    Person {
        number,
        email: format!("{}{}{number}@example.com", letter(7), letter(11)),
        phone: format!("+4915{}", 500_000_000 + number),
        token: token::issue(keys, &claims),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn scattered_numbers_are_all_numbers_once() {
        for customers in [1, 2, 4, 1000, 1001] {
            let all: BTreeSet<u32> = scattered(customers).collect();
            assert_eq!((all.len(), all.first(), all.last()), (customers as usize, Some(&1), Some(&customers)));
        }
        let first: Vec<u32> = scattered(1000).take(3).collect();
        assert_eq!(first, [1, 620, 239]);
    }

    #[test]
    fn in_a_small_shop_there_is_somebody_of_each_kind() {
        let secret = "a secret of more than thirty-two bytes".into();
        let counts = [Who::Active, Who::WithUnprovenPhone, Who::Referrers, Who::Leaving]
            .map(|who| people(1000, who, usize::MAX, &secret).len());
        assert_eq!(counts, [989, 480, 246, 10]);
    }
}
