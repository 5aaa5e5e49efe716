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
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Runtime;

use crate::shop::{Shop, open_hashing};
use deeds::{Deed, sequences};
use world::World;

/// Sequences on each database: with `INVARIANT_FULL=1` in the environment 10,000, which take half an hour.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration file")]
fn sequences_each() -> u32 {
    if std::env::var_os("INVARIANT_FULL").is_some_and(|value| value == "1") { 10_000 } else { 500 }
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
    let cases = sequences_each();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&(0..shops.len(), sequences()), |(kind, deeds)| {
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

#[test]
fn no_flag_is_true_unproven_on_sqlite() {
    never_true_unproven(async || TestDatabase::sqlite().await);
}

#[test]
fn no_flag_is_true_unproven_on_postgres() {
    never_true_unproven(async || TestDatabase::postgres().await);
}
