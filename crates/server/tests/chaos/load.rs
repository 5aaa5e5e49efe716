//! Customers who go on while things go wrong, what they were told, and whether it was true.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cr_testkit::{TestDatabase, WebhookSink};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::customer::PASSWORD;
use crate::program::PATIENCE;
use crate::shop::WEBHOOK_SECRET;
use crate::whole::check_whole;
use crate::wire::{self, Answer};

/// How long an answer may take whatever happens: three seconds for a connection, six for a statement, and as much again for
/// passwords that wait on a busy machine.
pub(crate) const LONGEST: Duration = Duration::from_secs(18);

/// Who went through, and with what answers.
#[derive(Default)]
pub(crate) struct Ledger {
    people: Mutex<Vec<Person>>,
    refusals: AtomicUsize,
    cuts: AtomicUsize,
    answers: AtomicUsize,
    turns: AtomicUsize,
    longest: Mutex<Duration>,
}

/// What one customer was told.
#[derive(Clone, Default)]
struct Person {
    /// The id of an answer 200.
    id: Option<String>,
    /// Sends answered 200.
    accepted: usize,
    /// Sends asked for.
    tried: usize,
}

/// Where requests go now.
pub(crate) type Where = watch::Receiver<Vec<SocketAddr>>;

/// Customers who come one after the other, several at once.
pub(crate) struct Load {
    /// What they were told.
    pub(crate) ledger: Arc<Ledger>,
    clients: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Load {
    /// Begins with so many at once.
    pub(crate) fn start(clients: usize, to: &Where) -> Self {
        let ledger = Arc::new(Ledger::default());
        let (stop, stopped) = watch::channel(false);
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let visitor = Visitor { to: to.clone(), ledger: Arc::clone(&ledger), stopped: stopped.clone() };
            let next = Arc::clone(&next);
            tasks.spawn(async move {
                while !*visitor.stopped.borrow() {
                    visitor.come(next.fetch_add(1, Ordering::Relaxed)).await;
                }
            });
        }
        Self { ledger, clients: tasks, stop }
    }

    /// Somebody who logs in by a proven phone besides, reads and refreshes, until the end.
    pub(crate) fn log_in(&mut self, phone: &str, to: &Where) {
        let visitor = Visitor { to: to.clone(), ledger: Arc::clone(&self.ledger), stopped: self.stop.subscribe() };
        let login = json!({"phone": phone, "password": PASSWORD});
        self.clients.spawn(async move {
            while !*visitor.stopped.borrow() {
                visitor.shop(&login).await;
            }
        });
    }

