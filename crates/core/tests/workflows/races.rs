//! Many at once: what must happen once happens once, and guesses are counted whatever their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cr_core::app::App;
use cr_core::error::{Error, ErrorKind};
use cr_core::modules::auth::login_failures;
use cr_core::options::{ContactType, Rate};
use cr_core::workflows::{create_customer, login, register, verify_otp};
use cr_testkit::seeded;
use serde_json::json;
use tokio::task::JoinSet;

use crate::shop::{Shop, assert_refused, credentials, customer, guess, open, open_with, registration};

/// How many tasks run at once: more than connections, so that they queue as well.
const TASKS: usize = 50;

/// Runs `make(0)` to `make(count - 1)` on [`TASKS`] tasks; the results in no order.
pub(crate) async fn at_once<T, R>(
    shop: &Shop,
    count: usize,
    make: impl Fn(App, usize) -> R + Send + Sync + 'static,
) -> Vec<Result<T, Error>>
where
    T: Send + 'static,
    R: Future<Output = Result<T, Error>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let make = Arc::new(make);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS.min(count) {
        let (next, make, app) = (Arc::clone(&next), Arc::clone(&make), shop.app.clone());
        tasks.spawn(async move {
            let mut results = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= count {
                    return results;
                }
                results.push(make(app.clone(), number).await);
            }
        });
    }
    let mut results = Vec::with_capacity(count);
    while let Some(task) = tasks.join_next().await {
        results.extend(task.unwrap());
    }
    results
}

/// Those that went well.
pub(crate) fn winners<T>(results: &[Result<T, Error>]) -> usize {
    results.iter().filter(|result| result.is_ok()).count()
}

/// How many were refused with this sentence.
pub(crate) fn refused<T>(results: &[Result<T, Error>], message: &str) -> usize {
    results.iter().filter(|result| result.as_ref().is_err_and(|error| error.message == message)).count()
}

/// Wrong and right codes in an order of chance.
fn shuffled(code: &str, wrong: usize, right: usize, seed: u64) -> Vec<String> {
    let mut codes: Vec<String> = (0..wrong)
        .map(|number| format!("{:06}", number % 1_000_000))
        .map(|text| if text == code { "x".to_owned() } else { text })
        .chain(std::iter::repeat_n(code.to_owned(), right))
        .collect();
    let rng = seeded(seed);
    for last in (1..codes.len()).rev() {
        let mut bytes = [0; 8];
        rng.fill(&mut bytes);
        let other = usize::try_from(u64::from_le_bytes(bytes)).unwrap() % (last + 1);
        codes.swap(last, other);
    }
    codes
}

/// Throws the codes at one OTP that takes `max` guesses; checks what must hold whoever is first. Gives the successes.
async fn throw(shop: &Shop, email: &str, max: usize, codes: impl FnOnce(&str) -> Vec<String>) -> usize {
    let (claims, id) = shop.account(email, None).await;
    let (token, code) = shop.code(&claims, &id, ContactType::Email).await;
    let codes = codes(&code);
    let results = at_once(shop, codes.len(), move |app, number| {
        let input = guess(&token, &codes[number], None);
        async move { verify_otp::run(&app, input).await }
    })
    .await;
    let compared = refused(&results, "Invalid OTP code");
    let locked = refused(&results, "Too many attempts. Request a new code.");
    let late = refused(&results, "OTP is no longer valid");
    let successes = winners(&results);
    assert_eq!(
        compared + locked + late + successes,
        results.len(),
        "every answer is one of these: {results:?}",
        results = results.iter().filter_map(|it| it.as_ref().err()).take(5).collect::<Vec<_>>()
    );
    let attempts = shop.value(&format!("select attempts from otp_verification where customer_id = '{id}'")).await;
    let attempts = usize::try_from(attempts.as_i64().unwrap()).unwrap();
    assert!(
        compared + successes <= attempts && attempts <= max,
        "{compared} wrong and {successes} right of {attempts}"
    );
    if successes == 0 {
        assert_eq!((attempts, compared, late), (max, max, 0), "the whole of maxAttempts is used and no more");
    }
    assert!(successes <= 1);
    successes
}

