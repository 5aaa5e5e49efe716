//! What these tests share: a shop with frozen time, and the ways a customer takes through it.

use std::sync::Arc;

use cr_core::app::App;
use cr_core::delivery::payload::Payload;
use cr_core::error::{Error, ErrorKind};
use cr_core::keys::Seal;
use cr_core::modules::auth::session;
use cr_core::modules::auth::token::{self, AuthClaims};
use cr_core::modules::customer::Session;
use cr_core::options::{ContactType, Identifier, Options, OtpSection, PasswordResetSection, TemplateSource};
use cr_core::password::HashParams;
use cr_core::workflows::{create_customer, login, register, request_password_reset, send_otp, verify_otp};
use cr_testkit::{Frozen, StepFaults, TestDatabase};
use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "Tr0ub4dor&3x";

/// A shop: verification is demanded, an e-mail is registered, both contacts log in, nothing is limited.
pub(crate) struct Shop {
    pub(crate) app: App,
    pub(crate) clock: Arc<Frozen>,
    pub(crate) faults: Arc<StepFaults>,
    pub(crate) database: TestDatabase,
}

/// The shop with its usual options.
pub(crate) async fn open(database: TestDatabase) -> Shop {
    open_with(database, |_| {}).await
}

/// The shop with options of the test's.
pub(crate) async fn open_with(database: TestDatabase, change: impl FnOnce(&mut Options)) -> Shop {
    open_hashing(database, HashParams { log_n: 10, r: 8, p: 1 }, change).await
}

/// The same with hashes of another cost.
pub(crate) async fn open_hashing(
    database: TestDatabase,
    hashing: HashParams,
    change: impl FnOnce(&mut Options),
) -> Shop {
    let mut options = usual_options();
    change(&mut options);
    let (env, clock) = cr_testkit::env(1);
    let faults = StepFaults::new();
    let passing = Some(Arc::clone(&faults) as _);
    let app = cr_testkit::application::application_hashing(&database, options, env, passing, hashing).await;
    Shop { app, clock, faults, database }
}

/// What the usual shop asks of its customers.
pub(crate) fn usual_options() -> Options {
    let mut options = cr_testkit::application::options();
    options.registration_identifier = Identifier::Email;
    options.max_attempts = 20;
    options.email_verification = Some(section("email"));
    options.phone_verification = Some(section("sms"));
    options.account_deletion_request = Some(section("email"));
    options.account_deletion_cancel = Some(section("email"));
    options.password_reset = Some(PasswordResetSection {
        template: Some(TemplateSource::BuiltIn),
        subject: "Reset your password".to_owned(),
        sms_body: Some("Reset your password: {{reset_url}}".to_owned()),
    });
    options
}

/// A section without a throttle.
fn section(channel: &str) -> OtpSection {
    OtpSection {
        channel: channel.to_owned(),
        template: TemplateSource::BuiltIn,
        subject: "Your code".to_owned(),
        resend_throttle_seconds: 0,
        auto_send_on_registration: false,
    }
}

/// A registration by a contact.
pub(crate) fn registration(contact: ContactType, identifier: &str) -> register::Input {
    register::Input {
        actor_type: "customer".to_owned(),
        contact,
        identifier: identifier.to_owned(),
        password: SecretString::from(PASSWORD.to_owned()),
        address: None,
    }
}

/// A customer of a registration, without a name.
pub(crate) fn customer(claims: &AuthClaims, email: Option<&str>, phone: Option<&str>) -> create_customer::Input {
    create_customer::Input {
        claims: claims.clone(),
        email: email.map(ToOwned::to_owned),
        phone: phone.map(ToOwned::to_owned),
        company_name: None,
        first_name: Some("Ann".to_owned()),
        last_name: None,
        metadata: None,
        referral_code: None,
        address: None,
    }
}

/// A login by a contact with everybody's password.
pub(crate) fn credentials(contact: ContactType, identifier: &str) -> login::Input {
    login::Input {
        actor_type: "customer".to_owned(),
        contact,
        identifier: identifier.to_owned(),
        password: SecretString::from(PASSWORD.to_owned()),
        address: None,
    }
}

