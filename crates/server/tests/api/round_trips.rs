//! How often a request asks the database: each statement of the hot routes is counted, with what begins and ends transactions, under
//! the limits that a shop has by default.
//!
//! A server of its own is measured, with one connection, so that a request that held one while it waited for another would fail here. It
//! runs no worker; another server on the same database delivers what it sends. What is pinned is the second time round: the
//! first prepares the statements.

mod log;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use cr_db::DatabaseKind;
use cr_server::start::Started;
use cr_testkit::{Frozen, TestDatabase, newer_medusa};
use http::{Method, Request};
use serde_json::{Value, json};
use tracing::Instrument as _;

use self::wire::Wire;
use crate::gateway::upstream;
use crate::stage::{request, stage};
use crate::support::{self, Answer, CHEAP, DEVELOPMENT, PASSWORD, TestServer};

/// Every request that is measured, in order: its statements on SQLite, its round trips on PostgreSQL, and where that is more than one,
/// what for.
const COSTS: [(&str, usize, usize, &str); 28] = [
    ("register", 8, 6, "it is counted and committed before the hash; then identity and credential"),
    ("POST /store/customers", 9, 10, "who has the contacts, the customer, the identity; on PostgreSQL their locks"),
    ("otp/send, own", 6, 6, "identity, account, counters, the code with its message"),
    (
        "otp/send, own, too soon",
        10,
        10,
        "refused as a send, and rolled back; then counters and code; what it says must be durable",
    ),
    ("otp/verify, wrong", 3, 1, "the guess is counted for its code and its subject, and committed"),
    ("otp/verify, own", 10, 8, "the guess is counted and committed; then the contact is proven, and a login"),
    ("login from a new address", 6, 4, "as a login, and the address is remembered"),
    ("login", 3, 3, "counters, credential, and after the hash the customer"),
    ("login, wrong password", 6, 6, "the counters and the credential; then the failure is counted for both"),
    ("login, nobody's", 6, 6, "as a wrong password"),
    ("GET me, by token", 1, 1, ""),
    ("POST /auth/session", 1, 1, ""),
    ("GET me, by session", 1, 1, ""),
    ("refresh", 2, 2, "the identity, then its customer"),
    ("otp/send, own, by login", 5, 5, "the customer, counters, the code with its message"),
    (
        "otp/verify, own, by login",
        12,
        10,
        "as by the registration's token; and the phone becomes a login, under the password that there is",
    ),
    ("me/contact, nobody's e-mail", 11, 11, "who has it, as many looked up for nobody; then as a send"),
    ("me/contact, an unproven e-mail", 11, 11, "as nobody's"),
    ("me/contact, nobody's phone", 10, 10, "as an e-mail, but for the accounts that have it"),
    ("me/contact, an unproven phone", 10, 10, "as nobody's"),
    ("otp/send, anonymous", 5, 5, "account and credential, counters, the code with its message"),
    ("otp/send, nobody's", 5, 5, "as somebody's"),
    ("otp/verify, anonymous", 10, 8, "the guess is counted and committed; then the contact is proven"),
    ("GET me, with a publishable key", 1, 1, ""),
    ("otp/send, nobody's, with a publishable key", 6, 6, "the key; then as a send"),
    ("GET me, with an address", 1, 1, ""),
    (
        "GET me, with a stale flag",
        5,
        6,
        "once, where Medusa's admin changed the e-mail: held, read again, and corrected",
    ),
    ("proxied, with a token", 1, 1, ""),
];

/// A server whose requests are measured.
struct Measured {
    started: Started,
    clock: Arc<Frozen>,
    wire: Option<Wire>,
    _folder: tempfile::TempDir,
}

impl Measured {
    /// Builds it on a database, with these texts of the configuration replaced. `seed` makes its ids different from another's.
    async fn build(database: &TestDatabase, seed: u64, edits: &[(&str, &str)]) -> Self {
        let (before, limits) = DEVELOPMENT.split_once("[options.limits]").unwrap();
        let after = limits.split_once("[[notification").unwrap().1;
        let mut config = format!("{before}[[notification{after}").replace(", resendThrottleSeconds = 0", "");
        let pool = "[projectConfig.databaseDriverOptions.pool]\nmin = 0\nmax = 1\n\n[projectConfig.http]";
        for (from, to) in [("[projectConfig.http]", pool)].iter().chain(edits) {
            assert!(config.contains(from), "the configuration has no {from}");
            config = config.replace(from, to);
        }
        let wire = match database.kind() {
            DatabaseKind::Postgres => Some(Wire::start(database.url()).await),
            DatabaseKind::Sqlite => None,
        };
        let url = wire.as_ref().map_or_else(|| database.url().to_owned(), |wire| wire.url(database.url()));
        let (env, clock) = cr_testkit::env(seed);
        let (started, folder) = support::build(database, &config, &[("DATABASE_URL", &url)], env, CHEAP).await;
        Self { started, clock, wire, _folder: folder }
    }

