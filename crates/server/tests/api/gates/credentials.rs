//! Everything that somebody might show at a gate: tokens of every kind and state, session cookies, API keys, and two at once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cr_core::keys::{Keys, Seal};
use cr_core::options::ContactType;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use cr_core::workflows::{complete_password_reset, create_user};
use cr_testkit::TestDatabase;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    ABUSED_SESSION, ADMIN, ADMIN_SESSION, CUSTOMER, CUSTOMER_SESSION, ENDED_SESSION, In, LEAVING_CUSTOMER,
    LEAVING_SESSION, NOBODY, NoIdentity, Out, REGISTRATION, RESET, SECRET_KEY, STRANGER, Verdict, Verdicts,
    WITHOUT_FACTOR, WITHOUT_IDENTITY,
};
use crate::stage::{EMAIL, claims, prove, reset_token, schedule_deletion};
use crate::support::{PASSWORD, TestServer};
use crate::token_kinds::{SECRET, kinds, signed, with};

/// What a request shows, by a name for failures, and what comes of it.
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) verdicts: Verdicts,
}

/// What all others are made from: what somebody has who is let in.
struct Good {
    /// A customer's token.
    login: String,
    /// The same customer's session, without the cookie's name.
    session: String,
    /// An administrator's token.
    admin: String,
    /// The same administrator's session.
    admin_session: String,
    /// `sk_…`
    secret_key: String,
}

/// A credential of one header.
fn one(name: &str, header: &'static str, value: impl Into<String>, verdicts: Verdicts) -> Credential {
    Credential { name: name.to_owned(), headers: vec![(header, value.into())], verdicts }
}

/// A bearer token.
fn bearer(name: &str, token: &str, verdicts: Verdicts) -> Credential {
    one(name, "authorization", format!("Bearer {token}"), verdicts)
}

/// A session cookie.
fn cookie(name: &str, sealed: &str, verdicts: Verdicts) -> Credential {
    one(name, "cookie", format!("cr.sid={sealed}"), verdicts)
}

/// Something in a Basic header.
fn basic(name: &str, text: &str, verdicts: Verdicts) -> Credential {
    one(name, "authorization", format!("Basic {}", STANDARD.encode(text)), verdicts)
}

/// The same request with one header more.
fn and(mut credential: Credential, name: &str, header: &'static str, value: impl Into<String>) -> Credential {
    credential.name = format!("{}, {name}", credential.name);
    credential.headers.push((header, value.into()));
    credential
}

/// The session that a token opens, without the cookie's name.
async fn session_of(server: &TestServer, token: &str) -> String {
    let answer = server.post("/auth/session", Some(token), json!({})).await;
    let header = answer.headers["set-cookie"].to_str().unwrap();
    header.split(';').next().unwrap().trim_start_matches("cr.sid=").to_owned()
}

/// All of them, with the people behind them.
pub(super) async fn credentials(server: &TestServer, database: &TestDatabase) -> Vec<Credential> {
    let kinds = kinds(server).await;
    let text_of = |name: &str| kinds.iter().find(|kind| kind.name == name).unwrap().text.clone();
    let good = Good {
        login: text_of("login"),
        session: text_of("session cookie value"),
        admin: text_of("admin"),
        admin_session: session_of(server, &text_of("admin")).await,
        secret_key: text_of("secret API key"),
    };
    let mut all: Vec<Credential> = kinds.iter().map(|kind| bearer(kind.name, &kind.text, kind.verdicts)).collect();
    all.extend(headers(&good));
    all.extend(claims_of_others(&good));
    all.extend(sessions(server, &good));
    all.extend(pairs(&good));
    all.extend(foreign_pages(&good));
    all.extend(api_keys(server, database, &good).await);
    all.extend(departed(server, database, &good).await);
    all.extend(former_administrators(server, database, &good).await);
    all.extend(registrations(server).await);
    let link = reset_token(server, "email", EMAIL).await;
    all.push(bearer("a reset link's token", &link, RESET));
    all.push(cookie("a reset link's token as a cookie", &link, NOBODY));
    all
}

