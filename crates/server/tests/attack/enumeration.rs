//! Finding out who shops here: every route that must not tell, asked about somebody and about nobody in turns.
//!
//! Status, headers and the shape of the body must be equal, and the medians of the durations less than 2 ms apart. The p of a rank
//! test is printed besides: a small one with a small difference says that a patient observer inside the same rack sees more than
//! chance, not that anybody across a network does.
//!
//! Left out on purpose: `register` tells a registered contact by its sentence and `me/contact` one that another account has proven,
//! both as Medusa and the plugin do; `docs/API.md` has their rows, and the policy table says `may_reveal`.
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
use crate::people::{Standing, analyze, email, fill, give_passwords, id, phone};
use crate::shop::{CANCEL, LOGIN, RESET, SEND, Shop};

use self::measuring::{Background, compare};

/// Customers in each state; nobody has as many numbers again.
const EACH: u32 = 50;
/// The first number of each state.
const STATES: [(&str, u32, Option<Standing>); 5] = [
    ("nobody", 10_001, None),
    ("proven", 1_001, Some(Standing::Proven)),
    ("unproven", 2_001, Some(Standing::Unproven)),
    ("leaving", 3_001, Some(Standing::Leaving)),
    ("deleted", 4_001, Some(Standing::Deleted)),
];
/// The first number of the customers who keep a server busy.
const OTHERS: u32 = 6_001;

/// A route that must not tell, and how it is asked about a number.
pub(crate) struct Door {
    name: &'static str,
    path: &'static str,
    body: fn(u32) -> Value,
    /// Whether each answer costs a hash.
    hashes: bool,
}

const DOORS: [Door; 9] = [
    Door {
        name: "login by e-mail",
        path: LOGIN,
        body: |it| json!({"email": email(it), "password": "wrong"}),
        hashes: true,
    },
    Door {
        name: "login by phone",
        path: LOGIN,
        body: |it| json!({"phone": phone(it), "password": "wrong"}),
        hashes: true,
    },
    Door { name: "reset by e-mail", path: RESET, body: |it| json!({"email": email(it)}), hashes: false },
    Door { name: "reset by phone", path: RESET, body: |it| json!({"phone": phone(it)}), hashes: false },
    Door {
        name: "code by id",
        path: SEND,
        body: |it| json!({"type": "email_verification", "customer_id": id(it)}),
        hashes: false,
    },
    Door {
        name: "code by e-mail",
        path: SEND,
        body: |it| json!({"type": "email_verification", "email": email(it)}),
        hashes: false,
    },
    Door {
        name: "code by phone",
        path: SEND,
        body: |it| json!({"type": "phone_verification", "phone": phone(it)}),
        hashes: false,
    },
    Door { name: "cancel by e-mail", path: CANCEL, body: |it| json!({"email": email(it)}), hashes: false },
    Door { name: "cancel by phone", path: CANCEL, body: |it| json!({"phone": phone(it)}), hashes: false },
];

/// How many pairs a door is asked, by whether it hashes, and whether others ask meanwhile.
fn pairs(hashes: bool, loaded: bool) -> u32 {
    match (is_full(), hashes, loaded) {
        (true, ..) => 2_000,
        (false, true, true) => 20,
        (false, true, false) => 40,
        (false, false, true) => 60,
        (false, false, false) => 120,
    }
}

/// A shop with customers in every state, whose password is known and hashed as in production.
async fn stage(database: &TestDatabase) -> Arc<Shop> {
    let shop = Shop::open(database, HashParams::default()).await;
    for (_, first, standing) in STATES {
        if let Some(standing) = standing {
            fill(database, first..=first + EACH - 1, standing).await;
        }
    }
    fill(database, OTHERS..=OTHERS + EACH - 1, Standing::Proven).await;
    give_passwords(&shop, database).await;
    analyze(database).await;
    shop
}

cr_testkit::both! {
    /// Whoever has bought a list of e-mails must not learn from a shop's answers, nor from how long they take, who shops there.
    async fn no_door_tells_who_is_known_on_a_quiet_server(database: TestDatabase) {
        let shop = stage(&database).await;
        for door in &DOORS {
            compare(&shop, door, "quiet").await;
        }
    }

    /// A busy server tells no more than a quiet one.
    async fn no_door_tells_who_is_known_on_a_busy_server(database: TestDatabase) {
        let shop = stage(&database).await;
        let background = Background::start(&shop);
        for door in &DOORS {
            compare(&shop, door, "busy").await;
        }
        background.stop().await;
    }
}