    /// Sends a request: the answer, and what the database was asked meanwhile.
    async fn ask(&self, request: Request<Body>) -> (Answer, Vec<String>) {
        let state = &self.started.state;
        // Whatever came before is over once the only connection is free.
        drop(state.app.db.read().await.unwrap());
        if let Some(wire) = &self.wire {
            wire.take();
        }
        let span = log::begin();
        let answer = support::exchange(state, SocketAddr::from(([127, 0, 0, 1], 4000)), request);
        let answer = answer.instrument(span.clone()).await;
        let again = state.app.db.read().await.unwrap();
        let trips = if let Some(wire) = &self.wire {
            wire.take()
        } else {
            // The writer may be a moment behind, too.
            state.app.db.begin().await.unwrap().roll_back().await.unwrap();
            log::take(&span)
        };
        drop(again);
        (answer, trips)
    }
}

/// One time round all requests, by customers of its own.
struct Walk<'a> {
    /// Delivers messages.
    server: &'a TestServer,
    clock: &'a Frozen,
    number: u32,
    heard: Vec<(&'static str, Vec<String>)>,
}

impl Walk<'_> {
    /// Sends a request and files what it cost under its name.
    async fn send(&mut self, name: &'static str, to: &Measured, status: u16, request: Request<Body>) -> Answer {
        let (answer, trips) = to.ask(request).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {}", answer.text);
        // To see whether a connection is well the driver asks nothing; nobody's statement waits for it to be counted here.
        self.heard.push((name, trips.into_iter().filter(|trip| !trip.is_empty()).collect()));
        answer
    }

    /// `POST` with a JSON body.
    async fn post(
        &mut self,
        name: &'static str,
        to: &Measured,
        status: u16,
        (path, bearer, body): (&str, Option<&str>, Value),
    ) -> Answer {
        let bearer = bearer.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.send(name, to, status, request(Method::POST, path, &headers, Some(body))).await
    }

    /// From the registration to a login token.
    async fn sign_up(&mut self, shop: &Measured) -> String {
        let (email, phone) = (self.email(), format!("+1555123456{}", self.number));
        let body = json!({"email": email, "password": PASSWORD});
        let registered =
            self.post("register", shop, 200, ("/auth/customer/emailpass/register", None, body)).await.field("/token");
        let body = json!({"email": email, "phone": phone});
        self.post("POST /store/customers", shop, 200, ("/store/customers", Some(&registered), body)).await;
        let body = json!({"type": "email_verification", "email": email});
        let sent = self.post("otp/send, own", shop, 200, (SEND, Some(&registered), body.clone())).await.field("/token");
        self.post("otp/send, own, too soon", shop, 200, (SEND, Some(&registered), body)).await;
        let code = self.server.code_to(&email).await;
        let body = json!({"token": sent, "code": other_code(&code)});
        self.post("otp/verify, wrong", shop, 400, (VERIFY, Some(&registered), body)).await;
        let body = json!({"token": sent, "code": code});
        self.post("otp/verify, own", shop, 200, (VERIFY, Some(&registered), body)).await.field("/token")
    }

    /// Logins of the customer, and of nobody.
    async fn log_in(&mut self, shop: &Measured) {
        let email = self.email();
        let good = json!({"email": email, "password": PASSWORD});
        self.post("login from a new address", shop, 200, (LOGIN, None, good.clone())).await;
        self.post("login", shop, 200, (LOGIN, None, good)).await;
        let body = json!({"email": email, "password": "Wr0ng-p4ssword"});
        self.post("login, wrong password", shop, 401, (LOGIN, None, body)).await;
        let body = json!({"email": format!("nobody{}@example.com", self.number), "password": PASSWORD});
        self.post("login, nobody's", shop, 401, (LOGIN, None, body)).await;
    }

    /// What a storefront does all the time.
    async fn come_back(&mut self, shop: &Measured, login: &str) {
        let bearer = format!("Bearer {login}");
        let by_token = request(Method::GET, ME, &[("authorization", &bearer)], None);
        self.send("GET me, by token", shop, 200, by_token).await;
        let opened = self.post("POST /auth/session", shop, 200, ("/auth/session", Some(login), json!({}))).await;
        let cookie = opened.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        self.send("GET me, by session", shop, 200, request(Method::GET, ME, &[("cookie", &cookie)], None)).await;
        self.post("refresh", shop, 200, ("/auth/token/refresh", Some(login), json!({}))).await;
        let phone = format!("+1555123456{}", self.number);
        let body = json!({"type": "phone_verification", "phone": phone});
        let sent = self.post("otp/send, own, by login", shop, 200, (SEND, Some(login), body)).await.field("/token");
        let body = json!({"token": sent, "code": self.server.code_to(&phone).await});
        self.post("otp/verify, own, by login", shop, 200, (VERIFY, Some(login), body)).await;
    }

    /// Wishes for another contact, which somebody has without having proven it, and which nobody has.
    async fn change(&mut self, shop: &Measured, login: &str) {
        let (email, phone) = self.others();
        for (name, body) in [
            ("me/contact, nobody's e-mail", json!({"email": format!("free{}@example.com", self.number)})),
            ("me/contact, an unproven e-mail", json!({"email": email})),
            ("me/contact, nobody's phone", json!({"phone": format!("+1555123458{}", self.number)})),
            ("me/contact, an unproven phone", json!({"phone": phone})),
        ] {
            // Beyond the throttle.
            shop.clock.advance_seconds(3600);
            self.clock.advance_seconds(3600);
            self.post(name, shop, 200, ("/store/customers/me/contact", Some(login), body)).await;
        }
    }

    /// The contacts of somebody who has proven neither, and logs in with both, as from an import.
    fn others(&self) -> (String, String) {
        (format!("other{}@example.com", self.number), format!("+1555123457{}", self.number))
    }

    /// Codes for somebody who shows nothing, and for nobody.
    async fn prove_without_a_token(&mut self, shop: &Measured) {
        let (email, _) = self.others();
        let body = json!({"type": "email_verification", "email": email});
        let sent = self.post("otp/send, anonymous", shop, 200, (SEND, None, body)).await.field("/token");
        let body = json!({"type": "email_verification", "email": format!("nobody{}@example.com", self.number)});
        self.post("otp/send, nobody's", shop, 200, (SEND, None, body)).await;
        let code = self.server.code_to(&email).await;
        let body = json!({"token": sent, "code": code});
        self.post("otp/verify, anonymous", shop, 200, (VERIFY, None, body)).await;
    }

    /// The customer's e-mail.
    fn email(&self) -> String {
        format!("round{}@example.com", self.number)
    }
}

