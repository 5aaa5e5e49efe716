//! Pairs of requests about somebody and about nobody: what differs in the answers, and in their durations.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use cr_core::modules::auth::token::{self, AuthClaims};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::enumeration::{ASKERS, Door, EACH, OTHERS, pairs};
use crate::people::{email, id};
use crate::shop::{BOTS, RESET, SEND, Shop};
use crate::statistics::{mann_whitney, median};
use crate::support::Answer;

/// Seconds between two pairs: longer than any window.
const PAUSE: i64 = 25 * 3600;
/// Milliseconds that medians may differ by.
const MOST: f64 = 2.0;
/// Differences of short samples that chance makes more often than this are none: a run has some 200 of them, on a busy machine.
const SURE: f64 = 1e-6;
/// The same of 2,000 pairs on a busy server, where chance moves the median of a login's hash by more than [`MOST`].
const SURE_OF_MANY: f64 = 1e-4;
/// Headers that differ between any two answers.
const OWN_HEADERS: [&str; 2] = ["date", "x-request-id"];

/// Asks a door about somebody and nobody in turns, prints one line, and fails when they can be told apart.
pub(crate) async fn compare(shop: &Arc<Shop>, door: &Door, load: &str) {
    let mut millis: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let nobody = ("nobody", door.nobody);
    let ask = async |number: u32, pair: u32, second: u32| {
        let body = (door.body)(number);
        let session = door.by_session.then(|| session(shop, ASKERS + second));
        let begun = Instant::now();
        let answer = shop.ask(pair % BOTS, door.path, session.as_deref(), &body).await;
        (begun.elapsed().as_secs_f64() * 1e3, answer)
    };
    // The first answers pay for what is made once. They are about numbers that nobody is asked about later.
    for pair in 0..6 {
        ask(door.nobody + door.each + pair, pair, pair % 2).await;
        shop.clock.advance_seconds(PAUSE);
    }
    for pair in 0..pairs(door.hashes, load == "busy") {
        let known = door.known[usize::try_from(pair).unwrap() % door.known.len()];
        // Who comes second finds warm caches: each is second every other time.
        let order = if pair / 4 % 2 == 0 { [nobody, known] } else { [known, nobody] };
        let mut seen_before = None;
        for (second, (state, first)) in (0..).zip(order) {
            let (took, answer) = ask(first + pair % door.each, pair, second).await;
            millis.entry(state).or_default().push(took);
            let seen = seen(&answer);
            assert_ne!(answer.status.as_u16(), 429, "{}: {state} is over a limit", door.name);
            if let Some(before) = seen_before.replace(seen.clone()) {
                assert_eq!(seen, before, "{}: {order:?}", door.name);
            }
        }
        shop.clock.advance_seconds(PAUSE);
    }
    judge(door, load, &millis);
}

/// A token of a customer by number, as a login would give it now.
fn session(shop: &Shop, number: u32) -> String {
    let (customer, now) = (id(number), shop.now() / 1000);
    let claims = AuthClaims {
        actor_id: customer.clone(),
        actor_type: "customer".to_owned(),
        auth_identity_id: format!("authid_{number}"),
        auth_provider: Some("emailpass".to_owned()),
        mfa_enabled: false,
        mfa_challenge_completed_at: None,
        app_metadata: Map::from_iter([("customer_id".to_owned(), json!(customer))]),
        user_metadata: Map::new(),
        iat: now,
        exp: now + 3600,
    };
    token::issue(&shop.state().app.shared.keys, &claims)
}

/// Prints the medians, their difference and the p, of all who are known and of each state; and judges them.
fn judge(door: &Door, load: &str, millis: &BTreeMap<&str, Vec<f64>>) {
    let nobody = &millis["nobody"];
    let states: Vec<(&str, &Vec<f64>)> =
        millis.iter().filter(|(state, _)| **state != "nobody").map(|(state, sample)| (*state, sample)).collect();
    let all: Vec<f64> = states.iter().flat_map(|(_, sample)| sample.iter().copied()).collect();
    let mut told = String::new();
    for (state, sample) in &states {
        told.push_str(&format!(", {state} {:+.3}", median(sample) - median(nobody)));
    }
    println!(
        "{}, {load}, {} pairs: nobody {:.3} ms, known {:+.3} ms, p {:.4}{told}",
        door.name,
        nobody.len(),
        median(nobody),
        median(&all) - median(nobody),
        mann_whitney(&all, nobody),
    );
    for (state, sample) in states.into_iter().chain([("known", &all)]) {
        let difference = (median(sample) - median(nobody)).abs();
        let is_accident = match (crate::is_full(), load) {
            (true, "quiet") => false,
            (true, _) => mann_whitney(sample, nobody) >= SURE_OF_MANY,
            (false, _) => mann_whitney(sample, nobody) >= SURE,
        };
        assert!(difference < MOST || is_accident, "{}, {load}: {state} differs by {difference:.3} ms", door.name);
    }
}

/// What everybody can see of an answer: status, headers, the shape of the body, its length.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, Value, usize) {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| !OWN_HEADERS.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    // A hash of a body that chance made.
    for (_, tag) in headers.iter_mut().filter(|(name, _)| name == "etag") {
        *tag = tag.len().to_string();
    }
    headers.sort_unstable();
    let mut body = answer.json();
    if let Some(token) = body.get_mut("token") {
        *token = json!(token.as_str().unwrap().len());
    }
    (answer.status.as_u16(), headers, body, answer.text.len())
}

/// Others who ask all the time while a door is measured.
pub(crate) struct Background {
    is_over: Arc<AtomicBool>,
    asking: JoinSet<()>,
}

impl Background {
    /// Two who ask for codes and links without a pause, known and unknown: none of those whom a door is asked about, so that
    /// nobody measured finds a limit used up.
    pub(crate) fn start(shop: &Arc<Shop>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut asking = JoinSet::new();
        for asker in 0..2 {
            let (shop, is_over) = (Arc::clone(shop), Arc::clone(&is_over));
            asking.spawn(async move {
                let mut number = asker;
                while !is_over.load(Ordering::Relaxed) {
                    number += 2;
                    let address = 2 * BOTS + number % BOTS;
                    let contact = email(if number % 4 < 2 { OTHERS + number % EACH } else { 20_000 + number % 1_000 });
                    shop.ask(address, RESET, None, &json!({"email": contact})).await;
                    let body = json!({"type": "email_verification", "email": contact});
                    shop.ask(address, SEND, None, &body).await;
                }
            });
        }
        Self { is_over, asking }
    }

    /// Waits for their last answers.
    pub(crate) async fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.asking.join_all().await;
    }
}
