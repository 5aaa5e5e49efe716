//! A real Medusa 2.11.2: started, given a storefront's key, and measured beside our server on its own database.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::client::{self, Connection};
use super::held::Held;
use super::load::fixed;
use super::postgres::Server;
use super::program::{self, Program};
use super::report::{Goal, ratio};
use super::shop::{self, SECRET, Shop, ask, token};
use super::{Bench, round};
use crate::command;

/// The administrator that testkit's Medusa comes with.
const ADMINISTRATOR: &str = r#"{"email":"admin@example.com","password":"supersecret123"}"#;

/// A real Medusa, ended when dropped.
pub(super) struct Medusa {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Its database.
    pub(super) database: String,
    process: u32,
    start_millis: u32,
    _held: Held,
}

/// What a storefront needs.
pub(super) struct Key {
    /// The publishable key.
    pub(super) token: String,
    /// The sales channel that it stands for.
    pub(super) channel: String,
}

impl Medusa {
    /// Starts it on a database of that server; installs it the first time, which takes minutes.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start(bench: &Bench, server: &Server) -> Result<Self> {
        let mut held = Held::start(Path::new(&bench.example("serve-medusa")?), &[SECRET], Some(server.url()))?;
        let url = held.line()?;
        Ok(Self {
            address: url.strip_prefix("http://").context("Medusa's address is no URL")?.parse()?,
            database: held.line()?,
            process: held.line()?.parse()?,
            start_millis: held.line()?.parse()?,
            _held: held,
        })
    }

    /// Makes a sales channel and a publishable key for it.
    ///
    /// # Errors
    /// When Medusa refuses a step.
    pub(super) async fn publishable_key(&self) -> Result<Key> {
        let channel = self.post_as_admin("/admin/sales-channels", &json!({"name": "Bench"})).await?;
        let channel = text(&channel, "/sales_channel/id")?;
        let key = self.post_as_admin("/admin/api-keys", &json!({"title": "bench", "type": "publishable"})).await?;
        let path = format!("/admin/api-keys/{}/sales-channels", text(&key, "/api_key/id")?);
        self.post_as_admin(&path, &json!({"add": [channel]})).await?;
        Ok(Key { token: text(&key, "/api_key/token")?, channel })
    }

    /// Fills the shop with products of that channel.
    ///
    /// # Errors
    /// When Medusa refuses one.
    pub(super) async fn fill(&self, channel: &str, products: u32) -> Result<()> {
        for number in 0..products {
            let product = json!({
                "title": format!("Product {number}"), "status": "published", "sales_channels": [{"id": channel}],
                "options": [{"title": "Size", "values": ["M"]}],
                "variants": [{"title": "M", "options": {"Size": "M"}, "manage_inventory": false, "prices": []}],
            });
            self.post_as_admin("/admin/products", &product).await?;
        }
        Ok(())
    }

    /// Posts as the administrator, who logs in each time: it is not measured.
    async fn post_as_admin(&self, path: &str, body: &Value) -> Result<Value> {
        let mut connection = Connection::open(self.address).await?;
        let admin = token(&ask(&mut connection, "/auth/user/emailpass", None, ADMINISTRATOR).await?)?;
        ask(&mut connection, path, Some(&admin), &body.to_string()).await
    }
}

/// A text of an answer, by its JSON pointer.
fn text(answer: &Value, pointer: &str) -> Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("Medusa answered without {pointer}"))?.to_owned())
}

/// Reads and logins of one customer, whom both know, with one token and one key, by both in turns.
///
/// # Errors
/// When a server cannot be started, or a measurement fails.
pub(super) async fn measure(bench: &mut Bench, medusa: &Medusa, key: &Key, about: &str) -> Result<()> {
    let node = command::output(&bench.root, "node", &["--version"])?;
    let title = format!(
        "Medusa 2.11.2, Node {}; both on its database, {about}; passwords by scrypt N = 2^15, r = 8, p = 1 at both",
        node.trim()
    );
    bench.report.section(&title);
    bench.report.note("Medusa: start", &format!("{} ms", medusa.start_millis));
    bench.report.note("Medusa: idle memory", &format!("{:.1} MiB", program::resident_mib(medusa.process)?));
    let shop = Shop::new(&medusa.database, &bench.scratch, &bench.program("customer-registration"))?;
    shop.migrate()?;
    let token = shop::open_with_key(medusa.address, &key.token).await?;
    let server = Program::start(&shop.server).await?;
    let length = bench.settings.round;

    let me = client::request("GET", "/store/customers/me", Some(&token), None);
    let me = fixed(client::with_header(&me, "x-publishable-api-key", &key.token));
    // What is compiled and cached at first sight is not measured.
    round(medusa.address, length, &me).await?;
    let (ours, theirs) = bench
        .turns(async || round(server.address, length, &me).await, async || round(medusa.address, length, &me).await)
        .await?;
    bench.report.rounds("GET /store/customers/me", &ours);
    bench.report.rounds("Medusa: GET /store/customers/me", &theirs);
    let what = "GET /store/customers/me against Medusa, same database";
    bench.report.goal(what, Goal::AtLeast(80.0), ratio(&ours, &theirs, |round| round.rate), " ×");

    let logins = shop::logins();
    let (ours, theirs) = bench
        .turns(
            async || round(server.address, length, &logins).await,
            async || round(medusa.address, length, &logins).await,
        )
        .await?;
    bench.report.rounds("POST /auth/customer/emailpass", &ours);
    bench.report.rounds("Medusa: POST /auth/customer/emailpass", &theirs);
    let ratio = ratio(&ours, &theirs, |round| round.rate);
    match (bench.machine.has_avx512, bench.machine.has_avx2) {
        (true, _) => bench.report.goal("logins against Medusa, AVX-512", Goal::AtLeast(5.0), ratio, " ×"),
        (false, true) => bench.report.goal("logins against Medusa, AVX2", Goal::AtLeast(2.5), ratio, " ×"),
        (false, false) => bench.report.ratio("logins against Medusa, without AVX2", ratio),
    }
    bench.report.note("Medusa: peak memory", &format!("{:.1} MiB", program::peak_mib(medusa.process)?));
    Ok(())
}