/// Good tokens in headers that are none, and the other way round.
fn headers(good: &Good) -> Vec<Credential> {
    let mut all = vec![
        one("an empty header", "authorization", "", NOBODY),
        one("a scheme alone", "authorization", "Bearer", NOBODY),
        one("a token alone", "authorization", &good.login, NOBODY),
        one("a token after a comma", "authorization", format!("Basic x, Bearer {}", good.login), NOBODY),
        one("a token as a user name", "authorization", format!("Basic {}", good.login), NOBODY),
        one("another case and a tab", "authorization", format!("bEARER\t{}", good.login), CUSTOMER),
        one("a token as a header of its own", "x-medusa-access-token", &good.login, NOBODY),
        basic("a token with a colon", &format!("{}:", good.login), NOBODY),
        basic("e-mail and password", &format!("{EMAIL}:{PASSWORD}"), NOBODY),
    ];
    for scheme in ["Token", "JWT", "Bearer:", "Digest", "MAC", "DPoP"] {
        all.push(one(scheme, "authorization", format!("{scheme} {}", good.login), NOBODY));
    }
    for garbage in ["..", "a.b.c", "null", "undefined", "\u{e9}", "eyJhbGciOiJIUzI1NiJ9.e30.", "' or 1=1 --"] {
        all.push(bearer(garbage, garbage, NOBODY));
    }
    all
}

/// A good token's claims, signed with the shop's secret, but for another actor, or without the second factor.
fn claims_of_others(good: &Good) -> Vec<Credential> {
    let (customer, admin) = (claims(&good.login), claims(&good.admin));
    let sign = |claims: &Value| signed("HS256", SECRET, claims);
    let actor = |word: &str| sign(&with(&customer, "actor_type", json!(word)));
    let no_actor = sign(&with(&admin, "actor_id", json!("")));
    let unshown = with(&customer, "mfa_enabled", json!(true));
    let shown = with(&unshown, "mfa_challenge_completed_at", json!("2026-01-02T03:04:05.000Z"));
    let admin_unshown = sign(&with(&admin, "mfa_enabled", json!(true)));
    vec![
        bearer("a robot's", &actor("robot"), STRANGER),
        bearer("a customer's in capitals", &actor("CUSTOMER"), STRANGER),
        bearer("an API key's", &actor("api-key"), STRANGER),
        bearer("an administrator's without a user", &no_actor, Verdicts { bearer_identity: In, ..NOBODY }),
        bearer("a customer's without the factor", &sign(&unshown), WITHOUT_FACTOR),
        bearer("a customer's with the factor", &sign(&shown), CUSTOMER),
        bearer("an administrator's without the factor", &admin_unshown, Verdicts { admin: Verdict::Factor, ..NOBODY }),
    ]
}

/// Cookies that were changed, made up or kept too long, and the good ones.
fn sessions(server: &TestServer, good: &Good) -> Vec<Credential> {
    let keys = &server.app.shared.keys;
    let claims = claims(&good.login);
    let plain = claims.to_string();
    let expired = with(&claims, "exp", claims["iat"].clone()).to_string();
    let unshown = with(&claims, "mfa_enabled", json!(true)).to_string();
    let same_jwt_secret =
        Keys::new(&[SecretString::from(SECRET)], &SecretString::from("another cookie secret of 32 bytes or so"));
    let mut tampered = good.session.clone();
    let middle = tampered.len() / 2;
    let other = if tampered[middle..].starts_with('A') { "B" } else { "A" };
    tampered.replace_range(middle..=middle, other);
    let seal = |purpose, row, plain: &str| keys.seal(purpose, row, plain.as_bytes());
    vec![
        cookie("a session", &good.session, CUSTOMER_SESSION),
        cookie("a session in quotes", &format!("\"{}\"", good.session), CUSTOMER_SESSION),
        cookie("an administrator's session", &good.admin_session, ADMIN_SESSION),
        cookie("a tampered session", &tampered, NOBODY),
        cookie("a session cut short", &good.session[..good.session.len() - 4], NOBODY),
        cookie("a session with more", &format!("{}AAAA", good.session), NOBODY),
        cookie("an empty session", "", NOBODY),
        cookie("a session in the clear", &plain, NOBODY),
        cookie("a token as a session", &good.login, NOBODY),
        cookie("a session that is over", &seal(Seal::Session, "cr.sid", &expired), NOBODY),
        cookie("a session of another cookie", &seal(Seal::Session, "connect.sid", &plain), NOBODY),
        cookie("claims sealed for an undo link", &seal(Seal::Undo, "cr.sid", &plain), NOBODY),
        cookie("claims sealed for the outbox", &seal(Seal::Outbox, "cr.sid", &plain), NOBODY),
        cookie("another cookie secret", &same_jwt_secret.seal(Seal::Session, "cr.sid", plain.as_bytes()), NOBODY),
        cookie(
            "a session without the factor",
            &seal(Seal::Session, "cr.sid", &unshown),
            Verdicts { session: In, ..WITHOUT_FACTOR },
        ),
        one("Medusa's cookie", "cookie", format!("connect.sid={}", good.session), NOBODY),
        one("a cookie in capitals", "cookie", format!("CR.SID={}", good.session), NOBODY),
        one("a cookie behind another's value", "cookie", format!("a=cr.sid={}", good.session), NOBODY),
        bearer("a session as a token", &good.session, NOBODY),
    ]
}

