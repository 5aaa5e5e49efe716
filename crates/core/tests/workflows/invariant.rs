//! A true flag whose value nobody proved never comes about, whatever people do in whatever order: random sequences of what the
//! routes run, judged by a second opinion that knows nothing of proofs and flags, only of who held which message in their hands.
//!
//! The deeds are the workflows that the routes call, with the inputs and behind the guard that the routes have.

mod deeds;
mod world;

use std::cell::{Cell, RefCell};

use cr_core::options::Identifier;
use cr_core::password::HashParams;
use cr_testkit::TestDatabase;
use cr_testkit::connection::TestConnection;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::Runtime;

use crate::shop::{Shop, open_hashing};
use deeds::{Deed, sequences};
use world::World;

/// What goes through the sequences of one database. Plain: 500, the same ones in every run, so that a commit that has passed passes again.
/// With `INVARIANT_FULL=1` in the environment: 10,000 that nobody has seen before, which take half an hour.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration file")]
fn runner() -> (TestRunner, u32) {
    let is_full = std::env::var_os("INVARIANT_FULL").is_some_and(|value| value == "1");
    let cases = if is_full { 10_000 } else { 500 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    if is_full {
        return (TestRunner::new(config), cases);
    }
    (TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)), cases)
}

/// The cheapest hashes that a login takes: no sequence is about them.
const CHEAPEST: HashParams = HashParams { log_n: 10, r: 1, p: 1 };

/// What a shop asks of its customers.
const SHOPS: [(Identifier, bool); 4] =
    [(Identifier::Email, true), (Identifier::Phone, true), (Identifier::Both, true), (Identifier::Both, false)];

/// One shop of each kind.
async fn open(database: impl AsyncFn() -> TestDatabase) -> Vec<Shop> {
    let mut shops = Vec::new();
    for (identifier, require_verification) in SHOPS {
        let shop = open_hashing(database().await, CHEAPEST, |options| {
            options.registration_identifier = identifier;
            options.require_verification = require_verification;
        });
        shops.push(shop.await);
    }
    shops
}

/// Goes through one sequence, among people whom no other sequence knows.
async fn go_through(
    shop: &Shop,
    connection: &mut TestConnection,
    number: u32,
    deeds: &[Deed],
) -> Result<(), TestCaseError> {
    let mut world = World::new(shop, connection, number);
    for (position, deed) in deeds.iter().enumerate() {
        world.begin().await;
        deed.run(&mut world).await;
        world
            .judge()
            .await
            .map_err(|wrong| TestCaseError::fail(format!("after deed {position}, {deed:?}: {wrong}")))?;
    }
    Ok(())
}

/// All sequences on one kind of database. A failing one is made shorter, and printed.
fn never_true_unproven(database: impl AsyncFn() -> TestDatabase) {
    let runtime = Runtime::new().unwrap();
    let shops = runtime.block_on(open(database));
    let mut connections = Vec::new();
    for shop in &shops {
        connections.push(RefCell::new(runtime.block_on(shop.database.open())));
    }
    let number = Cell::new(0);
    let (mut runner, cases) = runner();
    let outcome = runner.run(&(0..shops.len(), sequences()), |(kind, deeds)| {
        number.set(number.get() + 1);
        let mut connection = connections[kind].borrow_mut();
        runtime.block_on(go_through(&shops[kind], &mut connection, number.get(), &deeds))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert_eq!(number.get(), cases);
    let proven = runtime.block_on(async {
        let mut proven = 0;
        for shop in &shops {
            proven += shop.count("cr_proof").await;
        }
        proven
    });
    assert!(proven > i64::from(cases / 10), "the sequences must get somewhere: {proven} proofs");
}

/// One sequence that was drawn once and failed, in the shop that registers e-mails.
async fn again(database: impl AsyncFn() -> TestDatabase, deeds: &[Deed]) {
    let shops = open(database).await;
    let mut connection = shops[0].database.open().await;
    go_through(&shops[0], &mut connection, 1, deeds).await.unwrap();
    assert_eq!(shops[0].count("cr_proof").await, 1, "the reset proves");
}

/// The link was sent to a registration, and read when the registration was a customer.
const RESET_OF_A_REGISTRATION: [Deed; 4] = [
    Deed::Register { person: 0, contact: 0 },
    Deed::RequestReset { channel: 0, contact: 0 },
    Deed::Create { person: 0, email: 0, phone: 0 },
    Deed::CompleteReset { letter: 0 },
];

#[tokio::test]
async fn a_link_to_a_registration_proves_for_its_customer_on_sqlite() {
    again(async || TestDatabase::sqlite().await, &RESET_OF_A_REGISTRATION).await;
}

#[tokio::test]
async fn a_link_to_a_registration_proves_for_its_customer_on_postgres() {
    again(async || TestDatabase::postgres().await, &RESET_OF_A_REGISTRATION).await;
}

#[test]
fn no_flag_is_true_unproven_on_sqlite() {
    never_true_unproven(async || TestDatabase::sqlite().await);
}

#[test]
fn no_flag_is_true_unproven_on_postgres() {
    never_true_unproven(async || TestDatabase::postgres().await);
}
