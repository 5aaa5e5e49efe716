//! A botnet that makes the shop send: bombing people, and spending its money on text messages.
//!
//! A thousand addresses ask for codes and links to ten thousand numbers and as many e-mails, drawn by dice, for six hours. Every cap
//! is checked twice: each accepted request against every counter that it must have taken, window by window, and each message of the
//! outbox against its channel. A message to nobody takes no money, but its request counts like any other.
//!
//! A plain run draws 8,000 requests; the full one 200,000.

mod kept;
mod ledger;

use std::collections::BTreeMap;
use std::sync::Arc;

use cr_testkit::TestDatabase;
use serde_json::json;

use crate::is_full;
use crate::people::{Standing, analyze, email, fill, id, phone};
use crate::people::{log_in, register};
use crate::shop::{BOTS, CANCEL, Dice, HOME, RESET, SEND, Shop, at_once};
use crate::support::CHEAP;

use self::ledger::{Ledger, Sent, Window, fullest};

/// Phone numbers, and e-mails, that the bots know.
const NUMBERS: u32 = 10_000;
/// Seconds between two moments of the attack.
const TICK: i64 = 30;
const HOURS: i64 = 6;

/// One way to make the shop send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    IdEmail,
    IdPhone,
    Email,
    Phone,
    CancelEmail,
    CancelPhone,
    ResetEmail,
    ResetPhone,
}

impl Way {
    const ALL: [Self; 8] = [
        Self::IdEmail,
        Self::IdPhone,
        Self::Email,
        Self::Phone,
        Self::CancelEmail,
        Self::CancelPhone,
        Self::ResetEmail,
        Self::ResetPhone,
    ];

    /// Path and body of a request about a number.
    fn request(self, number: u32) -> (&'static str, serde_json::Value) {
        match self {
            Self::IdEmail => (SEND, json!({"type": "email_verification", "customer_id": id(number)})),
            Self::IdPhone => (SEND, json!({"type": "phone_verification", "customer_id": id(number)})),
            Self::Email => (SEND, json!({"type": "email_verification", "email": email(number)})),
            Self::Phone => (SEND, json!({"type": "phone_verification", "phone": phone(number)})),
            Self::CancelEmail => (CANCEL, json!({"email": email(number)})),
            Self::CancelPhone => (CANCEL, json!({"phone": phone(number)})),
            Self::ResetEmail => (RESET, json!({"email": email(number)})),
            Self::ResetPhone => (RESET, json!({"phone": phone(number)})),
        }
    }
}

/// Who is behind the numbers: half never proved anything, a hundred are about to leave, nobody has the rest.
async fn populate(database: &TestDatabase) {
    fill(database, 1..=NUMBERS / 2, Standing::Unproven).await;
    fill(database, LEAVING.0..=LEAVING.1, Standing::Leaving).await;
    fill(database, NUMBERS + 1..=NUMBERS + 20, Standing::Unproven).await;
    analyze(database).await;
}

/// The numbers of those who are leaving: the only ones that the bots know whose contacts are proven.
const LEAVING: (u32, u32) = (NUMBERS / 2 + 1, NUMBERS / 2 + 100);

/// A request of a bot.
type Job = (u32, Way, u32);

/// One request of a bot, and the status that it got: let in, over a limit, or 503 from a server that had no connection to spare.
async fn spend(shop: Arc<Shop>, job: Job) -> (Job, u16) {
    let (bot, way, number) = job;
    let (path, body) = way.request(number);
    let answer = shop.ask(bot, path, None, &body).await;
    let status = answer.status.as_u16();
    assert!([200, 201, 429, 503].contains(&status), "{way:?} {number}: {status} {}", answer.text);
    (job, status)
}