/// Two credentials in one request.
fn pairs(good: &Good) -> Vec<Credential> {
    let both = Verdicts { admin: In, bearer_identity: In, bearer_actor: In, ..CUSTOMER_SESSION };
    let token = |token: &str| format!("Bearer {token}");
    let named = |value: &str| format!("cr.sid={value}");
    let session = || cookie("a session", &good.session, CUSTOMER_SESSION);
    let mixed = |credential: Credential| Credential { verdicts: both, ..credential };
    vec![
        and(session(), "and garbage", "authorization", token("garbage")),
        and(cookie("garbage", "garbage", CUSTOMER), "and a token", "authorization", token(&good.login)),
        one(
            "a bad session, then a good one",
            "cookie",
            format!("cr.sid=x; {}", named(&good.session)),
            CUSTOMER_SESSION,
        ),
        and(cookie("a bad session", "x", CUSTOMER_SESSION), "then a good one", "cookie", named(&good.session)),
        mixed(and(session(), "and an administrator's token", "authorization", token(&good.admin))),
        mixed(and(
            cookie("an administrator's session", &good.admin_session, NOBODY),
            "and a customer's token",
            "authorization",
            token(&good.login),
        )),
        and(bearer("garbage", "garbage", NOBODY), "then a token", "authorization", token(&good.login)),
    ]
}

/// Somebody else's page, in whose visitor's browser the cookies are.
fn foreign_pages(good: &Good) -> Vec<Credential> {
    let abused_admin = Verdicts { admin: Verdict::Foreign, session: Verdict::Foreign, ..NOBODY };
    let session = || cookie("a session", &good.session, ABUSED_SESSION);
    let with_token = Verdicts { bearer_identity: In, bearer_actor: In, ..ABUSED_SESSION };
    let from = |credential: Credential| and(credential, "from a foreign page", "origin", "https://evil.example");
    vec![
        from(session()),
        and(session(), "from a sandbox", "origin", "null"),
        and(session(), "from another site", "sec-fetch-site", "cross-site"),
        and(session(), "from another site", "sec-fetch-site", "Cross-Site"),
        from(cookie("an administrator's session", &good.admin_session, abused_admin)),
        // No browser adds a token by itself.
        from(bearer("a token", &good.login, CUSTOMER)),
        from(and(
            Credential { verdicts: with_token, ..session() },
            "and a token",
            "authorization",
            format!("Bearer {}", good.login),
        )),
    ]
}

