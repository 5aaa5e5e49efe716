//! The secret that signs is replaced while sessions, codes, links and messages of before are on their way.

use std::net::SocketAddr;

use cr_testkit::TestDatabase;
use http::Method;
use serde_json::{Value, json};

use crate::stage::{PHONE, request, reset_token, verified};
use crate::support::{CHEAP, DEVELOPMENT, TestServer, build, exchange};

/// As the configuration has it.
const OLD: &str = "\"a test's jwt secret of thirty-two bytes or more\"";
/// What takes its place.
const NEW: &str = "\"another jwt secret of thirty-two bytes or more\"";
const SEND: &str = "/store/customers/otp/send";
const VERIFY: &str = "/store/customers/otp/verify";
const ME: &str = "/store/customers/me";
const UPDATE: &str = "/auth/customer/emailpass/update";

/// A server with these secrets; another seed makes other ids.
async fn serve(database: &TestDatabase, seed: u64, secrets: &str) -> TestServer {
    let config = DEVELOPMENT.replace(OLD, secrets);
    TestServer::start(database, &config, &[], cr_testkit::env(seed).0, CHEAP).await
}

/// Somebody who has a session, and a code and a link on their way.
struct Issued {
    session: String,
    otp: String,
    code: String,
    reset: String,
    email: String,
}

/// Has all of it issued to somebody new.
async fn issue(server: &TestServer, email: &str, phone: &str) -> Issued {
    let (registration, _) = server.customer(email, phone).await;
    let proven = crate::stage::prove(server, &registration, "email_verification", email).await;
    let session = proven.field("/token");
    let body = json!({"type": "phone_verification", "phone": phone});
    let otp = server.post(SEND, Some(&session), body).await.field("/token");
    let code = server.code_to(phone).await;
    let reset = reset_token(server, "email", email).await;
    Issued { session, otp, code, reset, email: email.to_owned() }
}

/// The statuses of a session, a code and a link, shown in this order.
async fn show(server: &TestServer, issued: &Issued) -> [u16; 3] {
    let session = server.get(ME, Some(&issued.session)).await;
    let code = server.post(VERIFY, None, json!({"token": issued.otp, "code": issued.code})).await;
    let link = json!({"email": issued.email, "password": "N3w-and-better"});
    let link = server.post(UPDATE, Some(&issued.reset), link).await;
    [session, code, link].map(|answer| answer.status.as_u16())
}

cr_testkit::both! {
    /// Nobody notices that the secret changed while the former one is listed; once it is dropped, nothing of it counts.
    async fn what_a_former_secret_issued_counts_while_it_is_listed(database: TestDatabase) {
        let server = serve(&database, 1, OLD).await;
        verified(&server).await;
        let used = issue(&server, "ben@example.com", "+15550001111").await;
        let late = issue(&server, "cleo@example.com", "+15550002222").await;
        server.stop().await;
        // A message that nobody has delivered yet is sealed with what the secret gives, too.
        let (silent, _folder) = build(&database, DEVELOPMENT, &[], cr_testkit::env(2).0, CHEAP).await;
        let body: Value = json!({"type": "phone_verification", "phone": PHONE});
        let peer = SocketAddr::from(([127, 0, 0, 1], 4000));
        let login = json!({"email": crate::stage::EMAIL, "password": crate::support::PASSWORD});
        let login = exchange(&silent.state, peer, request(Method::POST, "/auth/customer/emailpass", &[], Some(login))).await;
        let bearer = format!("Bearer {}", login.field("/token"));
        let asked = request(Method::POST, SEND, &[("authorization", &bearer)], Some(body));
        let queued = exchange(&silent.state, peer, asked).await.field("/token");
        silent.state.app.db.close().await;

        let server = serve(&database, 3, &format!("[{NEW}, {OLD}]")).await;
        assert_eq!(show(&server, &used).await, [200, 200, 200]);
        let body = json!({"token": queued, "code": server.code_to(PHONE).await});
        assert_eq!(server.post(VERIFY, None, body).await.status.as_u16(), 200);
        let new = issue(&server, "dora@example.com", "+15550003333").await;
        server.stop().await;

        let server = serve(&database, 4, NEW).await;
        assert_eq!(show(&server, &late).await, [401, 401, 401]);
        assert_eq!(show(&server, &new).await, [200, 200, 200], "the first of the list is the one that signs");
        server.stop().await;
    }
}
