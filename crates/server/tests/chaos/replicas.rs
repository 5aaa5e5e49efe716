//! Three replicas on one PostgreSQL, restarted one after the other under load, as a deployment does.

use std::net::SocketAddr;
use std::time::Duration;

use cr_testkit::frozen::Frozen;
use cr_testkit::{TestDatabase, WebhookSink};
use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::customer::{Customer, PASSWORD};
use crate::load::{Load, messages_to};
use crate::network::sign_up;
use crate::program::{PATIENCE, Program};
use crate::shop::{Server, Shop};
use crate::support::{CHEAP, DEVELOPMENT, TestServer};
use crate::wire;

/// Replicas.
const THREE: usize = 3;
/// What `sendsPerSubject` lets in, of how many that ask.
const LET_IN: usize = 5;
const ASKING: usize = 24;
/// Accounts that are due to be deleted.
const DUE: u32 = 400;
/// Milliseconds between two restarts.
const BREATH: u64 = 400;

/// Three programs of one shop.
async fn serve_three(shop: &Shop) -> Vec<Server> {
    let mut servers = Vec::new();
    for _ in 0..THREE {
        servers.push(shop.serve().await);
    }
    servers
}

/// Where they listen.
fn addresses(servers: &[Server]) -> Vec<SocketAddr> {
    servers.iter().map(|server| server.address).collect()
}

/// Stops each in turn and starts another in its place, so many times, telling the balancer.
async fn restart_in_turn(
    shop: &Shop,
    servers: &mut Vec<Server>,
    rounds: usize,
    balancer: &watch::Sender<Vec<SocketAddr>>,
) {
    for _ in 0..THREE * rounds {
        tokio::time::sleep(Duration::from_millis(BREATH)).await;
        let oldest = servers.remove(0);
        oldest.program.stop().await;
        servers.push(shop.serve().await);
        balancer.send_replace(addresses(servers));
    }
}

/// A load balancer goes elsewhere once a replica refuses connections. What a replica has taken it answers, so a deployment costs no
/// customer anything. Meanwhile three deletion jobs run at once, as those of three replicas do when the hour strikes.
#[test]
fn a_rolling_restart_fails_no_request() {
    cr_testkit::run(async {
        let database = TestDatabase::postgres().await;
        let texts = WebhookSink::start().await;
        let shop = Shop::new(&database, &messages_to(&texts), "");
        let mut servers = serve_three(&shop).await;
        sign_up(&servers[0], &texts, "alice@example.com", "+15551234567").await;
        let mut connection = database.open().await;
        cr_testkit::leaving::fill(&mut connection, 1..=DUE).await;
        connection.close().await;
        let (balancer, to) = watch::channel(addresses(&servers));
        let mut load = Load::start(6, &to);
        load.log_in("+15551234567", &to);
        let jobs: Vec<Program> =
            (0..THREE).map(|_| Program::start(shop.command(&["job", "run", "process-account-deletions"]))).collect();
        restart_in_turn(&shop, &mut servers, if crate::is_full() { 20 } else { 1 }, &balancer).await;
        for job in jobs {
            assert_eq!(job.end().await, Some(0), "{}", job.log());
        }
        tokio::time::sleep(Duration::from_millis(BREATH)).await;
        let ledger = load.end().await;
        assert!(ledger.customers() > 0, "{}", ledger.told());
        assert_eq!((ledger.refusals(), ledger.cuts()), (0, 0), "{}", ledger.told());
        ledger.check(&database, &texts).await;
        assert_each_was_deleted_once(&database).await;
        println!("rolling restarts: {}", ledger.told());
        for server in servers {
            server.program.stop().await;
        }
    });
}

