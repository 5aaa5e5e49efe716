//! One of the two shops that are compared: its customers, its server, and what is asked of it.

use std::collections::HashMap;
use std::iter;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{CONNECTIONS, Route};
use crate::bench::Bench;
use crate::bench::client::{Connection, request};
use crate::bench::codes::{BATCH, inbox};
use crate::bench::load::{self, MakeRequest, Round, fixed};
use crate::bench::program::Program;
use crate::bench::shop::{PASSWORD, SECRET, Shop, ask, token};
use crate::command;

/// How long messages may take to arrive: those of the load before are delivered first.
const PATIENCE: Duration = Duration::from_mins(5);
/// Who looks at the list of requests.
const ADMINISTRATOR: &str = "admin@shop.test";

/// Which customers; the words are `list-crowd`'s.
#[derive(Clone, Copy)]
pub(super) enum Who {
    Active,
    UnprovenPhone,
    Referrers,
    Leaving,
}

/// A customer.
pub(super) struct Person {
    email: String,
    phone: String,
    token: String,
}

/// Requests, and how many were sent: a round goes on where the last one ended.
pub(super) struct Requests {
    make: MakeRequest,
    sent: Arc<AtomicU64>,
    leave_messages: bool,
}

/// A shop and its running server.
pub(super) struct Side {
    /// How many customers it has.
    pub(super) customers: u32,
    url: String,
    shop: Shop,
    server: Program,
}

/// Migrates an empty database and fills it: what the tool says of that.
///
/// # Errors
/// When it fails.
pub(super) fn seed(bench: &Bench, url: &str, customers: u32) -> Result<String> {
    let said = command::output(&bench.scratch, &bench.example("seed")?, &[url, &customers.to_string()])?;
    Ok(said.trim().to_owned())
}

/// Reads a database through once: what the tool says of that.
///
/// # Errors
/// When it fails.
pub(super) fn warm(bench: &Bench, url: &str) -> Result<String> {
    let said = command::output(&bench.scratch, &bench.example("warm")?, &[url])?;
    Ok(said.trim().to_owned())
}

