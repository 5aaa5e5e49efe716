//! What keeps the server from starting is told in one go, in sentences, with exit code 1.

use std::process::Output;

use cr_testkit::TestDatabase;
use tokio::net::TcpListener;

use crate::program::Program;
use crate::shop::Shop;

/// Standard error of a command that must have failed.
fn failure(output: &Output) -> String {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("error: ") && !told.contains("panicked"), "{told}");
    told
}

/// Nobody wants to start five times to find five slips.
#[test]
fn all_problems_of_a_configuration_are_told_at_once() {
    cr_testkit::run(async {
        let database = TestDatabase::empty_sqlite();
        let shop = Shop::new(&database, "", "").variable("NODE_ENV", "production");
        shop.write(
            "config.toml",
            "[projectConfig.http]\nport = 99999\n[options]\notp_length = 6\nemail_verification = { template = \"gone.html\" }\n\
             [[notification.providers]]\nid = \"smtp\"\nchannels = [\"email\"]\n\
             options = { url = \"smtp://h\", from = \"a@b.c\", caFile = \"gone.pem\" }\n",
        );
        for command in [&["serve"][..], &["config", "check"]] {
            let told = failure(&shop.run(command).await);
            for problem in [
                "projectConfig.http.port (config.toml:2)",
                "options.otp_length (config.toml:4)",
                "options.email_verification.template (config.toml:5)",
                "options.email_verification.channel",
                "notification.providers[0].options.caFile (config.toml:9)",
                "JWT secret is not configured",
                "Cookie secret is not configured",
            ] {
                assert!(told.contains(problem), "{command:?}: no `{problem}` in {told}");
            }
        }
    });
}

#[test]
fn a_database_that_cannot_be_reached_is_told_without_its_password() {
    cr_testkit::run(async {
        let database = TestDatabase::empty_sqlite();
        for url in ["postgres://shop:s3cr3t-w0rd@127.0.0.1:1/shop", "sqlite:///nowhere/at/all.db?mode=rwc"] {
            let shop = Shop::new(&database, "", "").variable("DATABASE_URL", url);
            let told = failure(&shop.run(&["serve"]).await);
            assert!(told.contains("the database cannot be opened"), "{told}");
            assert!(!told.contains("s3cr3t-w0rd"), "{told}");
        }
    });
}

#[test]
fn a_port_that_is_taken_is_named() {
    cr_testkit::run(async {
        let database = TestDatabase::sqlite().await;
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let shop = Shop::new(&database, "", "").variable("PORT", &port.to_string());
        let told = failure(&shop.run(&["serve"]).await);
        assert!(
            told.contains(&format!("cannot listen on 127.0.0.1:{port}; is another server running there?")),
            "{told}"
        );
    });
}

/// Before anything else is spoilt by it: a provider that cannot work.
#[test]
fn a_ca_file_without_a_certificate_is_told_by_its_key() {
    cr_testkit::run(async {
        let database = TestDatabase::sqlite().await;
        let provider = "\n[[notification.providers]]\nid = \"smtp\"\nchannels = [\"email\", \"sms\"]\n\
                        options = { url = \"smtps://h\", from = \"a@b.c\", caFile = \"empty.pem\" }\n";
        let shop = Shop::new(&database, provider, "");
        shop.write("empty.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let told = failure(&shop.run(&["serve"]).await);
        assert!(told.contains("notification.providers[0].options.caFile: "), "{told}");
    });
}

/// A restart must never change a shop's tables; `migrate` does, and then it serves.
#[test]
fn production_serves_only_a_database_that_was_migrated() {
    cr_testkit::run(async {
        for database in [TestDatabase::empty_sqlite(), TestDatabase::empty_postgres().await] {
            let provider = "\n[[notification.providers]]\nid = \"webhook\"\nchannels = [\"email\", \"sms\"]\n\
                            options = { url = \"https://hooks.example.com\", secret = \"a secret\" }\n";
            let shop = Shop::new(&database, provider, "").variable("NODE_ENV", "production");
            let told = failure(&shop.run(&["serve"]).await);
            assert!(told.contains("run `customer-registration migrate` first"), "{told}");
            let migrated = shop.run(&["migrate"]).await;
            assert!(migrated.status.success(), "{migrated:?}");
            let server = shop.serve().await;
            assert_eq!(server.get("/health/ready", None).await.status, 200);
            server.program.stop().await;
        }
    });
}

/// An operator who starts it by hand sees the same sentence once, and no stack.
#[test]
fn a_failed_start_ends_by_itself() {
    cr_testkit::run(async {
        let database = TestDatabase::empty_sqlite();
        let shop = Shop::new(&database, "", "").variable("DATABASE_URL", "mysql://h/db");
        let program = Program::start(shop.command(&["serve"]));
        assert_eq!(program.end().await, Some(1));
        assert_eq!(program.log().matches("error: ").count(), 1, "{}", program.log());
    });
}
