//! Whatever happens, no line and no error says what a customer knows or is.

use cr_testkit::smtp_sink::{Answer as MailAnswer, SinkTls};
use cr_testkit::webhook_sink::SinkAnswer;
use cr_testkit::{SmtpSink, WebhookSink};
use serde_json::{Value, json};

use crate::customer::{Customer, PASSWORD, code_of, code_of_text};
use crate::shop::{MAILER, Server, Shop, WEBHOOK_SECRET};
use crate::wire::{self, Answer};

/// What a client gets wrong in the journey, each with a secret or a contact in it: method, path, body.
const SLIPS: &[(&str, &str, &str)] = &[
    (
        "POST",
        "/auth/customer/emailpass?password=qu3ry-p4ss",
        r#"{"email":"alice@example.com","password":"wr0ng-p4ss"}"#,
    ),
    ("POST", "/auth/customer/emailpass", r#"{"email":"nobody@example.com","password":"wr0ng-p4ss"}"#),
    ("POST", "/auth/customer/emailpass", r#"{"email":["alice@example.com"],"password":{"is":"wr0ng-p4ss"}}"#),
    ("POST", "/auth/customer/emailpass", r#"{"email":"alice@example.com","password":"wr0ng-p4ss""#),
    ("POST", "/auth/customer/emailpass/register", r#"{"email":"alice@example.com","password":"wr0ng-p4ss"}"#),
    ("POST", "/auth/customer/emailpass/register", r#"{"email":"bob@example.com","password":"short"}"#),
    ("POST", "/auth/customer/emailpass/reset-password", r#"{"identifier":"alice@example.com"}"#),
    ("POST", "/auth/customer/emailpass/update?token=qu3ry-t0ken", r#"{"password":"wr0ng-p4ss-long"}"#),
    ("POST", "/store/customers", r#"{"email":"alice@example.com","phone":"+15551234567"}"#),
    ("POST", "/store/customers/otp/verify", r#"{"token":"f0rged-t0ken","code":"000000"}"#),
    ("POST", "/store/customers/otp/send", r#"{"email":"alice@example.com","type":"no_such_type"}"#),
    ("GET", "/store/customers/me?fields=*secret_query_field", ""),
    ("GET", "/no/such/path?email=alice@example.com", ""),
];

/// Sends the slips, and gives what came back.
async fn slip(server: &Server, token: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (method, path, body) in SLIPS {
        let bearer = format!("authorization: Bearer {token}\r\nx-request-id: slip-{}\r\n", answers.len());
        for headers in ["authorization: Bearer f0rged.t0ken.here\r\nx-request-id: forged\r\n", &bearer] {
            answers.push(wire::exchange(server.address, method, path, headers, body).await.unwrap());
        }
    }
    answers
}

/// The whole first journey with everything going wrong once, at this level: the log's lines, the answers to slips, and
/// what must be in none of them.
async fn stumble_through(level: &str) -> (Vec<Value>, Vec<Answer>, Vec<String>) {
    let database = cr_testkit::TestDatabase::postgres().await;
    let mails = SmtpSink::start(SinkTls::StartTls, MAILER).await;
    let texts = WebhookSink::start().await;
    mails.answer_next(&[MailAnswer::RefuseRecipient(450), MailAnswer::RefuseSession(421), MailAnswer::HangUp]);
    texts.answer_next(&[SinkAnswer { status: 500, headers: Vec::new() }]);
    let shop = Shop::with(&database, &mails, &texts, &format!("\n[log]\nlevel = \"{level}\"\n"));
    let server = shop.serve().await;
    let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
    let mut answers = slip(&server, &customer.token).await;
    let by_mail = customer.ask_by_mail(&server).await;
    // The first is held back by a refusal; the reset mail, asked for by a slip, may come before it or after.
    let mail = loop {
        let messages = mails.wait_for(1).await;
        let count = messages.len();
        match messages.into_iter().rev().find(|message| message.mail().header("Subject") == Some("Verify your email")) {
            Some(mail) => break mail,
            None => drop(mails.wait_for(count + 1).await),
        }
    };
    let by_text = customer.ask_by_text(&server).await;
    let text = texts.wait_for(2).await.remove(1);
    let wrong = json!({"token": by_mail, "code": "000000"});
    answers.push(server.post("/store/customers/otp/verify", Some(&customer.token), &wrong).await);
    let codes = [code_of(&mail), code_of_text(&text)];
    let verified = customer.verify(&server, &by_mail, &codes[0]).await;
    let login = customer.log_in(&server, json!({"email": customer.email, "password": PASSWORD})).await;
    answers.push(
        server.post("/store/customers/otp/verify", Some(&login), &json!({"token": by_text, "code": codes[1]})).await,
    );
    let log = server.program.lines_when_stopped().await;
    let lines = log.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let mut secrets = vec![by_mail, by_text, verified, login, customer.token];
    secrets.extend(codes);
    (lines.collect(), answers, secrets)
}

/// Words that a customer or operator would not like to see in a log.
const WORDS: &[&str] = &[
    PASSWORD,
    WEBHOOK_SECRET,
    "wr0ng-p4ss",
    "m4il-p4ssw0rd",
    "h00k-t0ken",
    "f0rged",
    "qu3ry",
    "secret_query_field",
    "fields=",
    "alice",
    "nobody@",
    "bob@",
    "5551234567",
    "jwt secret of",
    "cookie secret of",
    "eyJ",
];

/// Asserts that a text holds none of these; a code counts only where it stands alone.
fn check_silent(text: &str, secrets: &[String], what: &str) {
    for word in WORDS.iter().copied().chain(secrets.iter().map(String::as_str)) {
        let is_code = word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        let found = if is_code {
            text.split(|character: char| !character.is_ascii_alphanumeric() && character != '.')
                .any(|part| part == word)
        } else {
            text.contains(word)
        };
        assert!(!found, "`{word}` is in {what}: {text}");
    }
}

/// Logs are copied, mailed and kept for years.
#[test]
fn no_line_holds_a_secret_or_a_contact_at_any_level() {
    cr_testkit::run(async {
        for level in ["debug", "trace"] {
            let (lines, answers, secrets) = stumble_through(level).await;
            for line in &lines {
                check_silent(&line.to_string(), &secrets, level);
            }
            for answer in &answers {
                let id = answer.header("x-request-id").unwrap();
                let told = lines.iter().any(|line| line["request.id"] == id && line["http.status"] == answer.status);
                assert!(told, "no line of {id} in {lines:#?}");
            }
            let failures = answers.iter().filter(|answer| answer.status >= 400);
            assert!(failures.clone().count() > SLIPS.len(), "{answers:#?}");
        }
    });
}

/// An error goes to browsers, screenshots and trackers: it repeats nothing that was sent but the path.
#[test]
fn no_error_repeats_a_secret_or_a_contact() {
    cr_testkit::run(async {
        let (_, answers, secrets) = stumble_through("info").await;
        for answer in answers.iter().filter(|answer| answer.status >= 400) {
            check_silent(&answer.body, &secrets, &answer.head);
        }
    });
}
