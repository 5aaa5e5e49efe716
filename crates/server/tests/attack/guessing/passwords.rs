//! A botnet against the password of one customer, for a day: by e-mail, by phone, and with a stolen session by the change of the
//! password.
//!
//! `loginFailures` gives ten guesses; from then on each opens only after a delay, of 1 s doubling to 900 s. In a day that is
//! 10 + 10 + 94: the ten, ten more while the delay doubles within 1,023 s, and one every 900 s. The e-mail and the phone are
//! counted apart. `passwordChanges` gives a stolen session five guesses in 15 minutes.

use std::sync::Arc;

use serde_json::json;

use crate::people::{log_in, prove, register};
use crate::shop::{BOTS, CHANGE_PASSWORD, Dice, LOGIN, Shop};
use crate::support::{Answer, CHEAP};

const EMAIL: &str = "alice@example.com";
const PHONE: &str = "+15551234567";
/// Seconds of the attack.
const DAY: i64 = 86_400;
/// Guesses at an identifier in a day.
const A_DAY: usize = 114;

/// How many guesses are let in within a day when each comes as soon as it may.
fn expected(free: usize, longest: i64) -> usize {
    let (mut guesses, mut after, mut delay) = (free, 1, 1);
    while after < DAY {
        guesses += 1;
        delay = (delay * 2).min(longest);
        after += delay;
    }
    guesses
}

/// Whether a guess was compared with the hash. If not, the seconds that it has to wait.
fn judged(answer: &Answer, refusal: &str) -> Result<(), i64> {
    if answer.status.as_u16() == 429 {
        return Err(answer.headers["retry-after"].to_str().unwrap().parse().unwrap());
    }
    assert_eq!((answer.status.as_u16(), answer.text.contains(refusal)), (401, true), "{}", answer.text);
    Ok(())
}

/// Guesses at an identifier, written in any way, from any address, as soon as one is let in: how many were in a day.
async fn guess_for_a_day(shop: &Arc<Shop>, dice: &Dice, spellings: &[(&str, &str)]) -> usize {
    let (mut guesses, end) = (0, shop.now() + DAY * 1000);
    while shop.now() < end {
        let (key, value) = dice.pick(spellings);
        let body = json!({key: value, "password": format!("guess {guesses}")});
        match judged(&shop.ask(dice.below(BOTS), LOGIN, None, &body).await, "or password") {
            Ok(()) => guesses += 1,
            Err(wait) => {
                // Whoever comes a second early waits, at every server.
                shop.clock.advance_seconds(wait - 1);
                for _ in 0..shop.replicas() {
                    assert!(judged(&shop.ask(dice.below(BOTS), LOGIN, None, &body).await, "or password").is_err());
                }
                shop.clock.advance_seconds(1);
            }
        }
    }
    guesses
}

cr_testkit::both! {
    /// Neither addresses nor servers nor other spellings make more of it. A stolen session has guesses of its own.
    async fn a_password_is_guessed_at_114_times_a_day_and_identifier(database: TestDatabase) {
        let shop = Shop::open(&database, CHEAP).await;
        let dice = Dice::seeded(5);
        let (_, id) = register(&shop, &database, EMAIL, PHONE).await;
        prove(&database, &id, EMAIL, PHONE).await;
        assert_eq!(expected(10, 900), A_DAY);
        let emails = [("email", EMAIL), ("email", " Alice@Example.COM"), ("email_or_phone", "ALICE@example.com")];
        let by_email = guess_for_a_day(&shop, &dice, &emails).await;
        let phones = [("phone", PHONE), ("phone", "+1 (555) 123-4567"), ("email_or_phone", "0015551234567")];
        let by_phone = guess_for_a_day(&shop, &dice, &phones).await;
        assert_eq!((by_email, by_phone), (A_DAY, A_DAY));

        shop.clock.advance_seconds(DAY);
        let session = log_in(&shop, EMAIL).await;
        let (mut by_session, end) = (0, shop.now() + (DAY - 1) * 1000);
        while shop.now() < end {
            let new = "C0rrect-horse-battery";
            let body = json!({"old_password": "guess", "new_password": new, "confirm_password": new});
            let answer = shop.ask(dice.below(BOTS), CHANGE_PASSWORD, Some(&session), &body).await;
            match judged(&answer, "Invalid password") {
                Ok(()) => by_session += 1,
                Err(wait) => shop.clock.advance_seconds(wait),
            }
        }
        assert_eq!(by_session, 5 * 4 * 24);
        println!(
            "password of one customer, {} replicas, a day: {by_email} guesses by e-mail, {by_phone} by phone, {by_session} more by a \
             stolen session",
            shop.replicas(),
        );
    }
}