cr_testkit::both! {
    /// Nobody is bombed, no address gets more than its share, and no channel costs more than its budget. While the strangers' half
    /// of the text messages is used up, a customer with a proven e-mail still gets a code on their phone: that half is for messages
    /// that the identity itself asks for, where a contact is proven or the account older than the demand.
    async fn a_botnet_spends_no_more_than_the_caps_and_locks_no_customer_out(database: TestDatabase) {
        let shop = Shop::open(&database, CHEAP).await;
        populate(&database).await;
        let (_, honest) = register(&shop, &database, "honest@example.com", "+15559990000").await;
        database.sql(&format!(
            "update customer set email_verified = true where id = '{honest}'; \
             insert into cr_proof (customer_id, channel, value, proven_at) \
             values ('{honest}', 'email', 'honest@example.com', '2026-01-02T03:04:05.678Z')"
        )).await;
        let session = log_in(&shop, "honest@example.com").await;
        let total = if is_full() { 200_000 } else { 8_000 };
        let ticks = HOURS * 3600 / TICK;
        let (dice, mut ledger) = (Dice::seeded(6), Ledger::default());
        let (mut drawn, mut honest_codes, mut unanswered) = (0, 0, 0);
        for tick in 1..=ticks {
            let due = total * tick / ticks;
            let jobs: Vec<Job> = (drawn..due)
                .map(|_| (dice.below(BOTS), dice.pick(&Way::ALL), 1 + dice.below(NUMBERS)))
                .collect();
            drawn = due;
            for ((bot, way, number), status) in at_once(8, jobs, |job| spend(Arc::clone(&shop), job)).await {
                match status {
                    429 => {}
                    503 => unanswered += 1,
                    _ => ledger.note(shop.now(), bot, way, number),
                }
            }
            if tick % (3600 / TICK) == 3600 / TICK - 1 {
                // Somebody fresh, from a fresh address: refused for nothing but the budget.
                let fresh = NUMBERS + 1 + u32::try_from(tick).unwrap() % 20;
                let (_, status) = spend(Arc::clone(&shop), (BOTS + fresh, Way::IdPhone, fresh)).await;
                assert_eq!(status, 429, "strangers are still sent text messages at tick {tick}");
                let body = json!({"type": "phone_verification", "customer_id": honest});
                let sent = shop.ask(HOME, SEND, Some(&session), &body).await;
                assert_eq!(sent.status.as_u16(), 200, "{}", sent.text);
                honest_codes += 1;
            }
            shop.clock.advance_seconds(TICK);
        }
        ledger.check_counters();
        assert!(unanswered <= drawn / 100, "{unanswered} of {drawn} had no answer: those say nothing about limits");

        let sent = ledger::sent(&shop, &database).await;
        let to_honest = sent.iter().filter(|message| message.to == "+15559990000").count();
        assert_eq!(to_honest, honest_codes, "codes of the honest customer");
        let is_trusted = |message: &Sent| message.receiver == honest;
        let mut told = String::new();
        for (channel, budget) in [("email", 3_000), ("sms", 300)] {
            let on = || sent.iter().filter(|message| message.channel == channel);
            let whole = fullest(on().map(|message| message.at), 3600);
            let open = fullest(on().filter(|message| !is_trusted(message)).map(|message| message.at), 3600);
            assert!(whole <= budget && open <= budget / 2, "{channel}: {whole} an hour, {open} of them to strangers");
            told.push_str(&format!("{} by {channel} ({whole} in the fullest hour, {open} open); ", on().count()));
        }
        let mut by_contact: BTreeMap<(&str, bool), Vec<i64>> = BTreeMap::new();
        for message in &sent {
            by_contact.entry((&message.to, message.is_reset)).or_default().push(message.at);
        }
        let most = |resets: bool| by_contact.iter().filter(|((_, it), _)| *it == resets).map(|(_, times)| times.len()).max();
        // By the id and by the contact, ten a day each; links five an hour, and six hours touch seven windows.
        let (codes, links) = (most(false).unwrap_or(0), most(true).unwrap_or(0));
        assert!(codes <= 20 && links <= 35, "{codes} codes and {links} links to one contact");
        println!(
            "spending, {} replicas, {drawn} requests in {HOURS} h, {} let in: {told}one contact got {codes} codes and {links} links at \
             most; the honest customer got {honest_codes} of {honest_codes}",
            shop.replicas(), ledger.let_in(),
        );
    }
}

/// The caps of an accepted request by their defaults: name, who is counted, window and count.
pub(crate) fn caps(bot: u32, way: Way, number: u32) -> Vec<Window> {
    let window = |name, subject: String, seconds, count| Window { name, subject, seconds, count };
    let mut caps = vec![window("sendsPerAddress", bot.to_string(), 3600, 30)];
    let (group, purpose) = match way {
        Way::ResetEmail | Way::ResetPhone => {
            caps.push(window("resets", format!("{way:?} {number}"), 3600, 5));
            return caps;
        }
        Way::IdEmail => ("id and email", "verification"),
        Way::IdPhone => ("id and phone", "verification"),
        Way::Email => ("email", "verification"),
        Way::Phone => ("phone", "verification"),
        Way::CancelEmail => ("email", "cancellation"),
        Way::CancelPhone => ("phone", "cancellation"),
    };
    if purpose == "cancellation" {
        caps.push(window("cancelRequestsPerAddress", bot.to_string(), 900, 5));
    }
    let (subject, destination) = (format!("{group} {number} {purpose}"), format!("{group} {number}"));
    caps.push(window("resendThrottleSeconds", subject.clone(), 90, 1));
    caps.push(window("sendsPerSubject", subject, 3600, 5));
    caps.push(window("sendsPerDestination", destination.clone(), 3600, 5));
    caps.push(window("sendsPerDestination", destination, 86_400, 10));
    caps
}
