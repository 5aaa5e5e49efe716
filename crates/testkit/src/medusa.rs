//! Databases that somebody else made: Medusa's own, and Medusa's on which some of the Node plugin's migrations ran.

use crate::database::TestDatabase;

const MEDUSA: &str = include_str!("../fixtures/medusa.sql");

/// How far the Node plugin came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The first of its migrations alone: codes, with a purpose that was taken back later.
    First,
    /// Codes, flags and requests, with checks that know fewer values than the last ones.
    Middle,
    /// All seven migrations.
    Whole,
    /// Other types, rules and names than Medusa's generator writes.
    Odd,
}

impl Stage {
    /// Every one of them.
    pub const ALL: [Self; 4] = [Self::First, Self::Middle, Self::Whole, Self::Odd];

    /// Its statements, to be run in Medusa's database.
    fn sql(self) -> &'static str {
        match self {
            Self::First => include_str!("../fixtures/plugin_first.sql"),
            Self::Middle => include_str!("../fixtures/plugin_middle.sql"),
            Self::Whole => include_str!("../fixtures/plugin_whole.sql"),
            Self::Odd => include_str!("../fixtures/plugin_odd.sql"),
        }
    }
}

/// A PostgreSQL database as Medusa 2.11.2 leaves it, with a shop's rows; ours has not run.
pub async fn medusa_database() -> TestDatabase {
    let database = TestDatabase::empty_postgres().await;
    database.sql(MEDUSA).await;
    database
}

/// The same after some of the Node plugin's migrations, with rows of its.
pub async fn plugin_database(stage: Stage) -> TestDatabase {
    let database = medusa_database().await;
    add_plugin(&database, stage).await;
    database
}

/// Runs the Node plugin's migrations on a database of Medusa's, with rows of its for customers `cus_alice`, `cus_bob` and others.
pub async fn add_plugin(database: &TestDatabase, stage: Stage) {
    database.sql(stage.sql()).await;
}
