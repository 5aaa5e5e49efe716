//! The shop that is attacked: replicas on one database and one clock, asked in turns; and the bots' dice.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use cr_core::env::{Clock, Env, Rng};
use cr_core::modules::auth::token;
use cr_core::password::HashParams;
use cr_server::start::Started;
use cr_server::state::ServerState;
use cr_testkit::{Frozen, START, TestDatabase, seeded};
use http::Request;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, build, exchange};

/// Everything that can be asked for, and every limit and wait as it is when nobody says otherwise.
pub(crate) const DEFAULTS: &str = r#"
[projectConfig.http]
jwtSecret = "a test's jwt secret of thirty-two bytes or more"
cookieSecret = "a test's cookie secret of thirty-two bytes or more"
trustProxy = []

[options]
storefrontUrl = "http://localhost:8000"
email_verification = { channel = "email" }
phone_verification = { channel = "sms" }
account_deletion_request = { template = "builtin" }
account_deletion_cancel = { template = "builtin" }
password_reset = { template = "builtin", sms_body = "Reset your password: {{reset_url}}" }

[options.registration]
identifier = "both"

[options.login]
identifier = "both"

[[notification.providers]]
id = "local"
channels = ["email", "sms"]
"#;

pub(crate) const SEND: &str = "/store/customers/otp/send";
pub(crate) const VERIFY: &str = "/store/customers/otp/verify";
pub(crate) const CONTACT: &str = "/store/customers/me/contact";
pub(crate) const CONTACT_VERIFY: &str = "/store/customers/me/contact/verify";
pub(crate) const DELETION: &str = "/store/customers/account-deletion/request";
pub(crate) const DELETION_CONFIRM: &str = "/store/customers/account-deletion/confirm";
pub(crate) const CANCEL: &str = "/store/customers/account-deletion/cancel-request";
pub(crate) const CANCEL_CONFIRM: &str = "/store/customers/account-deletion/cancel-confirm";
pub(crate) const REGISTER: &str = "/auth/customer/emailpass/register";
pub(crate) const LOGIN: &str = "/auth/customer/emailpass";
pub(crate) const RESET: &str = "/auth/customer/emailpass/reset-password";
pub(crate) const CHANGE_PASSWORD: &str = "/store/customers/change-password";

/// Client addresses of the botnet.
pub(crate) const BOTS: u32 = 1_000;
/// An address that is no bot's.
pub(crate) const HOME: u32 = 1_000_000;

/// Replicas on one database. Nothing is delivered: what would be is in the outbox, payloads and all.
pub(crate) struct Shop {
    /// The time of all replicas.
    pub(crate) clock: Arc<Frozen>,
    replicas: Vec<Arc<ServerState>>,
    turn: AtomicUsize,
    _folders: Vec<tempfile::TempDir>,
}

impl Shop {
    /// Replicas with [`DEFAULTS`]: three on PostgreSQL; one on SQLite, which one server alone may have.
    pub(crate) async fn open(database: &TestDatabase, hashing: HashParams) -> Arc<Self> {
        let clock = Frozen::at(START);
        let replicas = if matches!(database, TestDatabase::Postgres { .. }) { 3 } else { 1 };
        let (mut states, mut folders) = (Vec::new(), Vec::new());
        for replica in 0..replicas {
            let env = Env { clock: Arc::clone(&clock) as Arc<dyn Clock>, rng: seeded(replica + 1) };
            let (Started { state, .. }, folder) = build(database, DEFAULTS, &[], env, hashing).await;
            states.push(state);
            folders.push(folder);
        }
        Arc::new(Self { clock, replicas: states, turn: AtomicUsize::new(0), _folders: folders })
    }

    /// How many servers there are.
    pub(crate) fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// The present in milliseconds.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().millis()
    }

    /// One of the replicas, for what they all have: keys.
    pub(crate) fn state(&self) -> &Arc<ServerState> {
        &self.replicas[0]
    }

    /// A `POST` from an address to the next replica.
    pub(crate) async fn ask(&self, address: u32, path: &str, bearer: Option<&str>, body: &Value) -> Answer {
        let mut request = Request::builder().method("POST").uri(path).header("content-type", "application/json");
        if let Some(token) = bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let next = self.turn.fetch_add(1, Ordering::Relaxed) % self.replicas.len();
        exchange(&self.replicas[next], SocketAddr::from((ip(address), 4000)), request).await
    }

    /// A wrong code for a token: whether it was compared with the right one. The guess is no number, so that it never hits.
    pub(crate) async fn guess(&self, address: u32, path: &str, bearer: Option<&str>, token: &str) -> bool {
        let answer = self.ask(address, path, bearer, &json!({"token": token, "code": "guess"})).await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{path}: {} {}", answer.status, answer.text);
        answer.text.contains("Invalid OTP code")
    }

    /// The id of the code that a token belongs to: the idempotency key of its message.
    pub(crate) fn otp_id(&self, token: &str) -> String {
        token::read_otp(&self.state().app.shared.keys, token).unwrap().id.as_str().to_owned()
    }
}

/// The address of a bot: one of RFC 2544's, which are nobody's.
fn ip(address: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + address)
}

/// Does jobs, so many at once, and collects what came of them in the order in which they ended.
pub(crate) async fn at_once<J, T, F>(width: usize, jobs: Vec<J>, work: impl Fn(J) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    for job in jobs {
        if running.len() >= width {
            done.extend(running.join_next().await.map(Result::unwrap));
        }
        running.spawn(work(job));
    }
    done.extend(running.join_all().await);
    done
}

/// Draws that are the same at every run.
pub(crate) struct Dice(Arc<dyn Rng>);

impl Dice {
    /// Dice of a seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seeded(seed))
    }

    /// A number from 0 that is smaller than `end`.
    pub(crate) fn below(&self, end: u32) -> u32 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u32::try_from(u64::from_le_bytes(bytes) % u64::from(end)).unwrap()
    }

    /// One of some.
    pub(crate) fn pick<T: Copy>(&self, of: &[T]) -> T {
        of[usize::try_from(self.below(u32::try_from(of.len()).unwrap())).unwrap()]
    }
}

/// The chance that one of so many guesses at codes of six digits is right, in percent.
pub(crate) fn success_percent(guesses: usize) -> f64 {
    100.0 * (1.0 - (1.0_f64 - 1e-6).powi(i32::try_from(guesses).unwrap()))
}