/// API keys, right and wrong. A wrong one with the ends of a right one is hashed and compared; others are not.
async fn api_keys(server: &TestServer, database: &TestDatabase, good: &Good) -> Vec<Credential> {
    let revoked = create_api_key::run(&server.app, ApiKeyType::Secret, "Revoked").await.unwrap();
    database.sql("update api_key set revoked_at = '2026-01-02T03:04:05.678Z' where title = 'Revoked'").await;
    let publishable = create_api_key::run(&server.app, ApiKeyType::Publishable, "Shop").await.unwrap();
    let key = &good.secret_key;
    let mut near = key.clone();
    near.replace_range(10..11, if near[10..].starts_with('0') { "1" } else { "0" });
    vec![
        basic("a secret key", &format!("{key}:"), SECRET_KEY),
        one("a secret key as it is", "authorization", format!("Basic {key}"), SECRET_KEY),
        basic("a secret key with a password", &format!("{key}:x"), NOBODY),
        basic("a secret key as a password", &format!(":{key}"), NOBODY),
        basic("a secret key of somebody", &format!("admin@example.com:{key}"), NOBODY),
        basic("a secret key's neighbour", &format!("{near}:"), NOBODY),
        basic("an unknown secret key", &format!("sk_{}:", "0".repeat(64)), NOBODY),
        basic("no secret key", "sk_:", NOBODY),
        basic("a revoked secret key", &format!("{revoked}:"), NOBODY),
        basic("a publishable key as a secret one", &format!("{publishable}:"), NOBODY),
        one("a publishable key as it is", "authorization", format!("Basic {publishable}"), NOBODY),
        one("a secret key as a publishable one", "x-publishable-api-key", key, NOBODY),
        bearer("a publishable key as a token", &publishable, NOBODY),
    ]
}

/// A customer with a proven e-mail: id, registration token, login token, session.
async fn customer(server: &TestServer, email: &str, phone: &str) -> (String, [String; 3]) {
    let (registration, id) = server.customer(email, phone).await;
    let login = prove(server, &registration, "email_verification", email).await.field("/token");
    let session = session_of(server, &login).await;
    (id, [registration, login, session])
}

/// Whose account is over in one way or another, or about to be.
async fn departed(server: &TestServer, database: &TestDatabase, good: &Good) -> Vec<Credential> {
    let (_, [registration, login, session]) = customer(server, "frank@example.com", "+15550000006").await;
    let new = "C0rrect-horse-battery";
    let change = json!({"old_password": PASSWORD, "new_password": new, "confirm_password": new});
    let fresh = server.post("/store/customers/change-password", Some(&login), change).await.field("/token");
    let mut all = vec![
        bearer("a token of before the password changed", &login, NOBODY),
        bearer("a token of the change", &fresh, CUSTOMER),
        bearer("a registration of before", &registration, Verdicts { bearer_identity: Out, ..REGISTRATION }),
        cookie("a session of before", &session, ENDED_SESSION),
        and(
            cookie("a session of before", &session, Verdicts { session: In, ..CUSTOMER }),
            "and a token",
            "authorization",
            format!("Bearer {}", good.login),
        ),
    ];

    let (erin, [registration, login, session]) = customer(server, "erin@example.com", "+15550000005").await;
    schedule_deletion(database, &erin).await;
    let run = server.post("/admin/account-deletion-requests/adr_1/run", Some(&good.admin), json!({})).await;
    assert_eq!(run.status.as_u16(), 200, "{}", run.text);
    database.sql("update account_deletion_request set id = 'adr_0'").await;
    all.extend([
        bearer("a token of a deleted customer", &login, WITHOUT_IDENTITY),
        bearer(
            "a registration of a deleted customer",
            &registration,
            Verdicts { bearer_identity: NoIdentity, ..REGISTRATION },
        ),
        cookie("a session of a deleted customer", &session, ENDED_SESSION),
    ]);

    for (name, phone, column) in [
        ("gina", "+15550000007", "deleted_at = '2026-01-02T03:04:05.678Z'"),
        ("hugo", "+15550000008", "has_account = false"),
    ] {
        let (id, [_, login, session]) = customer(server, &format!("{name}@example.com"), phone).await;
        database.sql(&format!("update customer set {column} where id = '{id}'")).await;
        all.push(bearer(&format!("a token of {name}, whose {column}"), &login, NOBODY));
        all.push(cookie(&format!("a session of {name}, whose {column}"), &session, ENDED_SESSION));
    }

    let (dan, [_, login, session]) = customer(server, "dan@example.com", "+15550000004").await;
    schedule_deletion(database, &dan).await;
    let wins = Verdicts { bearer_identity: In, bearer_actor: In, ..LEAVING_SESSION };
    all.extend([
        bearer("a token of a leaving customer", &login, LEAVING_CUSTOMER),
        cookie("a session of a leaving customer", &session, LEAVING_SESSION),
        and(
            cookie("a session of a leaving customer", &session, wins),
            "and a token of another",
            "authorization",
            format!("Bearer {}", good.login),
        ),
    ]);
    all
}

