//! Our server on one database, beside what the machine could do at the most.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::client;
use super::codes::Accounts;
use super::load::{MakeRequest, Round, fixed, median};
use super::program::{self, Program, Recipe};
use super::report::{Goal, ratio};
use super::shop::{self, Shop};
use super::{Bench, ceilings, round};
use crate::command;

/// Starts whose median is told.
const STARTS: usize = 15;
/// How long logins are under way before and after reads are timed beside them.
const RUN_UP: Duration = Duration::from_millis(500);
/// The shortest round of logins beside hashes alone: in one of 3 s, what is under way at its two ends is some hundredths of all.
const LOGINS: Duration = Duration::from_secs(10);

/// A database, and what is asked of the server on it.
pub(super) struct Place<'a> {
    /// `SQLite` or `PostgreSQL`.
    pub(super) name: &'a str,
    /// Version and settings.
    pub(super) about: &'a str,
    /// Where it is.
    pub(super) url: &'a str,
    /// Milliseconds to the first answer.
    pub(super) start_goal: f64,
}

/// Everything on one database.
///
/// # Errors
/// When a measurement fails.
pub(super) async fn measure(bench: &mut Bench, place: &Place<'_>) -> Result<()> {
    bench.report.section(&format!("{}: {}; passwords by scrypt N = 2^15, r = 8, p = 1", place.name, place.about));
    let shop = Shop::new(place.url, &bench.scratch, &bench.program("customer-registration"))?;
    shop.migrate()?;
    starts(bench, place, &shop.server).await?;
    let server = Program::start(&shop.server).await?;
    bench.report.goal(&format!("idle memory, {}", place.name), Goal::AtMost(20.0), server.idle_mib().await?, " MiB");
    let token = shop.open(server.address).await?;
    let me = fixed(client::request("GET", "/store/customers/me", Some(&token), None));

    reads(bench, place, &shop, server.address, &me).await?;
    logins(bench, place, &server).await?;
    reads_beside_logins(bench, place, server.address, &me).await?;
    codes(bench, place, server.address).await?;
    bench.report.note("memory after that", &format!("{:.1} MiB", server.resident_mib()?));
    drop(server);
    job(bench, place.url, &shop)
}

/// Many starts, each of a program that has its database ready.
async fn starts(bench: &mut Bench, place: &Place<'_>, recipe: &Recipe) -> Result<()> {
    let mut millis = Vec::new();
    for _ in 0..STARTS {
        millis.push(Program::start(recipe).await?.first_answer.as_secs_f64() * 1000.0);
    }
    let what = format!("start to first answer, {}, median of {STARTS}", place.name);
    bench.report.goal(&what, Goal::AtMost(place.start_goal), median(&millis), " ms");
    Ok(())
}

/// `GET /store/customers/me` beside the bare program.
async fn reads(bench: &mut Bench, place: &Place<'_>, shop: &Shop, address: SocketAddr, me: &MakeRequest) -> Result<()> {
    let bare = Program::start(&shop.bare(&bench.program("examples/bare"))).await?;
    let length = bench.settings.round;
    let (ours, theirs) =
        bench.turns(async || round(address, length, me).await, async || round(bare.address, length, me).await).await?;
    bench.report.rounds("GET /store/customers/me", &ours);
    bench.report.rounds("ceiling: hyper, token check, one row", &theirs);
    let what = format!("GET /store/customers/me against its ceiling, {}", place.name);
    bench.report.goal(&what, Goal::AtLeast(0.7), ratio(&ours, &theirs, |round| round.rate), " ×");
    Ok(())
}

