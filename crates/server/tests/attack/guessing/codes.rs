//! A botnet against the codes of one customer, for a day: it asks for codes by every way there is, and guesses at each code from
//! many addresses at once.
//!
//! `wrongCodes` counts for a subject and a purpose, and the origin is part of the subject. For one customer there are nine such
//! counters: three behind a session of their own (e-mail and phone, which a change of contact shares, and the deletion), two by the
//! id, two by the e-mail and two by the phone. Each gives twenty guesses within twenty-four hours of its first, so it is 180 in all
//! for who has stolen a session *and* catches the customer unverified, then verified, then about to leave; a stranger has no guess
//! at a code of somebody whose contacts are proven.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cr_testkit::TestDatabase;
use serde_json::{Value, json};

use crate::people::{leave, log_in, prove, register};
use crate::shop::{
    BOTS, CANCEL, CANCEL_CONFIRM, CONTACT, CONTACT_VERIFY, DELETION, DELETION_CONFIRM, Dice, RESET, SEND, Shop, VERIFY,
    at_once, success_percent,
};
use crate::support::CHEAP;

const EMAIL: &str = "alice@example.com";
const PHONE: &str = "+15551234567";
/// Wrong codes of one subject, purpose and origin within a day.
const BUDGET: usize = 20;
/// Guesses at one code, sent at the same time; five are allowed.
const VOLLEY: u32 = 8;
/// Seconds between two rounds of requests.
const PAUSE: i64 = 600;

/// One way to have a code sent, and where it is guessed at.
#[derive(Clone)]
struct Way {
    sender: &'static str,
    taker: &'static str,
    bearer: Option<String>,
    body: Value,
}

impl Way {
    /// A way of a stranger.
    fn open(sender: &'static str, taker: &'static str, body: Value) -> Self {
        Self { sender, taker, bearer: None, body }
    }

    /// A way that needs a token of the customer's.
    fn stolen(sender: &'static str, taker: &'static str, token: &str, body: Value) -> Self {
        Self { sender, taker, bearer: Some(token.to_owned()), body }
    }
}

/// What strangers can ask for at any time.
fn verifications(id: &str) -> Vec<Way> {
    [
        json!({"type": "email_verification", "customer_id": id}),
        json!({"type": "phone_verification", "customer_id": id}),
        json!({"type": "email_verification", "email": " Alice@EXAMPLE.com "}),
        json!({"type": "phone_verification", "phone": "001 (555) 123-4567"}),
    ]
    .map(|body| Way::open(SEND, VERIFY, body))
    .to_vec()
}

/// What brings somebody back who is leaving.
fn cancellations() -> Vec<Way> {
    [json!({"email": EMAIL}), json!({"phone": PHONE})].map(|body| Way::open(CANCEL, CANCEL_CONFIRM, body)).to_vec()
}

/// What a session of the customer can ask for.
fn of_a_session(session: &str) -> Vec<Way> {
    vec![
        Way::stolen(CONTACT, CONTACT_VERIFY, session, json!({"email": "mallory@example.com"})),
        Way::stolen(CONTACT, CONTACT_VERIFY, session, json!({"phone": "+15557654321"})),
        Way::stolen(DELETION, DELETION_CONFIRM, session, json!({})),
    ]
}

/// What a botnet got: guesses that were compared, by code.
#[derive(Default)]
struct Loot {
    compared: BTreeMap<String, usize>,
    requests: usize,
}

impl Loot {
    /// All guesses that were compared with something.
    fn all(&self) -> usize {
        self.compared.values().sum()
    }

    /// Those at a code that somebody got; the others were at decoys.
    async fn live(&self, database: &TestDatabase) -> usize {
        let sent = database.rows("select idempotency_key as id from cr_outbox where channel in ('email', 'sms')").await;
        let sent: BTreeSet<&str> = sent.iter().filter_map(|row| row["id"].as_str()).collect();
        self.compared.iter().filter(|(id, _)| sent.contains(id.as_str())).map(|(_, guesses)| guesses).sum()
    }
}

