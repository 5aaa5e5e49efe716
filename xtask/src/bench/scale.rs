//! The same requests on a shop with a few thousand customers and on one with millions: what the number of customers costs.
//!
//! Each request is for another customer, and neighbours in time are far apart in the tables. As many of the many are asked for as the
//! small shop has, unless more are wanted. Both servers run all the time, and take turns round by round; what one has still to deliver
//! is delivered before it is the other's turn.

mod side;

use anyhow::{Context, Result};

use self::side::{Administrator, Side, Who};
use super::Bench;
use super::load::Round;
use super::postgres::Server;
use super::report::{Goal, ratio};

/// Customers of the small shop: of every second of those with an unproven phone a code of a round comes back.
const FEW: u32 = 4000;
/// Connections that ask at once: fewer than elsewhere, since in the small shop forty customers are about to leave, and two requests for
/// the same one wait for each other.
pub(super) const CONNECTIONS: usize = 8;
/// More customers than can be asked for in a measurement, and than the small shop has.
const MANY_PEOPLE: usize = 50_000;
/// How much longer a request may take in the large shop.
const GOAL: Goal = Goal::AtMost(1.2);

/// How large the large shops are.
pub(super) struct Scale {
    /// Customers on PostgreSQL.
    pub(super) postgresql: u32,
    /// Customers on SQLite.
    pub(super) sqlite: u32,
    /// The most customers of one kind that are asked for in the large shop before the first has another turn; `None`: as many as the
    /// small shop has.
    pub(super) people: Option<usize>,
    /// The large shop's pages are not brought into memory first: each customer is read from the disk.
    pub(super) is_cold: bool,
    /// Databases that `cargo xtask seed` has filled with so many already, one of each kind at most; another is filled now.
    pub(super) seeded: Vec<String>,
}

impl Default for Scale {
    fn default() -> Self {
        Self { postgresql: 10_000_000, sqlite: 1_000_000, people: None, is_cold: false, seeded: Vec::new() }
    }
}

impl Scale {
    /// The filled database whose address begins like this.
    pub(super) fn find_seeded(&self, scheme: &str) -> Option<String> {
        self.seeded.iter().find(|url| url.starts_with(scheme)).cloned()
    }
}

/// One kind of request.
pub(super) struct Route {
    name: &'static str,
    who: Who,
    make: fn(&side::Person) -> Vec<u8>,
    /// Whether each leaves a message.
    sends: bool,
}

/// What each customer is asked for, reads first: messages of what writes are delivered while it goes on.
const ROUTES: [Route; 7] = [
    Route { name: "GET /store/customers/me", who: Who::Active, make: side::me, sends: false },
    Route { name: "GET /store/my-referrals", who: Who::Referrers, make: side::my_referrals, sends: false },
    Route { name: "POST /auth/token/refresh", who: Who::Active, make: side::refresh, sends: false },
    Route { name: "POST /auth/customer/emailpass", who: Who::Active, make: side::login, sends: false },
    Route { name: "POST …/emailpass/reset-password", who: Who::Active, make: side::reset, sends: true },
    Route { name: "POST …/account-deletion/cancel-request", who: Who::Leaving, make: side::cancel, sends: true },
    Route { name: "POST /store/customers/otp/send", who: Who::UnprovenPhone, make: side::send, sends: true },
];

/// Both databases.
///
/// # Errors
/// When a database cannot be filled, or a measurement fails.
pub(super) async fn measure(bench: &mut Bench) -> Result<()> {
    // As PostgreSQL's documentation has it for a server with a machine of its own, and checkpoints by the clock.
    let buffers = format!("shared_buffers={}MB", (bench.machine.memory_gib * 1024 / 4).max(128));
    let settings = ["-c", &buffers, "-c", "max_wal_size=8GB"];
    let server = Server::start(&bench.helpers.join("examples"), bench.settings.postgres.as_deref(), &settings)?;
    let (few, many) = (server.lend()?, server.lend()?);
    let seeded = bench.settings.scale.find_seeded("postgres");
    compare(bench, "PostgreSQL", &few.about, (&few.url, &many.url), seeded).await?;
    // What PostgreSQL holds goes before SQLite needs room.
    drop((few, many, server));
    let file = |name: &str| format!("sqlite://{}?mode=rwc", bench.scratch.join(name).display());
    let (few, many) = (file("few.db"), file("many.db"));
    let seeded = bench.settings.scale.find_seeded("sqlite:");
    compare(bench, "SQLite", "WAL, synchronous full", (&few, &many), seeded).await
}