const SEND: &str = "/store/customers/otp/send";
const VERIFY: &str = "/store/customers/otp/verify";
const LOGIN: &str = "/auth/customer/emailpass";
const ME: &str = "/store/customers/me";

/// The begin of a statement, on one line.
fn shortened(statement: &str) -> String {
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(160).collect()
}

/// A code that is not this one.
fn other_code(code: &str) -> &'static str {
    if code == "000000" { "111111" } else { "000000" }
}

/// The trips of every request, the second time round.
async fn measure(database: &TestDatabase) -> Vec<(&'static str, Vec<String>)> {
    let (server, clock) = stage(database, &[]).await;
    let key = create_api_key::run(&server.app, ApiKeyType::Publishable, "shop").await.unwrap();
    let upstream = format!("[gateway]\nupstream = \"http://{}\"\n\n[options]\n", upstream::start().await);
    let shop = Measured::build(database, 2, &[]).await;
    let keyed =
        Measured::build(database, 3, &[("trustProxy = []", "trustProxy = []\npublishableKey = \"required\"")]).await;
    let gateway = Measured::build(database, 4, &[("[options]\n", &upstream)]).await;
    let mut heard = Vec::new();
    for number in 0..2 {
        let mut walk = Walk { server: &server, clock: &clock, number, heard: Vec::new() };
        let login = walk.sign_up(&shop).await;
        walk.log_in(&shop).await;
        walk.come_back(&shop, &login).await;
        let (email, phone) = walk.others();
        server.customer(&email, &phone).await;
        database
            .sql(&format!(
                "insert into provider_identity (id, entity_id, provider, auth_identity_id, created_at, updated_at) \
                 select 'phone of {number}', '{phone}', 'phonepass', auth_identity_id, created_at, updated_at \
                 from provider_identity where entity_id = '{email}'"
            ))
            .await;
        walk.change(&shop, &login).await;
        walk.prove_without_a_token(&shop).await;
        let bearer = format!("Bearer {login}");
        let headers = [("authorization", bearer.as_str()), ("x-publishable-api-key", key.as_str())];
        walk.send("GET me, with a publishable key", &keyed, 200, request(Method::GET, ME, &headers, None)).await;
        let body = json!({"type": "email_verification", "email": format!("nobody{number}@keyed.example.com")});
        let send = request(Method::POST, SEND, &[("x-publishable-api-key", key.as_str())], Some(body));
        walk.send("otp/send, nobody's, with a publishable key", &keyed, 200, send).await;
        database
            .sql(&format!(
                "insert into customer_address (id, customer_id) select 'address of {number}', id from customer \
                 where email = 'round{number}@example.com'"
            ))
            .await;
        let bearer_alone = [("authorization", bearer.as_str())];
        let me = request(Method::GET, ME, &bearer_alone, None);
        let shown = walk.send("GET me, with an address", &shop, 200, me).await;
        assert_eq!(shown.field("/customer/addresses/0/id"), format!("address of {number}"));
        database
            .sql(&format!("update customer set email = 'admins{number}@example.com' where email = '{}'", walk.email()))
            .await;
        let me = request(Method::GET, ME, &bearer_alone, None);
        walk.send("GET me, with a stale flag", &shop, 200, me).await;
        let proxied = request(Method::GET, "/store/carts", &[("authorization", &bearer)], None);
        walk.send("proxied, with a token", &gateway, 200, proxied).await;
        heard = walk.heard;
    }
    server.stop().await;
    heard
}