/// The counters are rows, so neither the number of replicas nor a restart in between gives anybody one message more.
#[test]
fn a_limit_is_exact_over_replicas_that_are_restarted() {
    cr_testkit::run(async {
        let database = TestDatabase::postgres().await;
        let texts = WebhookSink::start().await;
        let shop = Shop::new(&database, &messages_to(&texts), "")
            .variable("CUSTOMER_REGISTRATION__OPTIONS__LIMITS__SENDS_PER_SUBJECT", "5/1h");
        let mut servers = serve_three(&shop).await;
        let customer = Customer::register(&servers[0], "alice@example.com", "+15551234567").await;
        let (balancer, to) = watch::channel(addresses(&servers));
        let headers = format!("authorization: Bearer {}\r\n", customer.token);
        let body = json!({"customer_id": customer.id, "type": "email_verification"}).to_string();
        let mut asking = JoinSet::new();
        for number in 0..ASKING {
            let (to, headers, body) = (to.clone(), headers.clone(), body.clone());
            asking.spawn(async move {
                tokio::time::sleep(Duration::from_millis(100 * number as u64)).await;
                loop {
                    let all = to.borrow().clone();
                    let one = all[number % all.len()];
                    let answer = wire::exchange(one, "POST", "/store/customers/otp/send", &headers, &body).await;
                    // The one that is being restarted; the balancer will know in a moment.
                    let Ok(answer) = answer else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        continue;
                    };
                    // 409: two of them at once, of which the other won.
                    if answer.status != 409 {
                        return answer;
                    }
                }
            });
        }
        restart_in_turn(&shop, &mut servers, 1, &balancer).await;
        let answers = asking.join_all().await;
        let count = |status| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(200), count(429)), (LET_IN, ASKING - LET_IN), "{answers:?}");
        assert_eq!(database.rows("select id from cr_outbox").await.len(), LET_IN);
        println!("limits over restarts: {LET_IN} of {ASKING} let in");
        for server in servers {
            server.program.stop().await;
        }
    });
}

/// Every account that was due has one line in the audit, and nobody else has one.
async fn assert_each_was_deleted_once(database: &TestDatabase) {
    let lines = database.rows("select subject_id from cr_audit where action = 'account_deletion.completed'").await;
    let mut subjects: Vec<String> = lines.iter().map(|line| line["subject_id"].to_string()).collect();
    subjects.sort();
    subjects.dedup();
    assert_eq!((lines.len(), subjects.len()), (DUE as usize, DUE as usize));
}

/// Each replica's clock strikes the hour: all run the job, and the rows decide who deletes which account.
#[test]
fn three_replicas_delete_each_due_account_once_when_the_hour_strikes() {
    cr_testkit::run(async {
        let database = TestDatabase::postgres().await;
        let mut connection = database.open().await;
        cr_testkit::leaving::fill(&mut connection, 1..=DUE).await;
        connection.close().await;
        // The clocks stand still a moment before the hour, so that it strikes again and again.
        let mut servers = Vec::new();
        for seed in 1..=3 {
            let (mut env, _) = cr_testkit::env(seed);
            env.clock = Frozen::at("2026-01-02T03:59:59.600Z");
            servers.push(TestServer::start(&database, DEVELOPMENT, &[], env, CHEAP).await);
        }
        let done = async {
            let open = "select id from account_deletion_request where status <> 'completed'";
            while !database.rows(open).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, done).await.unwrap();
        for server in servers {
            server.stop().await;
        }
        assert_each_was_deleted_once(&database).await;
        let left = database.rows("select id from customer where deleted_at is null or email is not null").await;
        assert!(left.is_empty(), "{left:?}");
    });
}

/// A client that keeps its connection must learn from the answer that it is the last, or its next request would be lost.
#[test]
fn a_kept_connection_is_answered_and_then_closed_when_the_server_stops() {
    cr_testkit::run(async {
        let database = TestDatabase::sqlite().await;
        let server = Shop::new(&database, "", "").serve().await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let asked = "GET /health HTTP/1.1\r\nhost: shop.test\r\n\r\n";
        stream.write_all(asked.as_bytes()).await.unwrap();
        let first = until_text(&mut stream, "OK").await;
        assert!(first.starts_with("HTTP/1.1 200 ") && !first.contains("connection: close"), "{first}");

        let body = json!({"email": "alice@example.com", "password": PASSWORD}).to_string();
        let head = format!(
            "POST /auth/customer/emailpass/register HTTP/1.1\r\nhost: shop.test\r\ncontent-type: application/json\r\n\
             expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        until_text(&mut stream, "100 Continue\r\n\r\n").await;
        server.program.signal(Signal::TERM);
        server.program.line("Stopping", 1).await;
        let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
        tokio::time::timeout(PATIENCE, refused).await.expect("new connections must be refused");
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut last = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut last)).await.unwrap().unwrap();
        assert!(last.starts_with("HTTP/1.1 200 ") && last.contains("connection: close\r\n"), "{last}");
        assert_eq!(server.program.end().await, Some(0));
    });
}

/// Reads until this was read.
async fn until_text(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let read = async {
        while !text.ends_with(end) {
            let mut byte = [0; 1];
            stream.read_exact(&mut byte).await.unwrap();
            text.push(char::from(byte[0]));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    text
}
