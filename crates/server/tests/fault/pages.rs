//! Our pages in a real browser on the real program: the scripts in `e2e/` use them as a person does, and take their pictures.

use std::path::Path;

use cr_testkit::TestDatabase;

use crate::shop::{Server, Shop};

/// Messages stay in the inbox; a password is all that a login wants.
const CONFIGURATION: &str = r#"
[projectConfig.http]
port = 0
jwtSecret = "a test's jwt secret of thirty-two bytes or more"
cookieSecret = "a test's cookie secret of thirty-two bytes or more"

[options]
registration = { identifier = "email", require_verification = false }
email_verification = { channel = "email", resendThrottleSeconds = 0 }
account_deletion_request = { resendThrottleSeconds = 0, template = "builtin" }

[options.limits]
sendsPerAddress = "off"
loginFailuresPerAddress = "off"
"#;

/// The administrator's e-mail and password.
pub(crate) const ADMINISTRATOR: [&str; 2] = ["admin@example.com", "correct horse 0"];

/// The program on a database, with an administrator and sixty-five deletion requests.
async fn open(database: &TestDatabase) -> (Shop, Server) {
    open_with(database, CONFIGURATION).await
}

/// The same with another configuration.
pub(crate) async fn open_with(database: &TestDatabase, configuration: &str) -> (Shop, Server) {
    let shop = Shop::new(database, "", "");
    shop.write("config.toml", configuration);
    let [email, password] = ADMINISTRATOR;
    let migrated = shop.command(&["migrate"]).output().unwrap();
    assert!(migrated.status.success(), "{migrated:?}");
    let made = shop.command(&["user", "-e", email, "-p", password]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let server = shop.serve().await;
    for sql in requests() {
        database.sql(&sql).await;
    }
    (shop, server)
}

/// Requests of people with every kind of name and reason, the first by their ids, and of many others.
fn requests() -> Vec<String> {
    let long = "x".repeat(1000);
    let odd = [
        ("'<b>Bold</b>', '<img src=x onerror=alert(1)>', 'html@example.com', null", "<script>alert(1)</script> & more"),
        ("'محمد', 'الخوارزمي', 'rtl@example.com', null", "أريد حذف حسابي من فضلكم لأنني لا أستخدمه"),
        ("null, null, 'nameless@example.com', null", "-"),
        ("'Long', 'Winded', 'long@example.com', null", &long),
        ("'Augustaadaofthemanynameswithoutablankinthem', 'King-Noel', 'name@example.com', null", "Line one\nline two"),
        ("null, null, null, '+15551234567'", "-"),
    ];
    let mut sql = Vec::new();
    for number in 0..65 {
        let id = format!("{number:02}");
        let time = format!("'2026-01-02T{:02}:{:02}:05.678Z'", number / 60, number % 60);
        let (name, reason) = match odd.get(number) {
            Some((name, reason)) => ((*name).to_owned(), *reason),
            None => (format!("'Customer', '{id}', 'customer{id}@example.com', null"), "Too many mails"),
        };
        // Of one, nothing is left but the request.
        if number != 6 {
            sql.push(format!(
                "insert into customer (id, first_name, last_name, email, phone, has_account, created_at, updated_at) \
                 values ('cus_{id}', {name}, true, {time}, {time})"
            ));
        }
        let (status, reason, cancelled) = match number % 3 {
            0 => ("confirmed", format!("'{reason}'"), "null".to_owned()),
            1 => ("cancelled", format!("'{reason}'"), time.clone()),
            _ => ("completed", "null".to_owned(), "null".to_owned()),
        };
        sql.push(format!(
            "insert into account_deletion_request \
             (id, customer_id, reason, status, deletion_scheduled_at, cancelled_at, created_at, updated_at) \
             values ('adr_{id}', 'cus_{id}', {reason}, '{status}', '2099-01-09T03:04:05.678Z', {cancelled}, {time}, {time})"
        ));
    }
    sql
}

/// Runs a script of `e2e/` against the program: what it printed.
async fn run(server: &Server, script: &str) -> Vec<String> {
    let url = format!("http://{}", server.address);
    let screenshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/screenshots");
    let [email, password] = ADMINISTRATOR;
    let variables = [
        ("BASE_URL", url.as_str()),
        ("ADMIN_EMAIL", email),
        ("ADMIN_PASSWORD", password),
        ("SCREENSHOTS", screenshots.to_str().unwrap()),
    ];
    cr_testkit::node::run(script, &variables).await.lines().map(ToOwned::to_owned).collect()
}

cr_testkit::both! {
    /// An administrator could not do their work.
    async fn an_administrator_works_on_the_page(database: TestDatabase) {
        let (_shop, server) = open(&database).await;
        let steps = run(&server, "admin.mjs").await;
        assert_eq!(steps, [
            r#"{"step":"sign in"}"#,
            r#"{"step":"load more"}"#,
            r#"{"step":"filter and sort"}"#,
            r#"{"step":"refresh"}"#,
            r#"{"step":"decide"}"#,
            r#"{"step":"hostile text"}"#,
            r#"{"step":"sign out"}"#,
        ]);
        server.program.stop().await;
    }

    /// A developer could not read their code.
    async fn a_code_is_read_in_the_inbox(database: TestDatabase) {
        let (_shop, server) = open(&database).await;
        let steps = run(&server, "inbox.mjs").await;
        assert_eq!(steps, [r#"{"step":"code"}"#, r#"{"step":"views"}"#, r#"{"step":"clear"}"#]);
        server.program.stop().await;
    }
}

/// A page would be out of reach for who does not see, or has a small screen, or ugly: the pictures lie in `target/screenshots`.
#[test]
fn every_page_is_within_reach_and_looked_at() {
    cr_testkit::run(async {
        let database = TestDatabase::sqlite().await;
        let (_shop, server) = open(&database).await;
        assert_eq!(run(&server, "pages.mjs").await, [r#"{"pages":10,"step":"looked at"}"#]);
        server.program.stop().await;
    });
}
