//! Codes by e-mail: accounts that have proven nothing, requests that ask for a code, and requests that bring it back.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::client::{Connection, request};
use super::load::{self, MakeRequest, Round};
use super::shop::ask;
use super::{Bench, CONNECTIONS};
use crate::command;

/// Accounts that codes are sent to under load, in turns.
pub(crate) const RECEIVERS: u32 = 4000;
/// Codes that are fetched at once: the development inbox keeps the last 200 messages.
pub(super) const BATCH: usize = 100;
/// How long messages may take to arrive: those of the load before are delivered first.
const PATIENCE: Duration = Duration::from_mins(3);

/// The accounts of one database, and how far they are used up.
pub(crate) struct Accounts {
    address: SocketAddr,
    sent: Arc<AtomicU64>,
    /// The first account that has not verified yet.
    next: u32,
    /// How many verify in a round.
    pub(crate) a_round: u32,
}

/// How many verify in a round: as many as take about as long as a round.
pub(crate) fn verifications_a_round(length: Duration) -> u32 {
    u32::try_from(length.as_secs()).unwrap_or(1).saturating_mul(200).clamp(100, 2000)
}

impl Accounts {
    /// Fills the database of a server with enough of them.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub(crate) fn fill(bench: &Bench, url: &str, address: SocketAddr) -> Result<Self> {
        let a_round = verifications_a_round(bench.settings.round);
        let rounds = u32::try_from(bench.settings.rounds).context("too many rounds")?;
        let last = (RECEIVERS + rounds * a_round).to_string();
        command::run(&bench.scratch, &bench.example("fill-unverified")?, &[url, "1", &last])?;
        Ok(Self { address, sent: Arc::new(AtomicU64::new(0)), next: RECEIVERS + 1, a_round })
    }

    /// A round of codes that are asked for: each is a row, and a message that is delivered meanwhile.
    ///
    /// # Errors
    /// When one is refused.
    pub(crate) async fn send(&self, length: Duration) -> Result<Round> {
        load::run(self.address, CONNECTIONS, length, &sends(), &self.sent).await
    }

    /// A round of codes that come back, each right, and each for an account of its own. What was sent before has arrived by then.
    ///
    /// # Errors
    /// When a code does not arrive, or is refused.
    pub(crate) async fn verify(&mut self) -> Result<Round> {
        let numbers: Vec<u32> = (self.next..self.next + self.a_round).collect();
        self.next += self.a_round;
        let mut connection = Connection::open(self.address).await?;
        let mut requests = Vec::new();
        for batch in numbers.chunks(BATCH) {
            requests.extend(codes(&mut connection, batch).await?);
        }
        load::run_all(self.address, CONNECTIONS, requests).await
    }
}

/// The e-mail of an account.
fn email(number: u32) -> String {
    format!("n{number}@shop.test")
}

/// What asks for a code.
fn send_body(number: u32) -> String {
    json!({ "type": "email_verification", "email": email(number) }).to_string()
}

/// Codes asked for, by the first accounts in turns.
fn sends() -> MakeRequest {
    Arc::new(|number| {
        let account = u32::try_from(number % u64::from(RECEIVERS)).unwrap_or(0) + 1;
        Some(request("POST", "/store/customers/otp/send", None, Some(&send_body(account))).into())
    })
}

/// Asks for a code for each account, waits for the messages, and makes the requests that bring the codes back.
async fn codes(connection: &mut Connection, numbers: &[u32]) -> Result<Vec<Vec<u8>>> {
    let mut tokens = Vec::new();
    for number in numbers {
        let sent = ask(connection, "/store/customers/otp/send", None, &send_body(*number)).await?;
        let token = sent.get("token").and_then(Value::as_str).context("otp/send answered without a token")?;
        tokens.push((email(*number), token.to_owned()));
    }
    let begun = Instant::now();
    loop {
        let arrived = inbox(connection).await?;
        let found: Vec<Vec<u8>> = tokens
            .iter()
            .filter_map(|(email, token)| {
                let body = json!({ "token": token, "code": arrived.get(email)? }).to_string();
                Some(request("POST", "/store/customers/otp/verify", None, Some(&body)))
            })
            .collect();
        if found.len() == tokens.len() {
            return Ok(found);
        }
        if begun.elapsed() > PATIENCE {
            bail!("only {} of {} codes arrived in {} s", found.len(), tokens.len(), PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The newest code of each address in the development inbox.
pub(super) async fn inbox(connection: &mut Connection) -> Result<HashMap<String, String>> {
    let answer = connection.send(&request("GET", "/app/inbox.json", None, None)).await?;
    let body: Value = serde_json::from_slice(&answer.body).context("the inbox is no JSON")?;
    let messages = body.get("messages").and_then(Value::as_array).context("there is no inbox")?;
    let text = |message: &Value, name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
    // The newest comes first, so it is put in last.
    Ok(messages.iter().rev().filter_map(|message| Some((text(message, "to")?, text(message, "code")?))).collect())
}
