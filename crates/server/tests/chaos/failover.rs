//! The machine of the database dies under load and its standby takes over: what was answered 200 is there.

use std::time::Instant;

use cr_testkit::{ChaosProxy, PostgresPair, WebhookSink};
use tokio::sync::watch;

use crate::load::{Load, messages_to};
use crate::network::{healed, ready_becomes, sign_up};
use crate::program::PATIENCE;
use crate::shop::Shop;

/// Customers who must have gone through before the primary dies, and as many after it.
const BEFORE: usize = 4;

/// The address of the database moves to the standby, as a virtual address or a name does. A commit is answered once the standby has it,
/// so nothing that a customer was told is lost with the primary; and nobody restarts the server.
#[test]
fn what_was_answered_outlives_the_primary() {
    let rounds = if crate::is_full() { 10 } else { 1 };
    for round in 0..rounds {
        cr_testkit::run(async {
            let pair = PostgresPair::start().await;
            let database = pair.standby_database();
            let proxy = ChaosProxy::start(pair.primary()).await;
            let texts = WebhookSink::start().await;
            let url = proxy.url(&pair.primary_url());
            let shop = Shop::new(&database, &messages_to(&texts), "").variable("DATABASE_URL", &url);
            let server = shop.serve().await;
            let (_to, to) = watch::channel(vec![server.address]);
            let load = Load::start(6, &to);
            load.through(BEFORE).await;

            pair.kill_primary();
            ready_becomes(&server, 503, PATIENCE).await;
            pair.promote();
            proxy.lead_to(pair.standby());
            let moved = Instant::now();
            ready_becomes(&server, 200, healed()).await;
            let healed = moved.elapsed();
            load.through(load.ledger.customers() + BEFORE).await;
            let ledger = load.end().await;
            sign_up(&server, &texts, "alice@example.com", "+15551234567").await;
            ledger.check(&database, &texts).await;
            println!("failover {round}: {}; ready {healed:.1?} after the standby took over", ledger.told());
            server.program.stop().await;
        });
    }
}