impl Side {
    /// Starts the server on a filled database.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) async fn open(bench: &Bench, url: &str, customers: u32) -> Result<Self> {
        let shop = Shop::new(url, &bench.scratch, &bench.program("customer-registration"))?;
        let server = Program::start(&shop.server).await?;
        Ok(Self { customers, url: url.to_owned(), shop, server })
    }

    /// Milliseconds from the start of its server to the first answer.
    pub(super) fn start_millis(&self) -> f64 {
        self.server.first_answer.as_secs_f64() * 1000.0
    }

    /// So many of its customers at most, all over the whole.
    ///
    /// # Errors
    /// When the tool fails.
    pub(super) fn people(&self, bench: &Bench, who: Who, most: usize) -> Result<Vec<Person>> {
        let who = match who {
            Who::Active => "active",
            Who::UnprovenPhone => "unproven-phone",
            Who::Referrers => "referrers",
            Who::Leaving => "leaving",
        };
        let (customers, most) = (self.customers.to_string(), most.to_string());
        let arguments = [customers.as_str(), who, most.as_str(), SECRET];
        let lines = command::output(&bench.scratch, &bench.example("list-crowd")?, &arguments)?;
        let people: Vec<Person> = lines.lines().filter_map(read_person).collect();
        if people.is_empty() {
            bail!("nobody of {} customers is {who}", self.customers);
        }
        Ok(people)
    }

    /// A round of them, and then whatever time it takes to deliver what they left.
    ///
    /// # Errors
    /// When one is refused, or a message stays.
    pub(super) async fn round(&self, length: Duration, requests: &Requests) -> Result<Round> {
        let round = load::run(self.server.address, CONNECTIONS, length, &requests.make, &requests.sent).await?;
        if requests.leave_messages {
            self.deliver_all().await?;
        }
        Ok(round)
    }

    /// Waits until nothing is left to deliver: it would be delivered while the other shop is measured.
    async fn deliver_all(&self) -> Result<()> {
        let begun = Instant::now();
        while self.shop.count_pending()? > 0 {
            if begun.elapsed() > PATIENCE {
                bail!("messages were not delivered in {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Sends a code to the phone of each of some customers, waits for the messages, and brings the codes back, all of them at once. Nobody
    /// can prove a phone twice, so what they wrote in a round before, or in another run, is taken back first; `unprove` is the tool that
    /// does.
    ///
    /// # Errors
    /// When the tool fails, a code does not arrive, or is refused.
    pub(super) async fn verify(&self, unprove: &str, people: &[Person]) -> Result<Round> {
        let phones = people.iter().map(|person| person.phone.as_str());
        command::output(Path::new("."), unprove, &iter::once(self.url.as_str()).chain(phones).collect::<Vec<_>>())?;
        let mut connection = Connection::open(self.server.address).await?;
        let mut requests = Vec::new();
        for batch in people.chunks(BATCH) {
            let mut tokens = Vec::new();
            for person in batch {
                let body = send_body(person);
                let sent = ask(&mut connection, "/store/customers/otp/send", Some(&person.token), &body).await?;
                tokens.push(token(&sent)?);
            }
            let codes = arrived(&mut connection, batch).await?;
            requests.extend(batch.iter().zip(&tokens).map(|(person, token)| {
                let body = json!({ "token": token, "code": codes.get(&person.phone) }).to_string();
                request("POST", "/store/customers/otp/verify", Some(&person.token), Some(&body))
            }));
        }
        self.deliver_all().await?;
        load::run_all(self.server.address, CONNECTIONS, requests).await
    }
}

/// The code of each customer's phone, once all are there.
async fn arrived(connection: &mut Connection, people: &[Person]) -> Result<HashMap<String, String>> {
    let begun = Instant::now();
    loop {
        let codes = inbox(connection).await?;
        let missing = people.iter().filter(|person| !codes.contains_key(&person.phone)).count();
        if missing == 0 {
            return Ok(codes);
        }
        if begun.elapsed() > PATIENCE {
            bail!("{missing} of {} codes did not arrive in {} s", people.len(), PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One request for each of some customers, in turns. Of those whose phone is not proven it is every second one: the others prove it, see
/// [`those_who_verify`], in this run or in another.
pub(super) fn requests(people: &[Person], route: &Route) -> Requests {
    let step = if matches!(route.who, Who::UnprovenPhone) { 2 } else { 1 };
    let all: Vec<Arc<[u8]>> = people.iter().step_by(step).map(|person| (route.make)(person).into()).collect();
    let make: MakeRequest =
        Arc::new(move |number| usize::try_from(number).ok().and_then(|number| all.get(number % all.len()).cloned()));
    Requests { make, sent: Arc::default(), leave_messages: route.sends }
}

/// Those of the customers with an unproven phone who are sent no codes under load, and may prove it.
pub(super) fn those_who_verify(people: Vec<Person>) -> impl ExactSizeIterator<Item = Person> {
    people.into_iter().skip(1).step_by(2)
}

/// Reads `e-mail TAB phone TAB token`.
fn read_person(line: &str) -> Option<Person> {
    let mut words = line.split('\t').map(str::to_owned);
    Some(Person { email: words.next()?, phone: words.next()?, token: words.next()? })
}

/// The customer.
pub(super) fn me(person: &Person) -> Vec<u8> {
    request("GET", "/store/customers/me", Some(&person.token), None)
}

/// Whom they brought.
pub(super) fn my_referrals(person: &Person) -> Vec<u8> {
    request("GET", "/store/my-referrals", Some(&person.token), None)
}

/// Another token in the place of theirs.
pub(super) fn refresh(person: &Person) -> Vec<u8> {
    request("POST", "/auth/token/refresh", Some(&person.token), None)
}

/// A login with the right password.
pub(super) fn login(person: &Person) -> Vec<u8> {
    let body = json!({ "email": person.email, "password": PASSWORD }).to_string();
    request("POST", "/auth/customer/emailpass", None, Some(&body))
}

/// A link for a new password; its look-up is that of a login.
pub(super) fn reset(person: &Person) -> Vec<u8> {
    let body = json!({ "email": person.email }).to_string();
    request("POST", "/auth/customer/emailpass/reset-password", None, Some(&body))
}

/// A code for who wants to stay after all.
pub(super) fn cancel(person: &Person) -> Vec<u8> {
    let body = json!({ "email": person.email }).to_string();
    request("POST", "/store/customers/account-deletion/cancel-request", None, Some(&body))
}

/// A code for the customer's phone, asked for with their login.
pub(super) fn send(person: &Person) -> Vec<u8> {
    request("POST", "/store/customers/otp/send", Some(&person.token), Some(&send_body(person)))
}

/// What asks for that code.
fn send_body(person: &Person) -> String {
    json!({ "type": "phone_verification", "phone": person.phone }).to_string()
}

/// Who may see the list of requests.
pub(super) struct Administrator {
    token: String,
}

impl Administrator {
    /// The administrator of a shop, made now where there is none yet.
    ///
    /// # Errors
    /// When one cannot be made, or not log in.
    pub(super) async fn of(side: &Side) -> Result<Self> {
        // A shop that was filled and measured before has one. What else may be wrong shows at the second try.
        if let Ok(administrator) = Self::log_in(side.server.address).await {
            return Ok(administrator);
        }
        side.shop.make_user(ADMINISTRATOR)?;
        Self::log_in(side.server.address).await
    }

    /// Logs in.
    async fn log_in(address: SocketAddr) -> Result<Self> {
        let mut connection = Connection::open(address).await?;
        let body = json!({ "email": ADMINISTRATOR, "password": PASSWORD }).to_string();
        let answer: Value = ask(&mut connection, "/auth/user/emailpass", None, &body).await?;
        Ok(Self { token: token(&answer).context("the administrator got no token")? })
    }

    /// The first page of the list, again and again.
    pub(super) fn list(&self) -> Requests {
        let list = request("GET", "/admin/account-deletion-requests", Some(&self.token), None);
        Requests { make: fixed(list), sent: Arc::default(), leave_messages: false }
    }
}
