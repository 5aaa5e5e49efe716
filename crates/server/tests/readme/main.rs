//! The README's tour, each command run as it is written there, against the program as it starts without any file.

#![cfg(test)]

mod production;

use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

const README: &str = include_str!("../../../../README.md");
/// What the tour calls the server's address.
const ADDRESS: &str = "http://127.0.0.1:9000";

/// What the phone-first shop's address is.
const PHONE_FIRST: &str = "http://127.0.0.1:9001";
/// How the tour calls the program.
const CARGO_RUN: &str = "cargo run --release --";

/// The shell blocks below a heading, in order.
fn blocks(heading: &str) -> Vec<&'static str> {
    let section = README.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// A server in a folder of its own, with one variable set; ended when dropped.
struct Server {
    process: Child,
    /// Held, since a program whose output nobody takes any more may end.
    _lines: Lines<BufReader<ChildStdout>>,
    port: u16,
    folder: TempDir,
}

impl Server {
    /// Starts it as somebody does who has just cloned the project, and waits until it listens.
    fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(env!("CARGO_BIN_EXE_customer-registration"))
            .arg("serve")
            .current_dir(folder.path())
            .env("PORT", port.to_string())
            .env_remove("NODE_ENV")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().contains("listening"));
        Self { process, _lines: lines, port, folder }
    }

    /// Its address.
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// If this fails, the first five minutes do.
#[test]
fn the_tour_and_the_other_flows_work_as_written() {
    let server = Server::start(&[]);
    let phone_first = Server::start(&[("CUSTOMER_REGISTRATION__OPTIONS__REGISTRATION__IDENTIFIER", "phone")]);
    let tour = blocks("## The five-minute tour");
    let flows = blocks("## The other flows");
    let script = [tour, vec!["echo; echo ==== flows"], flows].concat().join("\n");
    let script = script
        .replace(ADDRESS, &server.url())
        .replace(PHONE_FIRST, &phone_first.url())
        .replace(CARGO_RUN, env!("CARGO_BIN_EXE_customer-registration"));
    let ran = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(server.folder.path())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    let (tour, flows) = out.split_once("==== flows").unwrap();
    assert!(tour.contains(r#""code":"verification_required""#), "{tour}");
    let me = tour.rsplit("{\"customer\":").next().unwrap_or_default();
    assert!(me.contains(r#""email_verified":true,"phone_verified":true"#), "{tour}\n{err}");
    for told in [
        r#""email":"alice@example.org""#,
        r#"{"restored":true}"#,
        r#"{"message":"Password reset successfully","success":true}"#,
        r#""email":"bob@example.com""#,
        r#""status":"confirmed""#,
        r#""code":"account_deletion_pending""#,
        r#""cancelled":true"#,
        r#""requests":[{"id":"adr_"#,
        "0 accounts deleted, 0 failed",
        "migrations     up to date",
        r#""phone_verified":true,"token":"#,
    ] {
        assert!(flows.contains(told), "no {told} in {flows}\n{err}");
    }
    assert!(flows.trim_end().ends_with("\"}") && flows.contains("{\"token\":\""), "{flows}");
}
