//! What passing through costs: a real Medusa asked directly, and through the server in front of it, in turns.

use std::time::Instant;

use anyhow::{Result, bail};

use super::client::{self, Connection};
use super::load::{fixed, median};
use super::medusa::{Key, Medusa};
use super::program::Program;
use super::report::ratio;
use super::shop::Shop;
use super::{Bench, round};

/// How much there is to list; a page of `/store/products` holds 50.
const PRODUCTS: u32 = 50;
/// Requests of each kind whose difference is told.
const PAIRS: u32 = 400;

/// `GET /store/products` both ways, under load and at one connection.
///
/// # Errors
/// When the server cannot be started, or a measurement fails.
pub(super) async fn measure(bench: &mut Bench, medusa: &Medusa, key: &Key, about: &str) -> Result<()> {
    bench.report.section(&format!("Gateway, in front of Medusa 2.11.2 with {PRODUCTS} products, {about}"));
    medusa.fill(&key.channel, PRODUCTS).await?;
    let mut shop = Shop::new(&medusa.database, &bench.scratch, &bench.program("customer-registration"))?;
    let upstream = format!("http://{}", medusa.address);
    shop.server.environment.push(("CUSTOMER_REGISTRATION__GATEWAY__UPSTREAM".to_owned(), upstream));
    shop.migrate()?;
    let server = Program::start(&shop.server).await?;
    let get = client::request("GET", "/store/products", None, None);
    let bytes = client::with_header(&get, "x-publishable-api-key", &key.token);
    let get = fixed(bytes.clone());

    let length = bench.settings.round;
    // What is compiled and cached at first sight is not measured.
    round(medusa.address, length, &get).await?;
    round(server.address, length, &get).await?;
    let (direct, through) = bench
        .turns(async || round(medusa.address, length, &get).await, async || round(server.address, length, &get).await)
        .await?;
    bench.report.rounds("GET /store/products, direct", &direct);
    bench.report.rounds("GET /store/products, through the gateway", &through);
    bench.report.ratio("through against direct", ratio(&through, &direct, |round| round.rate));
    let (direct, through, added) = pairs(medusa, &server, &bytes).await?;
    let figure = format!("p50 {direct:.2} ms direct, {through:.2} ms through");
    bench.report.note(&format!("one connection, {PAIRS} pairs"), &figure);
    bench.report.note("added, median of the pairs", &format!("{added:.2} ms"));
    Ok(())
}

/// The same request to each in turn, over one connection each: the medians in milliseconds, and the median of what the way through
/// took longer than the one beside it, which other work on the machine meets alike.
async fn pairs(medusa: &Medusa, server: &Program, request: &[u8]) -> Result<(f64, f64, f64)> {
    let (mut theirs, mut ours) = (Connection::open(medusa.address).await?, Connection::open(server.address).await?);
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for number in 0..PAIRS {
        // Who comes second finds warm caches; so each does half of the time.
        if number.is_multiple_of(2) {
            direct.push(timed(&mut theirs, request).await?);
            through.push(timed(&mut ours, request).await?);
        } else {
            through.push(timed(&mut ours, request).await?);
            direct.push(timed(&mut theirs, request).await?);
        }
    }
    let added: Vec<f64> = through.iter().zip(&direct).map(|(ours, theirs)| ours - theirs).collect();
    Ok((median(&direct), median(&through), median(&added)))
}

/// One request: milliseconds to its whole answer.
async fn timed(connection: &mut Connection, request: &[u8]) -> Result<f64> {
    let sent = Instant::now();
    let answer = connection.send(request).await?;
    let millis = sent.elapsed().as_secs_f64() * 1000.0;
    if answer.status != 200 {
        bail!("answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    Ok(millis)
}
