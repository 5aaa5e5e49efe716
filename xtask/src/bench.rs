//! How fast the release program is on this machine: tables to read, not a test.
//!
//! What is compared runs in turns, round by round, and the medians are printed, because other work on the machine comes and
//! goes; how much it did is printed too. The load generator shares the cores with the server, so rates are low and ratios
//! are what counts.

mod client;
mod gateway;
mod load;
mod noise;
mod program;
mod shop;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command;
use load::{MakeRequest, Round, median};
use noise::Noise;
use program::{Program, Recipe};
use shop::Shop;

/// Connections that ask at once.
const CONNECTIONS: usize = 32;
/// Starts whose median is printed.
const STARTS: usize = 15;

/// What the flags choose.
struct Settings {
    /// Length of one round.
    round: Duration,
    /// Rounds for each of what is compared.
    rounds: usize,
    /// Cargo profile; another than `release` is for trying this command out.
    profile: String,
    /// An empty PostgreSQL database; without one, the tests' server lends a new one.
    postgres: Option<String>,
    /// The one table to print; all without it.
    only: Option<String>,
}

impl Settings {
    /// Whether a table is to be printed.
    fn is_wanted(&self, table: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.eq_ignore_ascii_case(table))
    }
}

/// Builds the program and prints the tables.
///
/// # Errors
/// When a flag is unknown, the program does not build, or a measurement fails.
pub(crate) fn run(root: &Path, flags: &[&str]) -> Result<()> {
    let settings = parse(flags)?;
    let folder = build(root, &settings.profile)?;
    let postgres = match &settings.postgres {
        Some(url) => url.clone(),
        None if settings.is_wanted("PostgreSQL") => lend_database(root)?,
        None => String::new(),
    };
    let scratch = std::env::temp_dir().join(format!("customer-registration-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let sqlite = format!("sqlite://{}?mode=rwc", scratch.join("bench.db").display());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let mut noise = Noise::default();
        for (name, url) in [("SQLite", sqlite.as_str()), ("PostgreSQL", postgres.as_str())] {
            if settings.is_wanted(name) {
                measure(root, name, url, &folder, &scratch, &settings, &mut noise).await?;
            }
        }
        if settings.is_wanted("Gateway") {
            let program = folder.join("customer-registration");
            gateway::measure(root, &program, &scratch, &settings, &mut noise).await?;
        }
        println!("\n{}", noise.report());
        Ok(())
    });
    std::fs::remove_dir_all(&scratch).with_context(|| format!("could not remove {}", scratch.display()))?;
    result
}

/// Reads `--seconds N`, `--rounds N`, `--profile NAME`, `--postgres URL` and `--only sqlite | postgresql | gateway`.
fn parse(flags: &[&str]) -> Result<Settings> {
    let mut settings = Settings {
        round: Duration::from_secs(5),
        rounds: 5,
        profile: "release".to_owned(),
        postgres: None,
        only: None,
    };
    for pair in flags.chunks(2) {
        match *pair {
            ["--seconds", number] => settings.round = Duration::from_secs(number.parse().context("--seconds N")?),
            ["--rounds", number] => settings.rounds = number.parse().context("--rounds N")?,
            ["--profile", name] => name.clone_into(&mut settings.profile),
            ["--postgres", url] => settings.postgres = Some(url.to_owned()),
            ["--only", table] => settings.only = Some(table.to_owned()),
            _ => bail!("flags of bench: --seconds N, --rounds N, --profile NAME, --postgres URL, --only TABLE"),
        }
    }
    Ok(settings)
}

