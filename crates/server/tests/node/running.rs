//! The same two packages against a running server: rows as Medusa writes and reads them, tokens as it signs and checks them.

use cr_core::env::Env;
use cr_core::password::HashParams;
use cr_testkit::TestDatabase;
use http::StatusCode;
use serde_json::{Value, json};

use crate::packages::node;
use crate::support::{PASSWORD, TestServer};

/// Shared with Medusa.
const SECRET: &str = "a secret that both sides know, long enough";

/// E-mail alone, no verification, as Medusa itself has it.
const CONFIGURATION: &str = r#"
[projectConfig.http]
jwtSecret = "a secret that both sides know, long enough"

[options.registration]
identifier = "email"
require_verification = false

[[notification.providers]]
id = "local"
channels = ["email", "sms"]
"#;

/// The server, and a customer of it.
async fn start(database: &TestDatabase) -> (TestServer, String) {
    let server = TestServer::start(database, CONFIGURATION, &[], Env::system(), HashParams::default()).await;
    let token = server.register("ada@example.com").await;
    let answer = server.post("/store/customers", Some(&token), json!({"email": "ada@example.com"})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    (server, answer.field("/customer/id"))
}

/// The customer's hash, as it stands in the database.
async fn stored_hash(database: &TestDatabase) -> String {
    let rows =
        database.rows("select provider_metadata from provider_identity where entity_id = 'ada@example.com'").await;
    rows[0]["provider_metadata"]["password"].as_str().unwrap().to_owned()
}

/// Logs in with a password: the status, and the token if there is one.
async fn login(server: &TestServer, password: &str) -> (StatusCode, Value) {
    let answer =
        server.post("/auth/customer/emailpass", None, json!({"email": "ada@example.com", "password": password})).await;
    (answer.status, answer.json()["token"].clone())
}

cr_testkit::both! {
    /// Customers who registered at Medusa could not log in here, or those who registered here not at Medusa.
    async fn passwords_work_on_both_sides(database: TestDatabase) {
        let (server, _) = start(&database).await;
        let answers = node(&[
            json!({"operation": "verify_hash", "hash": stored_hash(&database).await, "password": PASSWORD}),
            json!({"operation": "hash", "password": "chosen at Medusa 🔑"}),
        ])
        .await;
        assert_eq!(answers[0], json!({"matches": true}), "what was made here");

        let hash = answers[1]["hash"].as_str().unwrap();
        let metadata = json!({"password": hash}).to_string();
        let statement = format!("update provider_identity set provider_metadata = '{metadata}' where entity_id = 'ada@example.com'");
        database.sql(&statement).await;
        assert_eq!(login(&server, "chosen at Medusa 🔑").await.0, StatusCode::OK, "what was made there");
        assert_eq!(login(&server, PASSWORD).await.0, StatusCode::UNAUTHORIZED, "the password of before");
        assert_eq!(stored_hash(&database).await, hash, "Medusa's parameters are ours: nothing is rewritten");
        server.stop().await;
    }

    /// Customers who logged in on one side would be strangers on the other.
    async fn tokens_work_on_both_sides(database: TestDatabase) {
        let (server, customer_id) = start(&database).await;
        let (_, token) = login(&server, PASSWORD).await;
        let identities = database.rows("select auth_identity_id from provider_identity").await;
        let of_2_11 = json!({
            "actor_id": customer_id,
            "actor_type": "customer",
            "auth_identity_id": identities[0]["auth_identity_id"],
            "app_metadata": {"customer_id": customer_id},
            "user_metadata": {},
        });
        let sign = |secret: &str| json!({"operation": "sign", "claims": of_2_11, "secret": secret, "expires_in": "1d"});
        let answers = node(&[
            json!({"operation": "verify_token", "token": token, "secret": SECRET}),
            sign(SECRET),
            sign("another"),
        ])
        .await;
        assert_eq!(answers[0]["payload"]["actor_id"], json!(customer_id), "what was signed here: {}", answers[0]);

        let of_there = answers[1]["token"].as_str();
        let answer = server.get("/store/customers/me", of_there).await;
        assert_eq!((answer.status, answer.field("/customer/id")), (StatusCode::OK, customer_id), "what was signed there");
        let refreshed = server.post("/auth/token/refresh", of_there, json!({})).await;
        assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.text);
        let forged = server.get("/store/customers/me", answers[2]["token"].as_str()).await;
        assert_eq!(forged.status, StatusCode::UNAUTHORIZED, "what somebody else signed");
        server.stop().await;
    }
}