cr_testkit::both! {
    /// If this fails, somebody can guess a code by asking fast enough.
    async fn ten_thousand_guesses_get_max_attempts_tries(database: TestDatabase) {
        let shop = open_with(database, |options| options.max_attempts = 5).await;
        throw(&shop, "ann@shop.test", 5, |code| shuffled(code, 10_000, 100, 1)).await;
    }

    /// Many small crowds, so that the right code is among the first guesses in some of them and not in others.
    async fn among_wrong_guesses_a_right_one_wins_at_most_once(database: TestDatabase) {
        let shop = open_with(database, |options| options.max_attempts = 5).await;
        let mut successes = 0;
        for round in 0..12 {
            let email = format!("ann{round}@shop.test");
            successes += throw(&shop, &email, 5, |code| shuffled(code, 20, 5, round)).await;
        }
        assert!(successes >= 1, "the right code is never among the first guesses");
    }

    async fn a_hundred_right_guesses_are_one_success(database: TestDatabase) {
        let shop = open(database).await;
        assert_eq!(throw(&shop, "ann@shop.test", 20, |code| vec![code.to_owned(); 100]).await, 1);
        assert_eq!(shop.count("cr_proof").await, 1);
    }

    async fn one_registration_makes_one_customer(database: TestDatabase) {
        let shop = open(database).await;
        let claims = shop.register(ContactType::Email, "ann@shop.test").await;
        let results = at_once(&shop, 20, move |app, _| {
            let input = customer(&claims, Some("ann@shop.test"), None);
            async move { create_customer::run(&app, input).await }
        })
        .await;
        assert_eq!(winners(&results), 1);
        assert_eq!(refused(&results, "Customer with this email already has an account"), 19);
        assert_eq!(shop.count("customer").await, 1);
    }

    /// Whoever wins, one credential is left and its token is the one that makes a customer.
    async fn of_registrations_of_one_email_one_is_left(database: TestDatabase) {
        let shop = open(database).await;
        for round in 0..5 {
            let email = format!("ann{round}@shop.test");
            let of_all = email.clone();
            let results = at_once(&shop, 8, move |app, _| {
                let input = registration(ContactType::Email, &of_all);
                async move { register::run(&app, input).await }
            })
            .await;
            let won = winners(&results);
            let lost = results.iter().filter_map(|result| result.as_ref().err());
            for error in lost {
                assert!(matches!(error.kind, ErrorKind::Duplicate | ErrorKind::Conflict), "{error:?}");
            }
            assert!(won >= 1);
            let mut made = 0;
            for result in results.into_iter().flatten() {
                let claims = shop.read(&result.token);
                made += usize::from(create_customer::run(&shop.app, customer(&claims, Some(&email), None)).await.is_ok());
            }
            assert_eq!(made, 1);
        }
        assert_eq!((shop.count("auth_identity").await, shop.count("provider_identity").await), (5, 5));
    }

    async fn a_number_proven_by_two_at_once_is_one_customers(database: TestDatabase) {
        let shop = open(database).await;
        for round in 0..6 {
            let phone = format!("+1555123456{round}");
            let mut guesses = Vec::new();
            for name in ["ann", "bob"] {
                let (claims, id) = shop.account(&format!("{name}{round}@shop.test"), Some(&phone)).await;
                let (token, code) = shop.code(&claims, &id, ContactType::Phone).await;
                guesses.push((token, code, claims));
            }
            let results = at_once(&shop, 2, move |app, number| {
                let (token, code, claims) = &guesses[number];
                let input = guess(token, code, Some(claims));
                async move { verify_otp::run(&app, input).await }
            })
            .await;
            assert_eq!(winners(&results), 1);
            let loser = results.into_iter().find(Result::is_err).unwrap();
            assert_refused(loser, ErrorKind::Duplicate, "Customer with this phone already has an account");
            for from in ["cr_proof where value", "provider_identity where entity_id", "customer where phone_verified and phone"] {
                assert_eq!(shop.count(&format!("{from} = '{phone}'")).await, 1, "{from}");
            }
        }
        assert_eq!(shop.database.rows("select distinct provider from provider_identity where entity_id like '+%'").await, [json!({"provider": "phonepass"})]);
    }

    async fn fifty_good_logins_at_once_all_pass(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account("ann@shop.test", None).await;
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        let before = shop.database.dump(&["cr_limit"]).await;
        let results = at_once(&shop, 50, |app, number| {
            let address = Some(format!("192.0.2.{number}"));
            let input = login::Input { address, ..credentials(ContactType::Email, "ann@shop.test") };
            async move { login::run(&app, input).await }
        })
        .await;
        assert_eq!(winners(&results), 50, "{:?}", results.iter().find_map(|result| result.as_ref().err()));
        assert_eq!(shop.database.dump(&["cr_limit"]).await, before);
    }
    /// Failures are used up: of fifty guesses that come at once one is judged; one that was not judged leaves the opening as it was.
    async fn an_opening_of_a_shut_login_is_for_one(database: TestDatabase) {
        let shop = open_with(database, |options| {
            options.limits.login_failures = vec![Rate { count: 2, seconds: 86_400 }, Rate { count: 2, seconds: 3600 }];
        })
        .await;
        for _ in 0..2 {
            let attempt = login_failures::check(&shop.app, "ann", None, shop.now()).await.unwrap();
            login_failures::count(&shop.app, &attempt, shop.now()).await.unwrap();
        }
        shop.clock.advance_seconds(1);
        let now = shop.now();
        for _ in 0..2 {
            let before = shop.database.rows("select key, count from cr_limit order by key").await;
            let results =
                at_once(&shop, 50, move |app, _| async move { login_failures::check(&app, "ann", None, now).await }).await;
            let attempts: Vec<_> = results.into_iter().filter_map(Result::ok).collect();
            assert_eq!(attempts.len(), 1);
            login_failures::release(&shop.app, &attempts[0], now).await.unwrap();
            assert_eq!(shop.database.rows("select key, count from cr_limit order by key").await, before);
        }
        let attempt = login_failures::check(&shop.app, "ann", None, now).await.unwrap();
        login_failures::count(&shop.app, &attempt, now).await.unwrap();
        let counts = shop.database.rows("select distinct count from cr_limit").await;
        assert_eq!(counts, [json!({"count": 3})], "a claimed opening is counted once");
        shop.clock.advance_seconds(1);
        assert!(login_failures::check(&shop.app, "ann", None, shop.now()).await.is_err(), "the delay has doubled");
    }
}