impl Shop {
    /// The present.
    pub(crate) fn now(&self) -> Timestamp {
        self.app.shared.env.clock.now()
    }

    /// What a token says, as the guard reads it.
    pub(crate) fn read(&self, token: &str) -> AuthClaims {
        token::read_auth(&self.app.shared.keys, token, self.app.shared.env.clock.now()).unwrap()
    }

    /// A registration's claims.
    pub(crate) async fn register(&self, contact: ContactType, identifier: &str) -> AuthClaims {
        let output = register::run(&self.app, registration(contact, identifier)).await.unwrap();
        self.read(&output.token)
    }

    /// A registered e-mail with its customer: claims without an actor, and the id.
    pub(crate) async fn account(&self, email: &str, phone: Option<&str>) -> (AuthClaims, String) {
        let claims = self.register(ContactType::Email, email).await;
        let id = self.create(&claims, Some(email), phone).await;
        (claims, id)
    }

    /// A registration's customer.
    pub(crate) async fn create(&self, claims: &AuthClaims, email: Option<&str>, phone: Option<&str>) -> String {
        let output = create_customer::run(&self.app, customer(claims, email, phone)).await.unwrap();
        output.customer["id"].as_str().unwrap().to_owned()
    }

    /// Asks for a code for the customer's own contact: token and code.
    pub(crate) async fn code(&self, claims: &AuthClaims, id: &str, contact: ContactType) -> (String, String) {
        self.code_as(Some(claims), id, contact).await
    }

    /// Asks for a code by the customer's id, with or without a token: token and code.
    pub(crate) async fn code_as(
        &self,
        claims: Option<&AuthClaims>,
        id: &str,
        contact: ContactType,
    ) -> (String, String) {
        self.code_with(claims, None, id, contact).await
    }

    /// The same, by somebody whom the gate has looked up already.
    pub(crate) async fn code_with(
        &self,
        claims: Option<&AuthClaims>,
        session: Option<Box<Session>>,
        id: &str,
        contact: ContactType,
    ) -> (String, String) {
        let named = send_otp::Named::Customer(id.to_owned());
        let input = send_otp::Input { contact, named, claims: claims.cloned(), session, address: None };
        let output = send_otp::run(&self.app, input).await.unwrap();
        let otp = token::read_otp(&self.app.shared.keys, &output.token).unwrap();
        let payload = self.payload(otp.id.as_str()).await;
        (output.token, payload.data["code"].clone())
    }

    /// Somebody with a proven e-mail and a login token: its claims, and the id.
    pub(crate) async fn member(&self, email: &str, phone: Option<&str>) -> (AuthClaims, CustomerId) {
        let (claims, id) = self.account(email, phone).await;
        let login = self.verify(&claims, &id, ContactType::Email).await.unwrap().login.unwrap();
        (self.read(&login), CustomerId::from_stored(id))
    }

    /// The code that belongs to a token; nothing sends it here.
    pub(crate) async fn code_of(&self, token: &str) -> String {
        let otp = token::read_otp(&self.app.shared.keys, token).unwrap();
        self.payload(otp.id.as_str()).await.data["code"].clone()
    }

    /// The messages of a kind: to whom, and their variables, oldest first.
    pub(crate) async fn messages(&self, template: &str) -> Vec<Payload> {
        let sql = format!(
            "select idempotency_key as key from cr_outbox where template = '{template}' and channel <> 'none' order by id"
        );
        let mut messages = Vec::new();
        for row in self.database.rows(&sql).await {
            messages.push(self.payload(row["key"].as_str().unwrap()).await);
        }
        messages
    }

    /// Whether a login token still counts.
    pub(crate) async fn counts(&self, claims: &AuthClaims) -> bool {
        let mut tx = self.app.db.read().await.unwrap();
        session::live_customer(&mut tx, claims, false).await.is_ok()
    }