cr_testkit::both! {
    /// Each round trip is waited for, and on SQLite each statement is a change of threads while nobody else may write.
    async fn a_request_asks_the_database_no_more_often_than_it_must(database: TestDatabase) {
        let heard = measure(&database).await;
        assert!(COSTS.iter().map(|cost| cost.0).eq(heard.iter().map(|(name, _)| *name)), "what the table has");
        let mut wrong = Vec::new();
        for ((name, sqlite, postgres, why), (_, trips)) in COSTS.into_iter().zip(&heard) {
            let expected = match database.kind() {
                DatabaseKind::Sqlite => sqlite,
                DatabaseKind::Postgres => postgres,
            };
            if trips.len() != expected {
                let told: Vec<String> = trips.iter().map(|trip| shortened(trip)).collect();
                wrong.push(format!("{name}: {} in the place of {expected} ({why})\n  {}", trips.len(), told.join("\n  ")));
            }
            assert_eq!(why.is_empty(), sqlite.max(postgres) == 1, "{name}: what is more than one has a reason");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        // Who asks must not learn from the time it takes whether there is somebody.
        for (one, other) in [
            ("otp/send, anonymous", "otp/send, nobody's"),
            ("login, wrong password", "login, nobody's"),
            ("me/contact, an unproven e-mail", "me/contact, nobody's e-mail"),
            ("me/contact, an unproven phone", "me/contact, nobody's phone"),
        ] {
            let of = |wanted: &str| &heard.iter().find(|(name, _)| *name == wanted).unwrap().1;
            assert_eq!(of(one), of(other), "{one} and {other}");
        }
    }

    /// Medusa 2.16 and newer keep what they have confirmed in a table of their own.
    async fn beside_a_newer_medusa_an_unproven_contact_is_one_look_more(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        database.sql(&newer_medusa::auth_verification(&database)).await;
        let shop = Measured::build(&database, 2, &[]).await;
        let mut walk = Walk { server: &server, clock: &clock, number: 0, heard: Vec::new() };
        let login = walk.sign_up(&shop).await;
        walk.heard.clear();
        for phone in ["phone_verified", "true"] {
            database.sql(&format!("update customer set phone = case when {phone} then null else phone end")).await;
            for _ in 0..2 {
                let me = request(Method::GET, ME, &[("authorization", &format!("Bearer {login}"))], None);
                walk.send("GET me", &shop, 200, me).await;
            }
        }
        // The first of each two prepares what it asks.
        let trips: Vec<usize> = walk.heard.iter().skip(1).step_by(2).map(|(_, trips)| trips.len()).collect();
        assert_eq!(trips, [2, 1], "{:?}", walk.heard);
        server.stop().await;
    }
}