/// Logins beside hashes alone, and the memory that they took. Neither counts its first hashes, for which memory is allocated.
async fn logins(bench: &mut Bench, place: &Place<'_>, server: &Program) -> Result<()> {
    let length = bench.settings.round.max(LOGINS);
    let logins = shop::logins();
    let (mut ours, mut ceiling, mut lanes) = (Vec::new(), Vec::new(), None);
    for _ in 0..bench.settings.rounds {
        bench.noise.sample();
        round(server.address, RUN_UP, &logins).await?;
        ours.push(round(server.address, length, &logins).await?);
        let (hashes, with) = ceilings::hashes(bench, length)?;
        ceiling.push(hashes);
        lanes = Some(with);
    }
    bench.report.rounds("POST /auth/customer/emailpass", &ours);
    bench.report.rounds("ceiling: scrypt on all cores and lanes", &ceiling);
    let what = format!("logins against scrypt alone on all cores, {}", place.name);
    bench.report.goal(&what, Goal::AtLeast(0.9), ratio(&ours, &ceiling, |round| round.rate), " ×");
    if let Some(lanes) = lanes {
        let hashing = format!("{} threads with {} lanes each, {}", lanes.threads, lanes.each, lanes.backend);
        bench.report.note("hashed by", &hashing);
        let most = 60.0 + f64::from(lanes.threads * lanes.each * 32);
        let what = format!("peak memory under logins, {}", place.name);
        bench.report.goal(&what, Goal::AtMost(most), server.peak_mib()?, " MiB");
    }
    Ok(())
}

/// The same reads with nothing beside them, and while as many connections log in all the time.
async fn reads_beside_logins(
    bench: &mut Bench,
    place: &Place<'_>,
    address: SocketAddr,
    me: &MakeRequest,
) -> Result<()> {
    let length = bench.settings.round;
    let logins = shop::logins();
    let beside = async || -> Result<Round> {
        let loaded = async {
            tokio::time::sleep(RUN_UP).await;
            round(address, length, me).await
        };
        let (reads, _) = tokio::try_join!(loaded, round(address, length + RUN_UP * 2, &logins))?;
        Ok(reads)
    };
    let (loaded, unloaded) = bench.turns(beside, async || round(address, length, me).await).await?;
    bench.report.rounds("GET /store/customers/me, unloaded", &unloaded);
    bench.report.rounds("GET /store/customers/me, while logins saturate", &loaded);
    let what = format!("p99 of it while logins saturate against unloaded, {}", place.name);
    bench.report.goal(&what, Goal::AtMost(3.0), ratio(&loaded, &unloaded, |round| round.worst_millis), " ×");
    Ok(())
}

/// Codes sent and codes that come back, beside a bare commit each.
async fn codes(bench: &mut Bench, place: &Place<'_>, address: SocketAddr) -> Result<()> {
    let length = bench.settings.round;
    let mut accounts = Accounts::fill(bench, place.url, address)?;
    let (mut commits, mut sent, mut verified): (Vec<Round>, Vec<Round>, Vec<Round>) = Default::default();
    for _ in 0..bench.settings.rounds {
        bench.noise.sample();
        commits.push(ceilings::commits(bench, place.url)?);
        sent.push(accounts.send(length).await?);
        verified.push(accounts.verify().await?);
    }
    bench.report.rounds("POST /store/customers/otp/send", &sent);
    bench.report.rounds(&format!("POST …/otp/verify, {} a round", accounts.a_round), &verified);
    bench.report.rounds("ceiling: one small row committed", &commits);
    for (name, rounds) in [("otp/send", &sent), ("otp/verify", &verified)] {
        let what = format!("{name} against a bare commit, {}", place.name);
        bench.report.goal(&what, Goal::AtLeast(0.5), ratio(rounds, &commits, |round| round.rate), " ×");
    }
    Ok(())
}

/// The deletion job over few and over many accounts: how many a second, and whether many take more memory.
fn job(bench: &mut Bench, url: &str, shop: &Shop) -> Result<()> {
    for (first, last) in [(1_u32, 500), (501, 4000)] {
        let (from, to) = (first.to_string(), last.to_string());
        command::run(&bench.scratch, &bench.example("fill-due")?, &[url, &from, &to])?;
        let ran = program::run_to_end(&shop.job())?;
        let accounts = last + 1 - first;
        let rate = f64::from(accounts) / ran.duration.as_secs_f64();
        let figure = format!("{rate:.0} /s, peak memory {:.1} MiB", ran.peak_mib);
        bench.report.note(&format!("deletion job over {accounts} accounts"), &figure);
    }
    Ok(())
}