    /// Asks for a reset: its token.
    pub(crate) async fn reset_token(&self, contact: ContactType, identifier: &str) -> String {
        let keys = "select idempotency_key as key from cr_outbox where channel <> 'event'";
        let before = self.database.rows(keys).await;
        request_password_reset::run(&self.app, reset(contact, identifier)).await.unwrap();
        let after = self.database.rows(keys).await;
        let new = after.iter().find(|row| !before.contains(row)).unwrap();
        self.payload(new["key"].as_str().unwrap()).await.data["token"].clone()
    }

    /// What a message says; nothing sends it here.
    async fn payload(&self, key: &str) -> Payload {
        let sql = format!("select id, payload from cr_outbox where idempotency_key = '{key}'");
        let rows = self.database.rows(&sql).await;
        let (id, sealed) = (rows[0]["id"].as_str().unwrap(), rows[0]["payload"].as_str().unwrap());
        serde_json::from_slice(&self.app.shared.keys.open(Seal::Outbox, id, sealed).unwrap()).unwrap()
    }

    /// Proves the customer's contact as its own identity would.
    pub(crate) async fn verify(
        &self,
        claims: &AuthClaims,
        id: &str,
        contact: ContactType,
    ) -> Result<verify_otp::Output, Error> {
        let (token, code) = self.code(claims, id, contact).await;
        verify_otp::run(&self.app, guess(&token, &code, Some(claims))).await
    }

    /// An expression of SQL that makes a JSON object of one text.
    pub(crate) fn json_of(&self, key: &str, text: &str) -> String {
        let function = if self.database.url().starts_with("sqlite") { "json_object" } else { "jsonb_build_object" };
        format!("{function}('{key}', {text})")
    }

    /// One value of one row.
    pub(crate) async fn value(&self, sql: &str) -> Value {
        let rows = self.database.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows[0].as_object().unwrap().values().next().unwrap().clone()
    }

    /// How many rows a condition has.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        self.value(&format!("select count(*) as n from {from}")).await.as_i64().unwrap()
    }

    /// All rows but what is counted and committed whatever becomes of a request: limits, and the guesses of a code.
    pub(crate) async fn dump(&self) -> String {
        dump(&self.database).await
    }
}

/// See [`Shop::dump`].
pub(crate) async fn dump(database: &TestDatabase) -> String {
    let codes = "select id, customer_id, purpose, hashed_code, expires_at, verified_at, kind, origin, subject_hmac, \
             destination_hmac, sealed, created_at, deleted_at from otp_verification order by id";
    let codes: Vec<String> = database.rows(codes).await.iter().map(sorted).collect();
    format!("{}{}", database.dump(&["cr_limit", "otp_verification"]).await, codes.join("\n"))
}

/// A row as a line, its keys in order.
fn sorted(row: &Value) -> String {
    let mut fields: Vec<String> =
        row.as_object().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
    fields.sort();
    fields.join(" ")
}

/// One guess.
pub(crate) fn guess(token: &str, code: &str, claims: Option<&AuthClaims>) -> verify_otp::Input {
    verify_otp::Input { token: token.to_owned(), code: code.to_owned(), claims: claims.cloned() }
}

/// A request for a reset.
pub(crate) fn reset(contact: ContactType, identifier: &str) -> request_password_reset::Input {
    request_password_reset::Input {
        actor_type: "customer".to_owned(),
        contact,
        identifier: identifier.to_owned(),
        address: None,
    }
}

/// Asserts what an error is and says.
pub(crate) fn assert_refused<T>(result: Result<T, Error>, kind: ErrorKind, message: &str) {
    let Err(error) = result else { panic!("expected {message}") };
    assert_eq!((error.kind, error.message.as_ref()), (kind, message), "{error:?}");
}

/// What a gate looks up for a token: the customer, if it names one that it counts for.
pub(crate) async fn looked_up(app: &App, claims: Option<&AuthClaims>) -> Option<Box<Session>> {
    let mut tx = app.db.read().await.unwrap();
    session::live_customer(&mut tx, claims?, false).await.ok().map(Box::new)
}
