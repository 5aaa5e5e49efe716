//! A botnet against the codes of a whole shop: ten thousand customers who have proven nothing, so that a stranger can have a code sent
//! to each. What bounds it is money: half of each channel's budget is all that strangers get sent.
//!
//! A plain run is one hour with guesses at every tenth code; the full one is a day with guesses at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::is_full;
use crate::people::{Standing, analyze, email, fill, id, phone};
use crate::shop::{BOTS, Dice, SEND, Shop, VERIFY, at_once, success_percent};
use crate::support::CHEAP;

const CUSTOMERS: u32 = 10_000;
/// What strangers get of `sendsPerChannel` within an hour.
const OPEN: [(&str, usize); 2] = [("email", 1_500), ("sms", 150)];
/// Tries at one code.
const TRIES: usize = 5;

/// A code that a bot asks for, and what came of it.
#[derive(Clone)]
struct Job {
    bot: u32,
    body: Value,
    guesses: bool,
}

/// Asks for a code, and guesses until no try is left: for whom, whether it was sent, and the guesses that were compared.
async fn attack(shop: Arc<Shop>, job: Job) -> (String, bool, usize) {
    let subject = job.body.to_string();
    let sent = shop.ask(job.bot, SEND, None, &job.body).await;
    if sent.status.as_u16() != 200 {
        assert_eq!(sent.status.as_u16(), 429, "{}", sent.text);
        return (subject, false, 0);
    }
    let mut compared = 0;
    if job.guesses {
        let token = sent.field("/token");
        while compared <= TRIES && shop.guess(job.bot, VERIFY, None, &token).await {
            compared += 1;
        }
    }
    (subject, true, compared)
}

/// A request for a code of anybody on a channel, by one of the two ways.
fn request(dice: &Dice, channel: &str) -> Value {
    let number = 1 + dice.below(CUSTOMERS);
    match (channel, dice.below(2)) {
        ("email", 0) => json!({"type": "email_verification", "customer_id": id(number)}),
        ("email", _) => json!({"type": "email_verification", "email": email(number)}),
        (_, 0) => json!({"type": "phone_verification", "customer_id": id(number)}),
        _ => json!({"type": "phone_verification", "phone": phone(number)}),
    }
}

cr_testkit::both! {
    /// Guessing a little everywhere gets as many codes as strangers may be sent, and five guesses at each; no customer's share grows
    /// with the number of addresses or of servers.
    async fn a_shop_is_guessed_at_as_often_as_its_budget_of_messages_allows(database: TestDatabase) {
        let shop = Shop::open(&database, CHEAP).await;
        fill(&database, 1..=CUSTOMERS, Standing::Unproven).await;
        analyze(&database).await;
        let dice = Dice::seeded(4);
        let hours = if is_full() { 24 } else { 1 };
        let mut requests = 0;
        // All within one window of `wrongCodes`: the guesses that were compared, for each subject.
        let mut compared: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..hours {
            for (channel, open) in OPEN {
                let mut sent = 0;
                // Bots that were refused for another reason try elsewhere, until nothing goes out any more.
                loop {
                    let jobs: Vec<Job> = (0..100)
                        .map(|number| Job {
                            bot: dice.below(BOTS),
                            body: request(&dice, channel),
                            guesses: is_full() || number % 10 == 0,
                        })
                        .collect();
                    let done = at_once(8, jobs, |job| attack(Arc::clone(&shop), job)).await;
                    requests += done.iter().map(|(.., guesses)| 1 + guesses).sum::<usize>();
                    let went_out = done.iter().filter(|(_, was_sent, _)| *was_sent).count();
                    for (subject, _, guesses) in done {
                        *compared.entry(subject).or_default() += guesses;
                    }
                    sent += went_out;
                    if went_out == 0 {
                        break;
                    }
                }
                assert_eq!(sent, open, "{channel}");
            }
            shop.clock.advance_seconds(3600);
        }
        let most = database.rows("select max(count) as most from cr_limit where key like 'wrongCodes:%'").await;
        assert!(most[0]["most"].as_i64().unwrap() <= 20, "{most:?}");
        let codes = hours * OPEN.iter().map(|(_, open)| open).sum::<usize>();
        let hardest = compared.values().copied().max().unwrap();
        let compared: usize = compared.values().sum();
        assert!(compared <= codes * TRIES && hardest <= 20, "{compared}, {hardest}");
        println!(
            "codes of {CUSTOMERS} unverified customers, {} replicas, {hours} h, {requests} requests: {codes} codes, {compared} guesses \
             count, {hardest} at most for one subject (all: {}), one of them right {:.2} %, any one customer {:.6} %",
            shop.replicas(), codes * TRIES, success_percent(codes * TRIES),
            success_percent(codes * TRIES) / f64::from(CUSTOMERS),
        );
    }
}
