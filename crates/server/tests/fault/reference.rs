//! The real program against schemathesis, which makes requests up from the OpenAPI document: no answer that the document does
//! not tell of, and no fault, whoever asks.

use serde_json::{Value, json};

use crate::pages::{ADMINISTRATOR, open_with};
use crate::shop::Server;

/// Seconds for each who asks. Longer runs find more; what one found becomes a test of its own.
const SECONDS: u32 = 15;

/// Every flow is there, and no limit ends it.
const CONFIGURATION: &str = r#"
[projectConfig.http]
port = 0
jwtSecret = "a test's jwt secret of thirty-two bytes or more"
cookieSecret = "a test's cookie secret of thirty-two bytes or more"

[options]
storefrontUrl = "http://localhost:8000"
registration = { identifier = "both", require_verification = false }
login = { identifier = "both" }
email_verification = { channel = "email", resendThrottleSeconds = 0 }
phone_verification = { channel = "sms", resendThrottleSeconds = 0 }
account_deletion_request = { resendThrottleSeconds = 0, template = "builtin" }
account_deletion_cancel = { resendThrottleSeconds = 0, template = "builtin" }
password_reset = { template = "builtin", sms_body = "Reset your password: {{reset_url}}" }

[options.limits]
wrongCodes = "off"
sendsPerSubject = "off"
sendsPerDestination = "off"
sendsPerAddress = "off"
sendsPerChannel = { sms = "off", email = "off" }
loginFailures = "off"
loginFailuresPerAddress = "off"
registrationsPerAddress = "off"
resets = "off"
cancelRequestsPerAddress = "off"
passwordChanges = "off"
referralGuesses = "off"
"#;

/// The token that a route answers with.
async fn token(server: &Server, path: &str, body: Value) -> String {
    let answer = server.post(path, None, &body).await;
    let json: Value = serde_json::from_str(&answer.body).unwrap();
    json["token"].as_str().unwrap_or_else(|| panic!("{path}: {json}")).to_owned()
}

cr_testkit::both! {
    /// A client that trusts the reference would meet what it was not told of.
    async fn no_request_meets_what_the_reference_does_not_tell(database: TestDatabase) {
        let (_shop, server) = open_with(&database, CONFIGURATION).await;
        let url = format!("http://{}", server.address);
        let [email, password] = ADMINISTRATOR;
        let credentials = |email: &str| json!({"email": email, "password": password});
        let admin = token(&server, "/auth/user/emailpass", credentials(email)).await;
        let registered = token(&server, "/auth/customer/emailpass/register", credentials("c@example.com")).await;
        let body = json!({"email": "c@example.com", "phone": "+15551234567"});
        server.post("/store/customers", Some(&registered), &body).await;
        let customer = token(&server, "/auth/customer/emailpass", credentials("c@example.com")).await;
        cr_testkit::schemathesis::run(&url, Some(&format!("Bearer {admin}")), "^/(admin|auth|health)", SECONDS).await;
        cr_testkit::schemathesis::run(&url, Some(&format!("Bearer {customer}")), "^/(store|auth)", SECONDS).await;
        cr_testkit::schemathesis::run(&url, None, "^/", SECONDS).await;
        server.program.stop().await;
    }
}
