//! The README's tour, each command run as it is written there, against the program as it starts without any file.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

const README: &str = include_str!("../../../../README.md");
/// What the tour calls the server's address.
const ADDRESS: &str = "http://127.0.0.1:9000";

/// The shell blocks below the tour's heading, in order.
fn tour() -> Vec<&'static str> {
    let section = README.split("## The five-minute tour").nth(1).unwrap().split("\n## ").next().unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// If this fails, the first five minutes do.
#[test]
fn the_tour_works_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = Command::new(env!("CARGO_BIN_EXE_customer-registration"))
        .arg("serve")
        .current_dir(folder.path())
        .env("PORT", port.to_string())
        .env_remove("NODE_ENV")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("listening"));

    let script = tour().join("\n").replace(ADDRESS, &format!("http://127.0.0.1:{port}"));
    let ran = Command::new("bash").args(["-euo", "pipefail", "-c", &script]).output().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    assert!(out.contains(r#""code":"verification_required""#), "{out}");
    let last = out.lines().last().unwrap_or_default();
    let me = last.rsplit("{\"customer\":").next().unwrap_or_default();
    assert!(me.contains(r#""email_verified":true,"phone_verified":true"#), "{out}\n{err}");
}
