//! Finding out who shops here: every route that must not tell, asked about somebody and about nobody in turns.
//!
//! Status, headers and the shape of the body must be equal, and the medians of the durations less than 2 ms apart. The p of a rank
//! test is printed besides: a small one with a small difference says that a patient observer inside the same rack sees more than
//! chance, not that anybody across a network does.
//!
//! `register` tells a claimed contact by its sentence and `me/contact` one that another account has proven, both as Medusa and the
//! plugin do (`docs/API.md` has their rows, the policy table says `may_reveal`). What they must not tell is the rest: an e-mail with
//! which somebody only began to register, and one that somebody has without having proven it.
//!
//! Limits are at their defaults. A day and an hour pass between two pairs, so that every window is a new one.
//!
//! A plain run takes few pairs, and fails when a difference of 2 ms or more is no accident (p < 0.000 001). The full one takes 2,000
//! pairs a route; it fails at 2 ms on a quiet server, and on a busy one when 2 ms or more are no accident (p < 0.000 1).

mod measuring;

use std::sync::Arc;

use cr_core::password::HashParams;
use cr_testkit::TestDatabase;
use serde_json::{Value, json};

use crate::is_full;
use crate::people::{Standing, analyze, email, fill, fill_unclaimed, give_passwords, id, phone};
use crate::shop::{CANCEL, CONTACT, LOGIN, REGISTER, RESET, SEND, Shop};
use crate::support::PASSWORD;

use self::measuring::{Background, compare};

/// Customers in each state; nobody has as many numbers again.
const EACH: u32 = 50;
/// The first number of each state.
const STATES: [(State, Standing); 4] = [
    (("proven", 1_001), Standing::Proven),
    (("unproven", 2_001), Standing::Unproven),
    (("leaving", 3_001), Standing::Leaving),
    (("deleted", 4_001), Standing::Deleted),
];
/// Those who have proven nothing, and those who are gone.
const UNPROVEN: &[State] = &[STATES[1].0, STATES[3].0];
/// The first number of those whom nobody has.
const NOBODY: u32 = 10_001;
/// The first numbers of those whom nobody has yet, and of those with whom somebody began to register: each is asked about once.
const FREE: u32 = 30_001;
const UNCLAIMED: u32 = 40_001;
/// The two customers who ask for another contact, in turns.
const ASKERS: u32 = 7_001;
/// The first number of the customers who keep a server busy.
const OTHERS: u32 = 6_001;

/// A state by name, and the first number of those who are in it.
type State = (&'static str, u32);

/// A route that must not tell, and how it is asked about a number.
pub(crate) struct Door {
    name: &'static str,
    path: &'static str,
    body: fn(u32) -> Value,
    /// Whether each answer costs a hash.
    hashes: bool,
    /// The first number of nobody, and whom it must not tell from them, in turns.
    nobody: u32,
    known: &'static [State],
    /// How many numbers there are of each.
    each: u32,
    /// Whether one must be logged in.
    by_session: bool,
}

impl Door {
    /// One that strangers ask without a hash.
    const fn new(name: &'static str, path: &'static str, body: fn(u32) -> Value) -> Self {
        let known = &[STATES[0].0, STATES[1].0, STATES[2].0, STATES[3].0];
        Self { name, path, body, hashes: false, nobody: NOBODY, known, each: EACH, by_session: false }
    }

    /// The same, where each answer costs a hash.
    const fn hashing(mut self) -> Self {
        self.hashes = true;
        self
    }

    /// The same, asked about nobody and one state, each number once in so many.
    const fn about(mut self, nobody: u32, known: &'static [State], each: u32) -> Self {
        (self.nobody, self.known, self.each) = (nobody, known, each);
        self
    }

    /// The same, asked by customers.
    const fn by_session(mut self) -> Self {
        self.by_session = true;
        self
    }
}

const DOORS: [Door; 12] = [
    Door::new("login by e-mail", LOGIN, |it| json!({"email": email(it), "password": "wrong"})).hashing(),
    Door::new("login by phone", LOGIN, |it| json!({"phone": phone(it), "password": "wrong"})).hashing(),
    Door::new("reset by e-mail", RESET, |it| json!({"email": email(it)})),
    Door::new("reset by phone", RESET, |it| json!({"phone": phone(it)})),
    Door::new("code by id", SEND, |it| json!({"type": "email_verification", "customer_id": id(it)})),
    Door::new("code by e-mail", SEND, |it| json!({"type": "email_verification", "email": email(it)})),
    Door::new("code by phone", SEND, |it| json!({"type": "phone_verification", "phone": phone(it)})),
    Door::new("cancel by e-mail", CANCEL, |it| json!({"email": email(it)})),
    Door::new("cancel by phone", CANCEL, |it| json!({"phone": phone(it)})),
    Door::new("register", REGISTER, |it| json!({"email": email(it), "password": PASSWORD})).hashing().about(
        FREE,
        &[("unclaimed", UNCLAIMED)],
        PAIRS,
    ),
    Door::new("change of e-mail", CONTACT, |it| json!({"email": email(it)})).about(NOBODY, UNPROVEN, EACH).by_session(),
    Door::new("change of phone", CONTACT, |it| json!({"phone": phone(it)})).about(NOBODY, UNPROVEN, EACH).by_session(),
];

/// Pairs of a full run.
const PAIRS: u32 = 2_000;

/// How many pairs a door is asked, by whether it hashes, and whether others ask meanwhile.
fn pairs(hashes: bool, loaded: bool) -> u32 {
    match (is_full(), hashes, loaded) {
        (true, ..) => PAIRS,
        (false, true, true) => 20,
        (false, true, false) => 40,
        (false, false, true) => 60,
        (false, false, false) => 120,
    }
}

/// All doors, or those that `ATTACK_DOOR` is a part of the name of.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration file")]
fn wanted() -> impl Iterator<Item = &'static Door> {
    let part = std::env::var("ATTACK_DOOR").unwrap_or_default();
    assert!(DOORS.iter().any(|door| door.name.contains(&part)), "no door is called {part}");
    DOORS.iter().filter(move |door| door.name.contains(&part))
}

/// A shop with customers in every state, whose password is known and hashed as in production.
async fn stage(database: &TestDatabase) -> Arc<Shop> {
    let shop = Shop::open(database, HashParams::default()).await;
    for ((_, first), standing) in STATES {
        fill(database, first..=first + EACH - 1, standing).await;
    }
    fill(database, OTHERS..=OTHERS + EACH - 1, Standing::Proven).await;
    fill(database, ASKERS..=ASKERS + 1, Standing::Proven).await;
    fill_unclaimed(database, UNCLAIMED..=UNCLAIMED + PAIRS - 1).await;
    give_passwords(&shop, database).await;
    analyze(database).await;
    shop
}

cr_testkit::both! {
    /// Whoever has bought a list of e-mails must not learn from a shop's answers, nor from how long they take, who shops there.
    async fn no_door_tells_who_is_known_on_a_quiet_server(database: TestDatabase) {
        let shop = stage(&database).await;
        for door in wanted() {
            compare(&shop, door, "quiet").await;
        }
    }

    /// A busy server tells no more than a quiet one.
    async fn no_door_tells_who_is_known_on_a_busy_server(database: TestDatabase) {
        let shop = stage(&database).await;
        let background = Background::start(&shop);
        for door in wanted() {
            compare(&shop, door, "busy").await;
        }
        background.stop().await;
    }
}
