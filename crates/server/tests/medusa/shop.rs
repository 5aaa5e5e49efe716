//! A shop: the real Medusa, this server in front of it, and requests to either.

use cr_core::env::Env;
use cr_core::jobs::process_account_deletions;
use cr_core::password::HashParams;
use cr_testkit::TestDatabase;
use cr_testkit::real_medusa::{self, ADMINISTRATOR, JWT_SECRET, RealMedusa, Version};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::TestServer;

/// Every customer's password, until they change it.
pub(crate) const PASSWORD: &str = "Tr0ub4dor&3x";

/// What both sides run on.
pub(crate) struct Shop {
    pub(crate) medusa: RealMedusa,
    pub(crate) server: TestServer,
    pub(crate) database: TestDatabase,
    pub(crate) publishable_key: String,
    /// An administrator's, from this server.
    pub(crate) admin: String,
    client: Client,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Value,
}

impl Answer {
    /// A text at a path of the body.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let value = self.json.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer} of {self:?}")).to_owned()
    }

    /// Fails unless the answer is good.
    pub(crate) fn good(self) -> Self {
        assert!((200..300).contains(&self.status), "{self:?}");
        self
    }
}

/// The side that is asked.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// This server, and by it Medusa.
    Here,
    /// Medusa itself.
    There,
}

/// What a test may have otherwise than the usual shop, which asks for no verification and keeps messages in the inbox.
pub(crate) struct Setting<'a> {
    /// Variables for Medusa.
    pub(crate) variables: &'a [(&'a str, &'a str)],
    /// Whether logins want a verified contact.
    pub(crate) require_verification: bool,
    /// Who carries messages and events: providers and receivers, by Medusa's address.
    pub(crate) delivery: fn(&str) -> String,
}

impl Default for Setting<'_> {
    fn default() -> Self {
        let inbox =
            |_: &str| "[[notification.providers]]\nid = \"local\"\nchannels = [\"email\", \"sms\"]\n".to_owned();
        Self { variables: &[], require_verification: false, delivery: inbox }
    }
}

/// E-mail is registered, nothing is limited.
fn configuration(medusa: &RealMedusa, setting: &Setting<'_>) -> String {
    let (verification, delivery) = (setting.require_verification, (setting.delivery)(&medusa.url));
    let upstream = &medusa.url;
    format!(
        r#"
[projectConfig.http]
jwtSecret = "{JWT_SECRET}"
cookieSecret = "{JWT_SECRET}"
storeCors = "http://localhost:8000"
adminCors = "http://localhost:7001"
authCors = "http://localhost:8000,http://localhost:7001"

[gateway]
upstream = "{upstream}"

[options]
storefrontUrl = "http://localhost:8000"
registration = {{ identifier = "email", require_verification = {verification} }}
login = {{ identifier = "email" }}
email_verification = {{ channel = "email", resendThrottleSeconds = 0 }}
account_deletion_request = {{ resendThrottleSeconds = 0, template = "builtin" }}
password_reset = {{ template = "builtin" }}
{delivery}"#
    )
}

/// Opens it on a database that [`real_medusa::database`] made.
pub(crate) async fn open(version: Version) -> Shop {
    open_with(version, Setting::default()).await
}

/// The same with another setting.
pub(crate) async fn open_with(version: Version, setting: Setting<'_>) -> Shop {
    let database = real_medusa::database(version).await;
    let medusa = RealMedusa::start_with(version, &database, setting.variables).await;
    let configuration = configuration(&medusa, &setting);
    let server = TestServer::start(&database, &configuration, &[], Env::system(), HashParams::default()).await;
    // Another test may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder().no_proxy().build().unwrap();
    let mut shop = Shop { medusa, server, database, publishable_key: String::new(), admin: String::new(), client };
    let [email, password] = ADMINISTRATOR;
    let credentials = json!({"email": email, "password": password});
    shop.admin = shop.post(Side::Here, "/auth/user/emailpass", None, credentials).await.text("/token");
    let key = json!({"title": "storefront", "type": "publishable"});
    let key = shop.post(Side::Here, "/admin/api-keys", Some(&shop.admin), key).await.good();
    shop.publishable_key = key.text("/api_key/token");
    shop
}

impl Shop {
    /// Any request, with the publishable key.
    pub(crate) async fn ask(
        &self,
        side: Side,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let base = match side {
            Side::Here => &self.server.url,
            Side::There => &self.medusa.url,
        };
        let mut request = self.client.request(method, format!("{base}{path}"));
        if !self.publishable_key.is_empty() {
            request = request.header("x-publishable-api-key", &self.publishable_key);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Answer { status, json: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// `POST`.
    pub(crate) async fn post(&self, side: Side, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.ask(side, Method::POST, path, token, Some(body)).await
    }

    /// `GET`.
    pub(crate) async fn get(&self, side: Side, path: &str, token: Option<&str>) -> Answer {
        self.ask(side, Method::GET, path, token, None).await
    }

    /// As the administrator, through the gateway.
    pub(crate) async fn administer(&self, path: &str, body: Value) -> Answer {
        self.post(Side::Here, path, Some(&self.admin), body).await.good()
    }

    /// Registers and makes the customer on one side: the id.
    pub(crate) async fn customer(&self, side: Side, email: &str) -> String {
        self.registered(side, email).await.0
    }

    /// The same: the id, and the registration's token.
    pub(crate) async fn registered(&self, side: Side, email: &str) -> (String, String) {
        let credentials = json!({"email": email, "password": PASSWORD});
        let registered = self.post(side, "/auth/customer/emailpass/register", None, credentials).await.good();
        let token = registered.text("/token");
        let made = self.post(side, "/store/customers", Some(&token), json!({"email": email})).await;
        (made.good().text("/customer/id"), token)
    }

    /// A customer's deletion is confirmed, and due.
    pub(crate) async fn schedule_deletion(&self, id: &str) {
        let time = "'2026-01-02T03:04:05.678Z'";
        self.database
            .sql(&format!(
                "insert into account_deletion_request \
                 (id, customer_id, status, deletion_scheduled_at, created_at, updated_at) \
                 values ('adr_{id}', '{id}', 'confirmed', {time}, {time}, {time})"
            ))
            .await;
    }

    /// The job deletes the one account that is due.
    pub(crate) async fn run_deletion(&self) {
        let token = CancellationToken::new();
        let report = process_account_deletions::run(&self.server.app, &token, |_| {}).await.unwrap();
        assert_eq!((report.completed, report.failed), (1, 0));
    }

    /// Logs in on one side.
    pub(crate) async fn login(&self, side: Side, email: &str, password: &str) -> Answer {
        self.post(side, "/auth/customer/emailpass", None, json!({"email": email, "password": password})).await
    }

    /// Stops this server; Medusa is killed with the shop.
    pub(crate) async fn close(self) {
        self.server.stop().await;
    }
}