/// Builds the server and the bare one beside it; the folder that both are in.
fn build(root: &Path, profile: &str) -> Result<PathBuf> {
    let arguments =
        ["build", "--package", "customer-registration", "--bins", "--example", "bare", "--profile", profile];
    command::run(root, command::CARGO, &arguments)?;
    let metadata = command::output(root, command::CARGO, &["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata.get("target_directory").and_then(|folder| folder.as_str()).context("no target directory")?;
    Ok(program::built(Path::new(target), profile))
}

/// The URL of a new, empty database on the PostgreSQL server that the tests start.
fn lend_database(root: &Path) -> Result<String> {
    let arguments = ["run", "--quiet", "--package", "cr-testkit", "--example", "lend-postgres"];
    Ok(command::output(root, command::CARGO, &arguments)?.trim().to_owned())
}

/// Everything on one database.
async fn measure(
    root: &Path,
    name: &str,
    url: &str,
    folder: &Path,
    scratch: &Path,
    settings: &Settings,
    noise: &mut Noise,
) -> Result<()> {
    println!("\n{name}");
    let shop = Shop::new(url, scratch, &folder.join("customer-registration"))?;
    shop.migrate()?;
    println!("  start to first answer       {}", starts(&shop.server).await?);
    let server = Program::start(&shop.server).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("  idle memory                 {:.1} MiB", server.resident_mib()?);
    let token = shop.open(server.address).await?;
    let bare = Program::start(&shop.bare(&folder.join("examples/bare"))).await?;

    let me = fixed(client::request("GET", "/store/customers/me", Some(&token), None));
    let (mut bare_rounds, mut me_rounds) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        noise.sample();
        bare_rounds.push(round(&bare, settings, &me).await?);
        me_rounds.push(round(&server, settings, &me).await?);
    }
    line("bare token check and row", &bare_rounds);
    line("GET /store/customers/me", &me_rounds);
    let ratios: Vec<f64> = me_rounds.iter().zip(&bare_rounds).map(|(me, bare)| me.rate / bare.rate * 100.0).collect();
    println!("  me of bare                  {:.0} %", median(&ratios));

    line("POST …/otp/send", &alone(&server, settings, &shop::sends(), noise).await?);
    line("POST /auth/customer/emailpass", &alone(&server, settings, &shop::logins(), noise).await?);
    println!("  memory after that           {:.1} MiB", server.resident_mib()?);
    drop((server, bare));
    job(root, url, &shop)
}

/// The deletion job over few and over many accounts: how many a second, and whether many take more memory.
fn job(root: &Path, url: &str, shop: &Shop) -> Result<()> {
    for (first, last) in [(1_u32, 10_000), (10_001, 110_000)] {
        let (from, to) = (first.to_string(), last.to_string());
        let fill = ["run", "--quiet", "--package", "cr-testkit", "--example", "fill-due", "--", url, &from, &to];
        command::run(root, command::CARGO, &fill)?;
        let ran = program::run_to_end(&shop.job())?;
        let accounts = last - first + 1;
        let rate = f64::from(accounts) / ran.duration.as_secs_f64();
        println!("  job over {accounts:>6} accounts    {rate:>8.0} /s   peak memory {:.1} MiB", ran.peak_mib);
    }
    Ok(())
}

/// The median and the extremes of many starts, each of a program that has its database ready.
async fn starts(recipe: &Recipe) -> Result<String> {
    let mut millis = Vec::new();
    for _ in 0..STARTS {
        millis.push(Program::start(recipe).await?.first_answer.as_secs_f64() * 1000.0);
    }
    millis.sort_by(f64::total_cmp);
    let (least, most) = (millis.first().unwrap_or(&0.0), millis.last().unwrap_or(&0.0));
    Ok(format!("{:.1} ms (median of {STARTS}; {least:.1} to {most:.1})", median(&millis)))
}

/// One round of the same request.
async fn round(program: &Program, settings: &Settings, make: &MakeRequest) -> Result<Round> {
    load::run(program.address, CONNECTIONS, settings.round, make, &Arc::new(AtomicU64::new(0))).await
}

/// All rounds of a route that is compared with nothing; numbers go on from round to round.
async fn alone(program: &Program, settings: &Settings, make: &MakeRequest, noise: &mut Noise) -> Result<Vec<Round>> {
    let numbers = Arc::new(AtomicU64::new(0));
    let mut rounds = Vec::new();
    for _ in 0..settings.rounds {
        noise.sample();
        rounds.push(load::run(program.address, CONNECTIONS, settings.round, make, &numbers).await?);
    }
    Ok(rounds)
}

/// The same bytes for every number.
fn fixed(request: Vec<u8>) -> MakeRequest {
    let request: Arc<[u8]> = request.into();
    Arc::new(move |_| Arc::clone(&request))
}

/// One line of the table: medians over the rounds.
fn line(name: &str, rounds: &[Round]) {
    let of = |part: fn(&Round) -> f64| median(&rounds.iter().map(part).collect::<Vec<_>>());
    println!(
        "  {name:<29}{:>8.0} /s   p50 {:>8.2} ms   p99 {:>8.2} ms",
        of(|round| round.rate),
        of(|round| round.median_millis),
        of(|round| round.worst_millis)
    );
}