/// Asks by all ways again and again for some hours, and guesses at whatever was sent.
async fn besiege(shop: &Arc<Shop>, dice: &Dice, ways: &[Way], hours: i64, loot: &mut Loot) {
    for _ in 0..hours * 3600 / PAUSE {
        for way in ways {
            let sent = shop.ask(dice.below(BOTS), way.sender, way.bearer.as_deref(), &way.body).await;
            loot.requests += 1;
            if sent.status.as_u16() != 200 {
                continue;
            }
            let token = sent.field("/token");
            let bots = (0..VOLLEY).map(|_| dice.below(BOTS)).collect();
            let guesses = at_once(usize::MAX, bots, |bot| {
                let (shop, way, token) = (Arc::clone(shop), way.clone(), token.clone());
                async move { shop.guess(bot, way.taker, way.bearer.as_deref(), &token).await }
            });
            let compared = guesses.await.into_iter().filter(|was_compared| *was_compared).count();
            loot.requests += usize::try_from(VOLLEY).unwrap();
            *loot.compared.entry(shop.otp_id(&token)).or_default() += compared;
        }
        // A link instead of a code: nothing to guess, but it must not give anything back either.
        for body in [json!({"email": EMAIL}), json!({"phone": PHONE})] {
            shop.ask(dice.below(BOTS), RESET, None, &body).await;
            loot.requests += 1;
        }
        shop.clock.advance_seconds(PAUSE);
    }
}

/// The counters of wrong codes.
async fn counters(database: &TestDatabase) -> Vec<i64> {
    let rows = database.rows("select count from cr_limit where key like 'wrongCodes:%'").await;
    rows.iter().map(|row| row["count"].as_i64().unwrap()).collect()
}

cr_testkit::both! {
    /// The worst day of a customer: everything stolen, every state passed through, every way used up. Nobody gets one guess more
    /// than nine times twenty, however many addresses and servers there are.
    async fn one_customer_is_guessed_at_180_times_a_day_at_most(database: TestDatabase) {
        let shop = Shop::open(&database, CHEAP).await;
        let dice = Dice::seeded(1);
        let (registration, id) = register(&shop, &database, EMAIL, PHONE).await;
        let mut loot = Loot::default();
        let mut ways = verifications(&id);
        for kind in ["email_verification", "phone_verification"] {
            ways.push(Way::stolen(SEND, VERIFY, &registration, json!({"type": kind, "customer_id": id})));
        }
        besiege(&shop, &dice, &ways, 8, &mut loot).await;
        prove(&database, &id, EMAIL, PHONE).await;
        ways.extend(of_a_session(&log_in(&shop, EMAIL).await));
        besiege(&shop, &dice, &ways, 8, &mut loot).await;
        leave(&database, &id).await;
        ways.extend(cancellations());
        besiege(&shop, &dice, &ways, 8, &mut loot).await;

        assert_eq!(counters(&database).await, [20; 9]);
        let live = loot.live(&database).await;
        assert_eq!((loot.all(), live), (9 * BUDGET, 9 * BUDGET));
        println!(
            "codes of one customer, {} replicas, {} requests in a day: {live} guesses count, success {:.4} %",
            shop.replicas(), loot.requests, success_percent(live),
        );
    }

    /// Whoever finished registering has no code that a stranger could guess at: what strangers ask for are decoys, and even those
    /// are counted.
    async fn strangers_have_no_guess_at_a_customer_in_good_standing(database: TestDatabase) {
        let shop = Shop::open(&database, CHEAP).await;
        let dice = Dice::seeded(2);
        let (_, id) = register(&shop, &database, EMAIL, PHONE).await;
        prove(&database, &id, EMAIL, PHONE).await;
        let mut loot = Loot::default();
        let mut ways = verifications(&id);
        ways.extend(cancellations());
        besiege(&shop, &dice, &ways, 24, &mut loot).await;
        let live = loot.live(&database).await;
        assert_eq!((loot.all(), live, counters(&database).await), (6 * BUDGET, 0, vec![20; 6]));
        println!("codes of a customer in good standing, by strangers: {live} guesses count, {} at decoys", loot.all());
    }

    /// A stolen session has three subjects and purposes, and no more for the change of a contact than for its verification.
    async fn a_stolen_session_has_60_guesses_a_day(database: TestDatabase) {
        let shop = Shop::open(&database, CHEAP).await;
        let dice = Dice::seeded(3);
        let (_, id) = register(&shop, &database, EMAIL, PHONE).await;
        prove(&database, &id, EMAIL, PHONE).await;
        let session = log_in(&shop, EMAIL).await;
        let mut loot = Loot::default();
        let mut ways = of_a_session(&session);
        // Another new contact is no other subject.
        ways.push(Way::stolen(CONTACT, CONTACT_VERIFY, &session, json!({"email": "mallory2@example.com"})));
        ways.push(Way::stolen(CONTACT, CONTACT_VERIFY, &session, json!({"phone": "+15557654322"})));
        besiege(&shop, &dice, &ways, 24, &mut loot).await;
        let live = loot.live(&database).await;
        assert_eq!((loot.all(), live, counters(&database).await), (3 * BUDGET, 3 * BUDGET, vec![20; 3]));
        println!("codes by a stolen session: {live} guesses count, success {:.4} %", success_percent(live));
    }
}
