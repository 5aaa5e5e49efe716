//! The way to PostgreSQL cuts, stalls, half-closes, forgets: requests get what they asked for or a clear 503, in time, and when the
//! way is well again so is the server.

use std::time::{Duration, Instant};

use cr_testkit::chaos_proxy::address_of;
use cr_testkit::{ChaosProxy, TestDatabase, Way, WebhookSink};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::customer::{Customer, PASSWORD, code_of_text};
use crate::load::{LONGEST, Load, assert_says_not_now, messages_to};
use crate::program::PATIENCE;
use crate::shop::{Server, Shop};
use crate::wire;

/// How soon a server must be ready once its database can be reached: 5 seconds, which the full form holds it to. A plain run leaves
/// time for a machine that does much else.
pub(crate) fn healed() -> Duration {
    Duration::from_secs(if crate::is_full() { 5 } else { 20 })
}
/// Connections of the pool, by default.
const POOL: usize = 8;

/// A shop whose database is behind a proxy, and whose messages go to one endpoint.
async fn stage() -> (TestDatabase, ChaosProxy, WebhookSink, Shop) {
    let database = TestDatabase::postgres().await;
    let proxy = ChaosProxy::start(address_of(database.url())).await;
    let texts = WebhookSink::start().await;
    let url = proxy.url(database.url());
    let shop = Shop::new(&database, &messages_to(&texts), "").variable("DATABASE_URL", &url);
    (database, proxy, texts, shop)
}

/// Waits until the readiness is this one; how long it took.
pub(crate) async fn ready_becomes(server: &Server, status: u16, within: Duration) -> Duration {
    let begun = Instant::now();
    let becomes = async {
        while server.get("/health/ready", None).await.status != status {
            assert_eq!(server.get("/health", None).await.status, 200, "the process itself is well");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let became = tokio::time::timeout(within, becomes).await;
    became.unwrap_or_else(|_| panic!("not {status} after {within:?}:\n{}", server.program.log()));
    begun.elapsed()
}

/// A customer from the first request to the login.
pub(crate) async fn sign_up(server: &Server, texts: &WebhookSink, email: &'static str, phone: &'static str) {
    let customer = Customer::register(server, email, phone).await;
    let otp = customer.ask_by_text(server).await;
    let came = async {
        loop {
            let found = texts.requests().into_iter().find(|request| request.body.contains(phone));
            if let Some(found) = found {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let text = tokio::time::timeout(PATIENCE, came).await.unwrap();
    customer.verify(server, &otp, &code_of_text(&text)).await;
    customer.log_in(server, json!({"phone": phone, "password": PASSWORD})).await;
}

/// What goes wrong, and for how many milliseconds, each followed by a while in which all is well.
const SHORT: &[(Way, u64)] =
    &[(Way::Cut, 600), (Way::HalfClosed, 600), (Way::ResetInAnswer, 600), (Way::Stalled, 1200), (Way::Lost, 500)];
/// The same for the long run, with waits longer than any limit, repeated.
const LONG: &[(Way, u64)] = &[
    (Way::Cut, 3000),
    (Way::Stalled, 12_000),
    (Way::HalfClosed, 3000),
    (Way::ResetInAnswer, 3000),
    (Way::Lost, 12_000),
    (Way::ResetInAnswer, 300),
    (Way::Cut, 100),
    (Way::Lost, 300),
    (Way::Stalled, 400),
];
/// Milliseconds of being well between two faults.
const BREATH: u64 = 900;

/// A shop must not have to know what its network did: no answer is a 500, nobody waits for ever, nothing is half there, no message
/// is lost.
#[test]
fn a_way_that_goes_wrong_costs_a_clear_503_and_nothing_else() {
    cr_testkit::run(async {
        let (database, proxy, texts, shop) = stage().await;
        let server = shop.serve().await;
        let (_to, to) = watch::channel(vec![server.address]);
        let load = Load::start(6, &to);
        let (plan, rounds) = if crate::is_full() { (LONG, 10) } else { (SHORT, 1) };
        let mut slowest = Duration::ZERO;
        for (way, milliseconds) in plan.iter().cycle().take(plan.len() * rounds) {
            proxy.set(*way);
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            proxy.set(Way::Well);
            slowest = slowest.max(ready_becomes(&server, 200, healed()).await);
            tokio::time::sleep(Duration::from_millis(BREATH)).await;
        }
        let ledger = load.end().await;
        assert!(ledger.customers() > 0, "{}", ledger.told());
        assert_eq!(ledger.cuts(), 0, "the program itself was there all the time: {}", ledger.told());
        sign_up(&server, &texts, "alice@example.com", "+15551234567").await;
        ledger.check(&database, &texts).await;
        println!("way to the database: {}; ready {slowest:.1?} after the last fault at most", ledger.told());
        server.program.stop().await;
    });
}

/// A firewall that forgets its connections sends no reset, so nothing but the server's own deadlines ends the wait; and no place of
/// the pool may be lost to what will never answer.
#[test]
fn connections_that_fell_silent_are_given_up_in_time_and_replaced() {
    cr_testkit::run(async {
        let (database, proxy, texts, shop) = stage().await;
        let server = shop.serve().await;
        sign_up(&server, &texts, "alice@example.com", "+15551234567").await;
        // Every place of the pool is in the middle of a statement when the way falls silent.
        let held = database.hold("lock table provider_identity in exclusive mode").await;
        let mut asked = JoinSet::new();
        for number in 0..2 * POOL {
            let body = json!({"email": format!("visitor{number}@example.com"), "password": PASSWORD}).to_string();
            let address = server.address;
            asked.spawn(async move {
                let begun = Instant::now();
                let answer = wire::exchange(address, "POST", "/auth/customer/emailpass/register", "", &body).await;
                (answer.unwrap(), begun.elapsed())
            });
        }
        let waiting = "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        let full = async {
            let mut connection = database.open().await;
            while connection.rows(&format!("select 1 as n from {waiting}")).await.len() < POOL {}
            connection.close().await;
        };
        tokio::time::timeout(PATIENCE, full).await.unwrap();
        proxy.set(Way::Lost);
        held.commit().await;
        let mut longest = Duration::ZERO;
        while let Some(answer) = asked.join_next().await {
            let (answer, took) = answer.unwrap();
            assert_says_not_now(&answer);
            assert!(took < LONGEST, "{took:?}");
            longest = longest.max(took);
        }
        assert_eq!(server.get("/health/ready", None).await.status, 503);

        proxy.set(Way::Well);
        let healed = ready_becomes(&server, 200, healed()).await;
        sign_up(&server, &texts, "bob@example.com", "+15557654321").await;
        println!("silent connections: given up after {longest:.1?}, ready again after {healed:.1?}");
        server.program.stop().await;
    });
}

/// A deployment must not hang because the network does.
#[test]
fn a_stop_does_not_wait_for_a_database_that_fell_silent() {
    cr_testkit::run(async {
        let (_database, proxy, _texts, shop) = stage().await;
        let server = shop.serve().await;
        proxy.set(Way::Lost);
        ready_becomes(&server, 503, LONGEST).await;
        let begun = Instant::now();
        server.program.stop().await;
        println!("stopped {:.1?} after the signal", begun.elapsed());
    });
}
