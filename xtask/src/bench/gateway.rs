//! What passing through costs: a real Medusa asked directly, and through the server in front of it, in turns.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::client::{self, Connection};
use super::load::{self, MakeRequest, Round, median};
use super::noise::Noise;
use super::program::Program;
use super::shop::{SECRET, Shop, ask, token};
use super::{CONNECTIONS, Settings, fixed, line};
use crate::command;

/// The administrator that testkit's Medusa comes with.
const ADMINISTRATOR: &str = r#"{"email":"admin@example.com","password":"supersecret123"}"#;
/// How much there is to list; a page of `/store/products` holds 50.
const PRODUCTS: u32 = 50;
/// Requests of each kind whose difference is told.
const PAIRS: u32 = 400;

/// A real Medusa, ended when dropped.
struct Medusa {
    child: Child,
    address: SocketAddr,
    database: String,
}

impl Drop for Medusa {
    /// Its standard input ends, and with it the program that holds Medusa.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            println!("could not wait for Medusa: {error}");
        }
    }
}

impl Medusa {
    /// Starts it; installs it the first time, which takes minutes.
    fn start(root: &Path) -> Result<Self> {
        let mut child = Command::new(command::CARGO)
            .args(["run", "--quiet", "--package", "cr-testkit", "--example", "serve-medusa", "--", SECRET])
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("could not start Medusa")?;
        let mut lines = BufReader::new(child.stdout.take().context("Medusa's output is closed")?).lines();
        let mut next = || -> Result<String> { Ok(lines.next().context("Medusa ended before it said where it is")??) };
        let (url, database) = (next()?, next()?);
        let address = url.strip_prefix("http://").context("Medusa's address is no URL")?.parse()?;
        Ok(Self { child, address, database })
    }

    /// Fills the shop with products: the publishable key of its storefront.
    async fn fill(&self) -> Result<String> {
        let mut connection = Connection::open(self.address).await?;
        let admin = token(&ask(&mut connection, "/auth/user/emailpass", None, ADMINISTRATOR).await?)?;
        let mut post =
            async |path: &str, body: Value| ask(&mut connection, path, Some(&admin), &body.to_string()).await;
        let id = |answer: &Value, pointer: &str| -> Result<String> {
            Ok(answer.pointer(pointer).and_then(Value::as_str).context("Medusa answered without an id")?.to_owned())
        };
        let channel = id(&post("/admin/sales-channels", json!({"name": "Bench"})).await?, "/sales_channel/id")?;
        let key = post("/admin/api-keys", json!({"title": "bench", "type": "publishable"})).await?;
        let path = format!("/admin/api-keys/{}/sales-channels", id(&key, "/api_key/id")?);
        post(&path, json!({"add": [channel]})).await?;
        for number in 0..PRODUCTS {
            let product = json!({
                "title": format!("Product {number}"), "status": "published", "sales_channels": [{"id": channel}],
                "options": [{"title": "Size", "values": ["M"]}],
                "variants": [{"title": "M", "options": {"Size": "M"}, "manage_inventory": false, "prices": []}],
            });
            post("/admin/products", product).await?;
        }
        id(&key, "/api_key/token")
    }
}

/// `GET /store/products` both ways, under load and at one connection.
///
/// # Errors
/// When Medusa or the server cannot be started, or a measurement fails.
pub(super) async fn measure(
    root: &Path,
    program: &Path,
    scratch: &Path,
    settings: &Settings,
    noise: &mut Noise,
) -> Result<()> {
    println!("\nGateway, in front of Medusa 2.11.2 with {PRODUCTS} products");
    let medusa = Medusa::start(root)?;
    let mut shop = Shop::new(&medusa.database, scratch, program)?;
    let upstream = format!("http://{}", medusa.address);
    shop.server.environment.push(("CUSTOMER_REGISTRATION__GATEWAY__UPSTREAM".to_owned(), upstream));
    shop.migrate()?;
    let key = medusa.fill().await?;
    let server = Program::start(&shop.server).await?;
    let get = client::request("GET", "/store/products", None, None);
    let get = fixed(client::with_header(&get, "x-publishable-api-key", &key));

    let (direct, through) = turns(&medusa, &server, settings, &get, noise).await?;
    line("GET /store/products, direct", &direct);
    line("through the gateway", &through);
    let ratios: Vec<f64> = through.iter().zip(&direct).map(|(ours, theirs)| ours.rate / theirs.rate * 100.0).collect();
    println!("  through of direct           {:.1} %", median(&ratios));
    let (direct, through, added) = pairs(&medusa, &server, &get(0)).await?;
    println!("  one connection, {PAIRS} pairs    p50 {direct:>8.2} ms direct, {through:.2} ms through");
    println!("  added, median of the pairs  {added:.2} ms");
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

/// Rounds of the same request to Medusa and to the server in front of it, one after the other.
async fn turns(
    medusa: &Medusa,
    server: &Program,
    settings: &Settings,
    make: &MakeRequest,
    noise: &mut Noise,
) -> Result<(Vec<Round>, Vec<Round>)> {
    let run = async |address| load::run(address, CONNECTIONS, settings.round, make, &Arc::new(AtomicU64::new(0))).await;
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    // What is compiled and cached at first sight is not measured.
    run(medusa.address).await?;
    run(server.address).await?;
    for _ in 0..settings.rounds {
        noise.sample();
        direct.push(run(medusa.address).await?);
        through.push(run(server.address).await?);
    }
    Ok((direct, through))
}
