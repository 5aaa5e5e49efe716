//! Referral codes: eight characters that are no id, made when first asked for.

use cr_db::models::{cr_referral_code, customer};
use cr_types::ids::CustomerId;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::rate_limit;

/// The alphabet of base32 (RFC 4648, section 6).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Characters of a code: 40 bits.
const LENGTH: usize = 8;
/// Draws before giving up; two of 2^40 are hardly ever the same.
const DRAWS: usize = 8;
/// The name of the limit on unknown codes.
const LIMIT: &str = "referralGuesses";

/// The customer's code, made now if there is none.
///
/// # Errors
/// When a statement fails.
pub async fn find_or_make(cx: &mut Ctx, customer: &CustomerId) -> Result<String, Error> {
    for _ in 0..DRAWS {
        if let Some(code) = cr_referral_code::find(&mut cx.tx, customer).await? {
            return Ok(code);
        }
        let code = draw(cx.bytes());
        if cr_referral_code::insert(&mut cx.tx, customer, &code, cx.now).await? {
            return Ok(code);
        }
    }
    Err(Error::internal("no referral code is free"))
}

/// A code of 40 random bits.
fn draw(chance: [u8; LENGTH]) -> String {
    chance.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|letter| char::from(*letter)).collect()
}

/// Whose code, or whose customer id, a new customer was given. Unknown ones are counted by the client's address, and the count
/// is committed before anything is looked up.
///
/// # Errors
/// 400 `Referral code is not valid`; 429 after too many, for right ones too.
pub async fn resolve(app: &App, given: &str, address: Option<&str>) -> Result<CustomerId, Error> {
    let mut cx = app.begin().await?;
    let limit = cx.shared.options.limits.referral_guesses.clone();
    let subject = rate_limit::address_subject(&cx.shared.keys, address);
    if let Some(subject) = &subject {
        rate_limit::take_or_refuse(&mut cx.tx, LIMIT, subject, &limit, cx.now).await?;
    }
    let found = find_referrer(&mut cx, given).await?;
    if let (Some(subject), Some(_)) = (&subject, &found) {
        rate_limit::give_back(&mut cx.tx, LIMIT, subject, &limit, cx.now).await?;
    }
    cx.tx.commit().await?;
    found.ok_or_else(invalid)
}

/// The same for a code that our own side names: no guess, so not counted.
///
/// # Errors
/// 400 `Referral code is not valid`.
pub async fn resolve_trusted(cx: &mut Ctx, given: &str) -> Result<CustomerId, Error> {
    find_referrer(cx, given).await?.ok_or_else(invalid)
}

/// 400 for a code that nobody has.
pub fn invalid() -> Error {
    Error::invalid_data("Referral code is not valid")
}

/// The live account that a code or an id names. One that is about to be deleted counts: a friend's code must not tell.
async fn find_referrer(cx: &mut Ctx, given: &str) -> Result<Option<CustomerId>, Error> {
    let given = given.trim();
    let by_code = cr_referral_code::find_customer(&mut cx.tx, &given.to_ascii_uppercase()).await?;
    let id = by_code.unwrap_or_else(|| CustomerId::from_stored(given));
    let customer = customer::find(&mut cx.tx, &id).await?;
    Ok(customer.filter(|customer| customer.has_account).map(|customer| customer.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_eight_characters_of_base32() {
        assert_eq!(draw([0, 1, 25, 26, 31, 32, 255, 64]), "ABZ27A7A");
    }
}
