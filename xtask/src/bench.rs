//! How fast the release program is on this machine, beside its peers and beside what the machine could do at the most: tables to
//! read, not a test.
//!
//! What is compared runs in turns, round by round, and the medians are printed, because other work on the machine comes and
//! goes; how much it did is printed too. The load generator shares the cores with the server, so rates are low and ratios
//! are what counts.

mod better_auth;
mod ceilings;
mod client;
mod codes;
mod gateway;
mod held;
mod load;
mod machine;
mod medusa;
mod noise;
mod own;
mod postgres;
mod program;
mod report;
mod scale;
mod shop;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command;
use load::{MakeRequest, Round};
use machine::Machine;
use medusa::Medusa;
use noise::Noise;
use own::Place;
use report::{Goal, Report};
use scale::Scale;

/// Connections that ask at once.
const CONNECTIONS: usize = 32;
/// The parts that `--only` may name, in their order.
const PARTS: [&str; 6] = ["sqlite", "postgresql", "medusa", "better-auth", "gateway", SCALE];
/// The part that is measured only when it is named: filling its databases takes longer than everything else.
const SCALE: &str = "scale";
/// What is written with `--write`.
const DOCUMENT: &str = "docs/PERFORMANCE.md";
/// The examples that are measured beside the program, and so are built as it is.
const CEILINGS: [&str; 3] = ["bare", "ceiling", "commits"];
/// The examples that help, built quickly.
const HELPERS: [&str; 9] = [
    "durable-postgres",
    "fill-due",
    "fill-unverified",
    "lend-postgres",
    "list-crowd",
    "seed",
    "serve-medusa",
    "unprove",
    "warm",
];
/// The profile of the helpers.
const QUICK: &str = "release";

/// What the flags choose.
struct Settings {
    /// Length of one round.
    round: Duration,
    /// Rounds for each of what is compared.
    rounds: usize,
    /// Cargo profile of what is measured; another than `dist`, which is shipped, is for trying this command out.
    profile: String,
    /// A PostgreSQL server where databases may be made; without one, a new one with durable commits is started.
    postgres: Option<String>,
    /// The one part to measure; all without it.
    only: Option<String>,
    /// Put the figures into the document.
    write: bool,
    /// How large the shops of the part `scale` are.
    scale: Scale,
}

/// What every part needs.
struct Bench {
    root: PathBuf,
    /// Where cargo has put what is measured.
    folder: PathBuf,
    /// Where it has put the helpers.
    helpers: PathBuf,
    /// Files of this run.
    scratch: PathBuf,
    settings: Settings,
    machine: Machine,
    noise: Noise,
    report: Report,
}

impl Bench {
    /// Whether a part is to be measured.
    fn is_wanted(&self, part: &str) -> bool {
        self.settings.only.as_ref().is_none_or(|only| only.eq_ignore_ascii_case(part))
    }

    /// Whether a part is to be measured, and nothing else.
    fn is_alone(&self, part: &str) -> bool {
        self.settings.only.as_ref().is_some_and(|only| only.eq_ignore_ascii_case(part))
    }

    /// A program that was built, by its path below the profile's folder.
    fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// An example that was built, as a command.
    ///
    /// # Errors
    /// When the path is no UTF-8.
    fn example(&self, name: &str) -> Result<String> {
        let folder = if CEILINGS.contains(&name) { &self.folder } else { &self.helpers };
        let path = folder.join("examples").join(name);
        path.to_str().map(str::to_owned).context("the path of the programs is no UTF-8")
    }

    /// Rounds of two things, one after the other.
    ///
    /// # Errors
    /// When a round fails.
    async fn turns(
        &mut self,
        one: impl AsyncFn() -> Result<Round>,
        other: impl AsyncFn() -> Result<Round>,
    ) -> Result<(Vec<Round>, Vec<Round>)> {
        let (mut ones, mut others) = (Vec::new(), Vec::new());
        for _ in 0..self.settings.rounds {
            self.noise.sample();
            ones.push(one().await?);
            others.push(other().await?);
        }
        Ok((ones, others))
    }
}