/// An administrator: the id, a token, a session.
async fn administrator(server: &TestServer, email: &str) -> (String, [String; 2]) {
    let id = create_user::run(&server.app, email, PASSWORD.to_owned().into()).await.unwrap();
    let body = json!({"email": email, "password": PASSWORD});
    let token = server.post("/auth/user/emailpass", None, body).await.field("/token");
    let session = session_of(server, &token).await;
    (id, [token, session])
}

/// Administrators who were deleted, whose identity was taken from them, and whose password is another since.
async fn former_administrators(server: &TestServer, database: &TestDatabase, good: &Good) -> Vec<Credential> {
    let (uma, [deleted, session]) = administrator(server, "uma@example.com").await;
    database.sql(&format!("update \"user\" set deleted_at = '2026-01-02T03:04:05.678Z' where id = '{uma}'")).await;
    let over = |verdicts: Verdicts| {
        cookie("a deleted administrator's session", &session, Verdicts { session: In, ..verdicts })
    };
    let mut all = vec![
        bearer("a deleted administrator's token", &deleted, NOBODY),
        over(NOBODY),
        and(over(ADMIN), "and a token", "authorization", format!("Bearer {}", good.admin)),
        and(over(SECRET_KEY), "and a key", "authorization", format!("Basic {}", good.secret_key)),
    ];

    let (_, [unlinked, session]) = administrator(server, "wes@example.com").await;
    let identity = claims(&unlinked)["auth_identity_id"].as_str().unwrap().to_owned();
    database
        .sql(&format!("update auth_identity set app_metadata = '{{\"user_id\": null}}' where id = '{identity}'"))
        .await;
    all.extend([
        // A refresh gives what the identity has: a token of nobody.
        bearer("the token of an identity without its user", &unlinked, Verdicts { bearer_identity: In, ..NOBODY }),
        cookie("the session of an identity without its user", &session, ENDED_SESSION),
    ]);

    let (_, [former, session]) = administrator(server, "vic@example.com").await;
    end_by_reset(server, "vic@example.com").await;
    let body = json!({"email": "vic@example.com", "password": PASSWORD});
    let fresh = server.post("/auth/user/emailpass", None, body).await.field("/token");
    all.extend([
        bearer("an administrator's token of before a reset", &former, NOBODY),
        cookie("an administrator's session of before a reset", &session, ENDED_SESSION),
        bearer("an administrator's token of after it", &fresh, ADMIN),
    ]);
    all
}

/// What happens here when Medusa has set an administrator's password by a link of its own.
async fn end_by_reset(server: &TestServer, email: &str) {
    complete_password_reset::end_sessions(&server.app, ContactType::Email, &medusas_link(server, email)).await.unwrap();
}

/// The token of a link as Medusa writes it for an administrator: without a `jti`.
pub(crate) fn medusas_link(server: &TestServer, email: &str) -> String {
    let now = server.app.shared.env.clock.now().seconds();
    let claims =
        json!({"entity_id": email, "provider": "emailpass", "actor_type": "user", "iat": now, "exp": now + 900});
    signed("HS256", SECRET, &claims)
}

/// A registration that somebody made anew, and one whose customer proved nothing yet.
async fn registrations(server: &TestServer) -> Vec<Credential> {
    let former = server.register("ivy@example.com").await;
    let newer = server.register("ivy@example.com").await;
    vec![
        bearer("a registration that was replaced", &former, Verdicts { bearer_identity: NoIdentity, ..REGISTRATION }),
        bearer("the registration that replaced it", &newer, REGISTRATION),
    ]
}
