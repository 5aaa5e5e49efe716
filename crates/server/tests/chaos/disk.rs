//! The disk under SQLite is full: whoever wants to write is told to come back, whoever reads is served, and the file stays whole.
//!
//! A limit on the size of files, set on the running program, stands for the disk: it takes no right to mount anything. The system
//! call fails in the same place with another number.

use std::process::Command;
use std::time::Duration;

use cr_testkit::{TestDatabase, WebhookSink};
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;
use tokio::sync::watch;

use crate::customer::PASSWORD;
use crate::load::{Load, assert_says_not_now, messages_to};
use crate::network::sign_up;
use crate::program::{PATIENCE, Program};
use crate::shop::{Server, Shop};
use crate::whole::check_whole;

/// Serves with the signal ignored that a file beyond its limit brings: a full disk sends none.
async fn serve(shop: &Shop) -> Server {
    let wanted = shop.command(&["serve"]);
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "bash"]).arg(wanted.get_program()).args(wanted.get_args());
    command.env_clear().current_dir(shop.path());
    for (name, value) in wanted.get_envs() {
        command.env(name, value.unwrap());
    }
    let program = Program::start(command);
    let address = program.address().await;
    Server { program, address }
}

/// No file of the program may become larger than so many bytes; `None`: as large as it likes.
fn limit_files(server: &Server, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(Some(server.program.pid()), Resource::Fsize, limit).unwrap();
}

/// A shop must notice by its monitoring, not by a broken file; and once there is room nobody has to restart anything.
#[test]
fn a_full_disk_costs_a_clear_503_until_there_is_room() {
    cr_testkit::run(async {
        let database = TestDatabase::sqlite().await;
        let texts = WebhookSink::start().await;
        let shop = Shop::new(&database, &messages_to(&texts), "");
        let server = serve(&shop).await;
        sign_up(&server, &texts, "alice@example.com", "+15551234567").await;
        let login = json!({"phone": "+15551234567", "password": PASSWORD});
        let session = server.post("/auth/customer/emailpass", None, &login).await.field("/token");

        let (_to, to) = watch::channel(vec![server.address]);
        // So many that what fails is often the commit of several.
        let load = Load::start(24, &to);
        let rounds = if crate::is_full() { 30 } else { 2 };
        for round in 0..rounds {
            let before = load.ledger.refusals();
            // A little more than there is, so that it fails in the middle of what a request writes, too.
            limit_files(&server, Some(written(&database) + 4096 * (round % 7)));
            let met = async {
                while load.ledger.refusals() < before + 4 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let met = tokio::time::timeout(PATIENCE, met).await;
            met.unwrap_or_else(|_| panic!("the disk is not full: {}", load.ledger.told()));
            // What was taken back has left room in the file for one who writes little.
            limit_files(&server, Some(0));
            let body = json!({"email": "bob@example.com", "password": PASSWORD});
            assert_says_not_now(&server.post("/auth/customer/emailpass/register", None, &body).await);
            let me = server.get("/store/customers/me", Some(&session)).await;
            assert_eq!(me.status, 200, "reading needs no room: {me:?}");
            assert_eq!(server.get("/health", None).await.status, 200);
            limit_files(&server, None);
            load.through(load.ledger.customers() + 1).await;
        }
        let ledger = load.end().await;
        assert_eq!(ledger.cuts(), 0, "{}", ledger.told());
        sign_up(&server, &texts, "carol@example.com", "+15557654321").await;
        ledger.check(&database, &texts).await;
        println!("full disk: {}", ledger.told());

        // Full again, and killed: what is there is read by the next start.
        limit_files(&server, Some(written(&database)));
        server.program.kill().await;
        check_whole(&database).await;
        let server = serve(&shop).await;
        sign_up(&server, &texts, "dave@example.com", "+15557654322").await;
        server.program.stop().await;
    });
}

/// Bytes of the larger of the two files that the database consists of while it is open.
fn written(database: &TestDatabase) -> u64 {
    let path = database.url().strip_prefix("sqlite://").unwrap().split('?').next().unwrap();
    let sizes = ["", "-wal"].map(|suffix| std::fs::metadata(format!("{path}{suffix}")).unwrap().len());
    sizes.into_iter().max().unwrap()
}