/// Builds the programs, prints the tables, and writes the document when asked to.
///
/// # Errors
/// When a flag is unknown, the program does not build, or a measurement fails.
pub(crate) fn run(root: &Path, flags: &[&str]) -> Result<()> {
    let settings = parse(flags)?;
    check_programs(root, &settings)?;
    let (folder, helpers) = (build(root, &settings.profile)?, build_helpers(root)?);
    let scratch = std::env::temp_dir().join(format!("customer-registration-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let (machine, noise, report) = (Machine::find(), Noise::default(), Report::default());
    let mut bench =
        Bench { root: root.to_path_buf(), folder, helpers, scratch: scratch.clone(), settings, machine, noise, report };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(measure(&mut bench)).and_then(|()| conclude(&bench));
    std::fs::remove_dir_all(&scratch).with_context(|| format!("could not remove {}", scratch.display()))?;
    result
}

/// Every part that is wanted.
async fn measure(bench: &mut Bench) -> Result<()> {
    println!("{}\nBuilt with {}.", bench.machine.describe(), built_with(&bench.root)?);
    if !bench.is_alone("sqlite") {
        // One that does not start, or cannot be reached, is told now, and not when everything on SQLite was measured.
        let server = postgres::Server::start(&bench.helpers.join("examples"), bench.settings.postgres.as_deref(), &[])?;
        println!("{}.", server.about()?);
    }
    if bench.is_alone(SCALE) {
        return scale::measure(bench).await;
    }
    binary(bench)?;
    if bench.is_wanted("sqlite") {
        let url = format!("sqlite://{}?mode=rwc", bench.scratch.join("bench.db").display());
        let place = Place { name: "SQLite", about: "WAL, synchronous full", url: &url, start_goal: 20.0 };
        own::measure(bench, &place).await?;
    }
    if bench.is_alone("sqlite") {
        return Ok(());
    }
    let server = postgres::Server::start(&bench.helpers.join("examples"), bench.settings.postgres.as_deref(), &[])?;
    if bench.is_wanted("postgresql") {
        let lent = server.lend()?;
        let place = Place { name: "PostgreSQL", about: &lent.about, url: &lent.url, start_goal: 50.0 };
        own::measure(bench, &place).await?;
    }
    if bench.is_wanted("better-auth") {
        better_auth::measure(bench, &server).await?;
    }
    if bench.is_wanted("medusa") || bench.is_wanted("gateway") {
        let medusa = Medusa::start(bench, &server)?;
        let key = medusa.publishable_key().await?;
        if bench.is_wanted("medusa") {
            medusa::measure(bench, &medusa, &key, &server.about()?).await?;
        }
        if bench.is_wanted("gateway") {
            gateway::measure(bench, &medusa, &key, &server.about()?).await?;
        }
    }
    Ok(())
}

/// Looks for the programs that are not built, before what takes a quarter of an hour is.
///
/// # Errors
/// When one is missing, or too old.
fn check_programs(root: &Path, settings: &Settings) -> Result<()> {
    let only = settings.only.as_deref().map(str::to_ascii_lowercase);
    let needs_node = only.is_none_or(|only| ["medusa", "better-auth", "gateway"].contains(&only.as_str()));
    if !needs_node {
        return Ok(());
    }
    if !command::exists("npm") || !command::exists("node") {
        bail!("Node 20 or newer with npm is missing; `--only sqlite` and `--only postgresql` do without");
    }
    let version = command::output(root, "node", &["--version"])?;
    if node_major(&version).is_none_or(|major| major < 20) {
        bail!("Medusa and better-auth want Node 20 or newer, and `node` is {}", version.trim());
    }
    Ok(())
}

/// The first number of `v20.20.2`.
fn node_major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// What the program is built with: Rust, and the SQLite that is compiled into it.
///
/// # Errors
/// When cargo does not tell where that is.
fn built_with(root: &Path) -> Result<String> {
    let rust = command::output(root, "rustc", &["--version"])?;
    let metadata: serde_json::Value = serde_json::from_str(&command::output(
        root,
        command::CARGO,
        &["metadata", "--locked", "--format-version", "1"],
    )?)?;
    let mut packages = metadata.get("packages").and_then(|it| it.as_array()).into_iter().flatten();
    let bindings = packages.find(|package| package.get("name").is_some_and(|name| name == "libsqlite3-sys"));
    let manifest = bindings.and_then(|package| package.get("manifest_path")?.as_str()).context("no libsqlite3-sys")?;
    let header = Path::new(manifest).with_file_name("sqlite3").join("sqlite3.h");
    let header = std::fs::read_to_string(&header).with_context(|| format!("could not read {}", header.display()))?;
    let sqlite = sqlite_version(&header).context("sqlite3.h has no version")?;
    let rust = rust.split_whitespace().nth(1).context("rustc tells no version")?;
    Ok(format!("Rust {rust} and SQLite {sqlite}"))
}

/// The version in SQLite's header.
fn sqlite_version(header: &str) -> Option<&str> {
    let (_, after) = header.split_once("#define SQLITE_VERSION ")?;
    after.split('"').nth(1)
}

/// How large the program is that was built.
fn binary(bench: &mut Bench) -> Result<()> {
    let path = bench.program("customer-registration");
    let bytes = std::fs::metadata(&path).with_context(|| format!("there is no {}", path.display()))?.len();
    let mib = f64::from(u32::try_from(bytes / 1024).context("the program is larger than a machine")?) / 1024.0;
    bench.report.section("The program");
    let what = format!("size of the program, stripped, profile `{}`", bench.settings.profile);
    bench.report.goal(&what, Goal::AtMost(20.0), mib, " MiB");
    Ok(())
}

/// The table of goals, the noise, and the document.
fn conclude(bench: &Bench) -> Result<()> {
    bench.report.print_goals();
    let noise = bench.noise.report();
    println!("\n{noise}");
    if bench.settings.write {
        let path = bench.root.join(DOCUMENT);
        let document = std::fs::read_to_string(&path).with_context(|| format!("could not read {DOCUMENT}"))?;
        let Settings { round, rounds, profile, .. } = &bench.settings;
        let (begin, connections) = if bench.is_alone(SCALE) {
            (report::BEGIN_SCALE, scale::CONNECTIONS)
        } else {
            (report::BEGIN, CONNECTIONS)
        };
        let commit = command::output(&bench.root, "git", &["describe", "--always", "--dirty"])?;
        let foot = format!(
            "{}, at commit {}, built with {}.\n{connections} connections, {rounds} rounds of {} s in turns, medians; profile `{profile}`; the load generator and the databases on the same cores.\n{noise}",
            bench.machine.describe().trim_end_matches('.'),
            commit.trim(),
            built_with(&bench.root)?,
            round.as_secs(),
        );
        std::fs::write(&path, bench.report.put_into(&document, begin, &foot)?)?;
        println!("Written into {DOCUMENT}.");
    }
    Ok(())
}

/// Reads `--seconds N`, `--rounds N`, `--profile NAME`, `--postgres URL`, `--only PART` and `--write`; for the part `scale` also
/// `--customers-postgresql N`, `--customers-sqlite N`, `--people N`, `--cold` and `--seeded URL`.
fn parse(flags: &[&str]) -> Result<Settings> {
    let mut settings = Settings {
        round: Duration::from_secs(3),
        rounds: 5,
        profile: "dist".to_owned(),
        postgres: None,
        only: None,
        write: false,
        scale: Scale::default(),
    };
    let mut rest = flags;
    loop {
        rest = match *rest {
            [] => break,
            ["--seconds", number, ref rest @ ..] => {
                settings.round = Duration::from_secs(number.parse().context("--seconds N")?);
                rest
            }
            ["--rounds", number, ref rest @ ..] => {
                settings.rounds = number.parse().context("--rounds N")?;
                rest
            }
            ["--profile", name, ref rest @ ..] => {
                name.clone_into(&mut settings.profile);
                rest
            }
            ["--postgres", url, ref rest @ ..] => {
                settings.postgres = Some(url.to_owned());
                rest
            }
            ["--only", part, ref rest @ ..] if PARTS.iter().any(|known| known.eq_ignore_ascii_case(part)) => {
                settings.only = Some(part.to_owned());
                rest
            }
            ["--customers-postgresql", number, ref rest @ ..] => {
                settings.scale.postgresql = number.parse().context("--customers-postgresql N")?;
                rest
            }
            ["--customers-sqlite", number, ref rest @ ..] => {
                settings.scale.sqlite = number.parse().context("--customers-sqlite N")?;
                rest
            }
            ["--people", number, ref rest @ ..] => {
                settings.scale.people = Some(number.parse().context("--people N")?);
                rest
            }
            ["--cold", ref rest @ ..] => {
                settings.scale.is_cold = true;
                rest
            }
            ["--seeded", url, ref rest @ ..] => {
                settings.scale.seeded.push(url.to_owned());
                rest
            }
            ["--write", ref rest @ ..] => {
                settings.write = true;
                rest
            }
            _ => bail!(
                "flags of bench: --seconds N, --rounds N, --profile NAME, --postgres URL, --only {}, --write, and with --only \
                 scale: --customers-postgresql N, --customers-sqlite N, --people N, --cold, --seeded URL",
                PARTS.join(" | ")
            ),
        };
    }
    if settings.write && settings.only.as_ref().is_some_and(|only| !only.eq_ignore_ascii_case(SCALE)) {
        bail!("--write needs every part, and --only leaves some out");
    }
    if settings.rounds == 0 || settings.round.is_zero() {
        bail!("--rounds and --seconds are at least 1");
    }
    Ok(settings)
}

/// Builds the program, then the ceilings beside it; the folder that they are in. The program is built by itself and last: what tests
/// ask of the crates (points where they may be made to fail) is not in what is shipped.
fn build(root: &Path, profile: &str) -> Result<PathBuf> {
    let mut ceilings =
        vec!["build", "--profile", profile, "--package", "customer-registration", "--package", "scrypt-lanes"];
    ceilings.extend(CEILINGS.iter().flat_map(|example| ["--example", example]));
    command::run(root, command::CARGO, &ceilings)?;
    let program = ["build", "--profile", profile, "--package", "customer-registration", "--bins"];
    command::run(root, command::CARGO, &program)?;
    built(root, profile)
}

/// Builds the helpers; the folder that they are in.
fn build_helpers(root: &Path) -> Result<PathBuf> {
    let mut arguments =
        vec!["build", "--profile", QUICK, "--package", "customer-registration", "--package", "cr-testkit"];
    arguments.extend(HELPERS.iter().flat_map(|example| ["--example", example]));
    command::run(root, command::CARGO, &arguments)?;
    built(root, QUICK)
}

/// Where cargo puts what it builds by a profile.
fn built(root: &Path, profile: &str) -> Result<PathBuf> {
    let metadata = command::output(root, command::CARGO, &["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata.get("target_directory").and_then(|folder| folder.as_str()).context("no target directory")?;
    Ok(program::built(Path::new(target), profile))
}

/// One round of the same kind of request, numbered anew.
async fn round(address: SocketAddr, length: Duration, make: &MakeRequest) -> Result<Round> {
    load::run(address, CONNECTIONS, length, make, &Arc::new(AtomicU64::new(0))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(node_major("v20.20.2\n"), Some(20));
        assert_eq!(node_major("20"), None);
        let header = "/* ... */\n#define SQLITE_VERSION        \"3.50.4\"\n#define SQLITE_VERSION_NUMBER 3050004\n";
        assert_eq!(sqlite_version(header), Some("3.50.4"));
    }

    #[test]
    fn flags_are_read_and_unknown_ones_refused() {
        let settings = parse(&["--write", "--rounds", "2", "--seconds", "1"]).unwrap();
        assert!(settings.write && settings.rounds == 2 && settings.round == Duration::from_secs(1));
        assert_eq!(parse(&["--only", "SQLite"]).unwrap().only.as_deref(), Some("SQLite"));
        let settings =
            parse(&["--only", "scale", "--write", "--customers-sqlite", "5", "--seeded", "sqlite:x"]).unwrap();
        assert!(settings.write && settings.scale.sqlite == 5 && settings.scale.postgresql == 10_000_000);
        assert_eq!(settings.scale.find_seeded("sqlite:").as_deref(), Some("sqlite:x"));
        for flags in
            [&["--only", "mysql"][..], &["--rounds"], &["--rounds", "0"], &["x"], &["--write", "--only", "sqlite"]]
        {
            assert!(parse(flags).is_err(), "{flags:?}");
        }
    }
}
