//! A botnet that knows a few customers in good standing, and has links sent to them: five each within an hour to sixty numbers would
//! be all 300 text messages. Half of them is for customers with a session; a reset names a contact and shows nothing.

use std::sync::Arc;

use serde_json::json;

use crate::people::{Standing, fill, log_in, phone, prove, register};
use crate::shop::{BOTS, Dice, HOME, RESET, SEND, Shop, at_once};
use crate::support::CHEAP;

/// Customers whose numbers the bots know.
const KNOWN: u32 = 60;

cr_testkit::both! {
    /// What a stranger asks for must not use up what is kept for customers who ask for themselves.
    async fn resets_that_strangers_ask_for_leave_a_customer_their_code(database: TestDatabase) {
        let shop = Shop::open(&database, CHEAP).await;
        fill(&database, 1..=KNOWN, Standing::Proven).await;
        let (_, honest) = register(&shop, &database, "honest@example.com", "+15559990000").await;
        prove(&database, &honest, "honest@example.com", "+15559990000").await;
        let session = log_in(&shop, "honest@example.com").await;
        let dice = Dice::seeded(7);
        let jobs = (0..5).flat_map(|_| 1..=KNOWN).map(|number| (dice.below(BOTS), number)).collect();
        let sent = at_once(8, jobs, |(bot, number)| {
            let shop = Arc::clone(&shop);
            async move { shop.ask(bot, RESET, None, &json!({"phone": phone(number)})).await.status.as_u16() }
        });
        let sent = sent.await.into_iter().filter(|status| *status == 201).count();
        let body = json!({"type": "phone_verification", "customer_id": honest});
        database.sql(&format!("update customer set phone_verified = false where id = '{honest}'")).await;
        let code = shop.ask(HOME, SEND, Some(&session), &body).await;
        println!(
            "spending by {KNOWN} known numbers, {} replicas: {sent} links were sent at once; the honest customer's code: {}",
            shop.replicas(), code.status,
        );
        assert_eq!((sent, code.status.as_u16()), (150, 200), "{}", code.text);
        // Nor does a link that still goes out tell who is in good standing.
        for asked in ["+15559990000", "+15550001111"] {
            let link = shop.ask(HOME, RESET, None, &json!({"phone": asked})).await;
            assert_eq!(link.status.as_u16(), 429, "{asked}: {}", link.text);
        }
    }
}