/// Every route on one kind of database. `urls` are two empty ones.
async fn compare(bench: &mut Bench, name: &str, about: &str, urls: (&str, &str), seeded: Option<String>) -> Result<()> {
    let scale = &bench.settings.scale;
    let customers = if name == "SQLite" { scale.sqlite } else { scale.postgresql };
    bench.report.section(&format!(
        "{name}, {about}: {customers} customers beside {FEW}; passwords by scrypt N = 2^15, r = 8, p = 1"
    ));
    side::seed(bench, urls.0, FEW)?;
    let many = if let Some(url) = seeded {
        bench.report.note("large shop", "filled before");
        url
    } else {
        let said = side::seed(bench, urls.1, customers)?;
        bench.report.note("large shop filled", &said);
        urls.1.to_owned()
    };
    if bench.settings.scale.is_cold {
        bench.report.note("large shop", "read from the disk as it is asked for");
    } else {
        let said = side::warm(bench, &many)?;
        bench.report.note("large shop brought into memory", &said);
    }
    let few = Side::open(bench, urls.0, FEW).await?;
    // The first start of an older database migrates it.
    drop(Side::open(bench, &many, customers).await?);
    let many = Side::open(bench, &many, customers).await?;
    for side in [&few, &many] {
        let name = format!("start to first answer, {} customers", side.customers);
        bench.report.note(&name, &format!("{:.0} ms", side.start_millis()));
    }
    for route in &ROUTES {
        let people = pair(bench, route.who, (&few, &many))?;
        let requests = (side::requests(&people.0, route), side::requests(&people.1, route));
        turns(bench, name, route.name, (&few, &requests.0), (&many, &requests.1)).await?;
    }
    let requests = (Administrator::of(&few).await?.list(), Administrator::of(&many).await?.list());
    let list = "GET /admin/account-deletion-requests";
    turns(bench, name, list, (&few, &requests.0), (&many, &requests.1)).await?;
    verifications(bench, name, &few, &many).await
}

/// The customers of one kind who are asked for in either shop.
fn pair(bench: &Bench, who: Who, (few, many): (&Side, &Side)) -> Result<(Vec<side::Person>, Vec<side::Person>)> {
    let scale = &bench.settings.scale;
    let of_few = few.people(bench, who, MANY_PEOPLE)?;
    // Who is read from the disk once is in memory, so more are needed where that is the question.
    let most = scale.people.unwrap_or(if scale.is_cold { MANY_PEOPLE } else { of_few.len() });
    let of_many = many.people(bench, who, most)?;
    Ok((of_few, of_many))
}

/// One kind of request on both, in turns, after a round that is not counted.
async fn turns(
    bench: &mut Bench,
    database: &str,
    name: &str,
    (few, of_few): (&Side, &side::Requests),
    (many, of_many): (&Side, &side::Requests),
) -> Result<()> {
    let length = bench.settings.round;
    for (side, requests) in [(few, of_few), (many, of_many)] {
        side.round(length, requests).await.with_context(|| format!("{name}, {} customers", side.customers))?;
    }
    let (of_few, of_many) =
        bench.turns(async || few.round(length, of_few).await, async || many.round(length, of_many).await).await?;
    tell(bench, database, name, (few, &of_few), (many, &of_many));
    Ok(())
}

/// Codes that come back right, each of a customer of its own, and of the same customers in each round. The first round, which is not
/// counted, as elsewhere, is told apart: in the large shop nobody has asked for what these customers log in with.
async fn verifications(bench: &mut Bench, database: &str, few: &Side, many: &Side) -> Result<()> {
    let unprove = bench.example("unprove")?;
    let who = |side: &Side| side.people(bench, Who::UnprovenPhone, MANY_PEOPLE).map(side::those_who_verify);
    let people_of_few: Vec<_> = who(few)?.collect();
    let people_of_many: Vec<_> = who(many)?.take(people_of_few.len()).collect();
    let name = format!("POST /store/customers/otp/verify, {} a round", people_of_few.len());
    let first = (few.verify(&unprove, &people_of_few).await?, many.verify(&unprove, &people_of_many).await?);
    let first = ratio(&[first.1], &[first.0], |round| round.median_millis);
    bench.report.note(&format!("{name}, p50, {database}, the first time"), &format!("{first:.2} ×"));
    let of_few = async || few.verify(&unprove, &people_of_few).await;
    let (of_few, of_many) = bench.turns(of_few, async || many.verify(&unprove, &people_of_many).await).await?;
    tell(bench, database, &name, (few, &of_few), (many, &of_many));
    Ok(())
}

/// Two lines and how they compare.
fn tell(
    bench: &mut Bench,
    database: &str,
    name: &str,
    (few, of_few): (&Side, &[Round]),
    (many, of_many): (&Side, &[Round]),
) {
    for (side, rounds) in [(few, of_few), (many, of_many)] {
        bench.report.rounds(&format!("{name}, {} customers", side.customers), rounds);
    }
    let what = format!("{name}, p50, {database}");
    bench.report.goal(&what, GOAL, ratio(of_many, of_few, |round| round.median_millis), " ×");
    let slowest = ratio(of_many, of_few, |round| round.worst_millis);
    bench.report.note(&format!("{name}, p99, {database}"), &format!("{slowest:.2} ×"));
}
