//! A botnet that sends its guesses at one password all at once, each time that the identifier opens.
//!
//! The failures are looked at before hashing and counted after it, so whoever comes between the two is let in: as many as the hash
//! queues hold. Once, at the beginning, that is the price of not serialising good logins. At every opening it would multiply the
//! day's guesses.

use std::sync::Arc;

use cr_core::password::HashParams;
use serde_json::json;

use crate::is_full;
use crate::people::register;
use crate::shop::{BOTS, HOME, LOGIN, Shop, at_once};

const EMAIL: &str = "alice@example.com";
/// Openings in a day, at one every 900 s.
const OPENINGS: usize = 96;

/// All bots guess at the same moment: how many were compared with the hash.
async fn volley(shop: &Arc<Shop>) -> usize {
    let guesses = at_once(usize::MAX, (0..BOTS).collect(), |bot| {
        let shop = Arc::clone(shop);
        async move {
            let body = json!({"email": EMAIL, "password": "guess"});
            shop.ask(bot, LOGIN, None, &body).await.status.as_u16()
        }
    });
    guesses.await.into_iter().filter(|status| *status == 401).count()
}

cr_testkit::both! {
    /// An identifier that has used up its failures opens for one guess, not for as many as come at once.
    async fn an_opening_lets_one_guess_in_however_many_come_at_once(database: TestDatabase) {
        let shop = Shop::open(&database, HashParams::default()).await;
        register(&shop, &database, EMAIL, "+15551234567").await;
        let first = volley(&shop).await;
        let mut openings = Vec::new();
        for _ in 0..if is_full() { 12 } else { 2 } {
            let waiting = shop.ask(HOME, LOGIN, None, &json!({"email": EMAIL, "password": "guess"})).await;
            assert_eq!(waiting.status.as_u16(), 429, "{}", waiting.text);
            shop.clock.advance_seconds(waiting.headers["retry-after"].to_str().unwrap().parse().unwrap());
            openings.push(volley(&shop).await);
        }
        let mean = openings.iter().sum::<usize>() / openings.len();
        println!(
            "password of one customer, {} replicas, {BOTS} guesses at once: {first} count at first, then {openings:?} at each opening: \
             some {} a day",
            shop.replicas(), first + OPENINGS * mean,
        );
        assert!(openings.iter().all(|guesses| *guesses <= 1), "{openings:?}");
    }
}