    /// Waits until so many customers have all that they came for.
    ///
    /// # Panics
    /// When they do not get it in time.
    pub(crate) async fn through(&self, customers: usize) {
        let through = async {
            while self.ledger.customers() < customers {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let went = tokio::time::timeout(PATIENCE, through).await;
        went.unwrap_or_else(|_| panic!("not {customers} customers: {}", self.ledger.told()));
    }

    /// Lets everybody finish what they are at.
    ///
    /// # Panics
    /// When somebody was told what nobody may be told.
    pub(crate) async fn end(mut self) -> Arc<Ledger> {
        self.stop.send_replace(true);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        self.ledger
    }
}

/// Somebody who registers, asks for codes, and asks again where the server could not.
struct Visitor {
    to: Where,
    ledger: Arc<Ledger>,
    stopped: watch::Receiver<bool>,
}

impl Visitor {
    /// One customer, from the registration to two codes; given up when the load ends.
    async fn come(&self, number: usize) {
        let (email, phone) = (format!("visitor{number}@example.com"), format!("+1555{number:07}"));
        let body = json!({"email": email, "password": PASSWORD});
        let Some(registered) = self.until_told("/auth/customer/emailpass/register", "", &body, &[200]).await else {
            return;
        };
        let bearer = format!("authorization: Bearer {}\r\n", registered.field("/token"));
        let body = json!({"email": email, "phone": phone});
        // 422: an earlier try came true although its answer could not say so.
        let Some(created) = self.until_told("/store/customers", &bearer, &body, &[200, 422]).await else { return };
        if created.status == 422 {
            return;
        }
        let mut person = Person { id: Some(created.field("/customer/id")), ..Person::default() };
        for kind in ["email_verification", "phone_verification"] {
            let body = json!({"customer_id": person.id, "type": kind});
            person.tried += 1;
            let answer = self.ask("/store/customers/otp/send", &bearer, &body, &[200]).await;
            person.accepted += usize::from(answer.is_some_and(|answer| answer.status == 200));
        }
        // Nothing of it is proven, and nobody is leaving: refused, and answered as somebody who is.
        let body = json!({"email": email, "password": PASSWORD});
        self.ask("/auth/customer/emailpass", "", &body, &[401]).await;
        self.ask("/store/customers/account-deletion/cancel-request", "", &json!({"email": email}), &[200]).await;
        self.ledger.people.lock().unwrap().push(person);
    }

    /// A login, what a storefront asks then, and a fresh token.
    async fn shop(&self, login: &Value) {
        let answer = self.ask("/auth/customer/emailpass", "", login, &[200]).await;
        let Some(answer) = answer.filter(|answer| answer.status == 200) else { return };
        let bearer = format!("authorization: Bearer {}\r\n", answer.field("/token"));
        for _ in 0..5 {
            self.request("GET", "/store/customers/me", &bearer, "", &[200]).await;
        }
        self.ask("/auth/token/refresh", &bearer, &json!({}), &[200]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    /// Asks until the answer is one of these; `None` when the load ended before.
    async fn until_told(&self, path: &str, headers: &str, body: &Value, expected: &[u16]) -> Option<Answer> {
        loop {
            let answer = self.ask(path, headers, body, expected).await;
            if let Some(answer) = answer.filter(|answer| answer.status != 503) {
                return Some(answer);
            }
            if *self.stopped.borrow() {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One `POST`, as [`Self::request`].
    async fn ask(&self, path: &str, headers: &str, body: &Value, expected: &[u16]) -> Option<Answer> {
        self.request("POST", path, headers, &body.to_string(), expected).await
    }

    /// One request. `None` when the connection was cut before the answer.
    ///
    /// # Panics
    /// When the answer is neither expected nor a clear "not now", or did not come in time.
    async fn request(&self, method: &str, path: &str, headers: &str, body: &str, expected: &[u16]) -> Option<Answer> {
        let begun = Instant::now();
        let Ok(answer) = self.exchange(method, path, headers, body).await else {
            self.ledger.cuts.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let took = begun.elapsed();
        assert!(took < LONGEST, "{path}: {took:?}, {answer:?}");
        let mut longest = self.ledger.longest.lock().unwrap();
        *longest = took.max(*longest);
        self.ledger.answers.fetch_add(1, Ordering::Relaxed);
        if answer.status == 503 {
            assert_says_not_now(&answer);
            self.ledger.refusals.fetch_add(1, Ordering::Relaxed);
        } else {
            assert!(expected.contains(&answer.status), "{path}: {answer:?}");
        }
        Some(answer)
    }
}

impl Visitor {
    /// One request to one of the servers in turn; to the next where nobody listens, as a load balancer does.
    async fn exchange(&self, method: &str, path: &str, headers: &str, body: &str) -> std::io::Result<Answer> {
        loop {
            let all = self.to.borrow().clone();
            let turn = self.ledger.turns.fetch_add(1, Ordering::Relaxed);
            let one = all[turn % all.len()];
            match wire::exchange(one, method, path, headers, body).await {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                other => return other,
            }
        }
    }
}

/// A 503 that a client can act on, and that tells nothing of the inside.
pub(crate) fn assert_says_not_now(answer: &Answer) {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let known = json!({"type": "unavailable", "message": "The database cannot be reached at the moment"});
    assert_eq!((answer.status, &body), (503, &known), "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

impl Ledger {
    /// Customers who were told that they have an account.
    pub(crate) fn customers(&self) -> usize {
        self.people.lock().unwrap().len()
    }

    /// Answers 503.
    pub(crate) fn refusals(&self) -> usize {
        self.refusals.load(Ordering::Relaxed)
    }

    /// Requests whose connection ended before the answer.
    pub(crate) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }

    /// Holds what was told against what is there, once the server is well again; `texts` got all messages.
    ///
    /// # Panics
    /// When something is missing, half there, or was not delivered.
    pub(crate) async fn check(&self, database: &TestDatabase, texts: &WebhookSink) {
        check_whole(database).await;
        let people = self.people.lock().unwrap().clone();
        for person in &people {
            let id = person.id.as_deref().unwrap();
            let whole = format!(
                "select p.id from provider_identity p join auth_identity a on a.id = p.auth_identity_id \
                 join customer c on c.email = p.entity_id where c.id = '{id}' and c.has_account \
                 and cast(a.app_metadata as text) like '%{id}%'"
            );
            assert_eq!(database.rows(&whole).await.len(), 1, "{id} was promised an account");
            let sends = database.rows(&format!("select id from cr_outbox where receiver_id = '{id}'")).await.len();
            let Person { accepted, tried, .. } = person;
            assert!((*accepted..=*tried).contains(&sends), "{id}: {accepted} of {tried} accepted, {sends} are there");
        }
        let nobodys = "select c.id from customer c where c.has_account and c.deleted_at is null and not exists (select 1 from auth_identity a \
                       where cast(a.app_metadata as text) like '%' || c.id || '%')";
        assert!(database.rows(nobodys).await.is_empty(), "customers whom nobody can log in as");
        assert_delivered(database, texts).await;
    }

    /// What came of it, in one line.
    pub(crate) fn told(&self) -> String {
        let answers = self.answers.load(Ordering::Relaxed);
        let (refusals, cuts, customers) = (self.refusals(), self.cuts(), self.customers());
        let longest = *self.longest.lock().unwrap();
        format!(
            "{answers} answers, {refusals} of them 503, the longest after {longest:.1?}; {cuts} connections cut; \
             {customers} customers"
        )
    }
}

/// Every message of the outbox has come out of it, and reached the other side.
async fn assert_delivered(database: &TestDatabase, texts: &WebhookSink) {
    let waiting = async {
        loop {
            // The minute of a worker whose claim was cut off need not pass here.
            crate::whole::let_leases_end(database).await;
            let rows = database.rows("select id, status, last_error from cr_outbox where status <> 'delivered'").await;
            if rows.is_empty() {
                return;
            }
            assert!(rows.iter().all(|row| row["status"] != "dead"), "{rows:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("messages stay in the outbox"));
    let arrived: BTreeSet<String> =
        texts.requests().iter().filter_map(|request| request.header("idempotency-key").map(str::to_owned)).collect();
    for row in database.rows("select idempotency_key from cr_outbox").await {
        let key = row["idempotency_key"].as_str().unwrap();
        assert!(arrived.contains(key), "{key} was never sent");
    }
}

/// The configuration that hands all messages to one endpoint.
pub(crate) fn messages_to(texts: &WebhookSink) -> String {
    format!(
        "\n[[notification.providers]]\nid = \"webhook\"\nchannels = [\"email\", \"sms\"]\n\
         options = {{ url = \"{}/messages\", secret = \"{WEBHOOK_SECRET}\" }}\n",
        texts.url()
    )
}
