//! The README's way into production: its configuration and its commands, on a database that Medusa made.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use cr_testkit::medusa::medusa_database;
use tempfile::TempDir;

use super::README;

/// What the README's configuration has for the shop's database, and for the folder of its secrets.
const DATABASE: &str = "postgres://shop:secret@db.example.com/medusa";
const SECRETS: &str = "/run/secrets";

/// The first block of a kind in the section.
fn block(kind: &str) -> &'static str {
    let section = README.split("## In production").nth(1).unwrap().split("\n## ").next().unwrap();
    section.split(&format!("```{kind}\n")).nth(1).unwrap().split("```").next().unwrap()
}

/// A folder with the README's file in it, its places replaced by ones that exist, and the program under its own name.
fn prepare(database: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let file = block("toml").replace(DATABASE, database).replace(SECRETS, path.to_str().unwrap());
    std::fs::write(path.join("customer-registration.toml"), file).unwrap();
    std::fs::write(path.join("jwt"), "a secret that only this test's shop knows").unwrap();
    std::fs::write(path.join("cookie"), "another secret that only this test's shop knows").unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_customer-registration"), path.join("customer-registration"))
        .unwrap();
    folder
}

/// A shell in that folder that finds the program, for one script.
fn shell(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &format!("PATH=\"$PWD:$PATH\"\n{script}")]);
    command.current_dir(folder).stdin(Stdio::null()).env_remove("NODE_ENV");
    command
}

/// What a script printed, when it went well.
fn printed(ran: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    out.into_owned()
}

/// An operator who copies the file and the commands would be left with an error.
#[test]
fn the_configuration_and_the_commands_bring_a_shop_up() {
    cr_testkit::run(async {
        let database = medusa_database().await;
        let folder = prepare(database.url());
        let (before, serve) = block("text").trim_end().rsplit_once('\n').unwrap();
        assert_eq!(serve, "customer-registration serve");
        let out = printed(&shell(folder.path(), before).output().unwrap());
        assert!(out.contains("0001"), "what is to be migrated was told: {out}");

        for (command, id) in [
            ("customer-registration user -e admin@example.com", "user_"),
            ("customer-registration api-key create --type publishable", "pk_"),
        ] {
            assert!(README.contains(command), "the README does not name {command}");
            // The shop has an administrator of that name.
            let command = command.replace("admin@", "owner@");
            let script = format!("export NODE_ENV=production\nprintf 'a password of 3 words' | {command}");
            let out = printed(&shell(folder.path(), &script).output().unwrap());
            assert!(out.starts_with(id), "{out}");
        }

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = shell(folder.path(), &format!("exec {serve}"));
        let mut server = server
            .envs([("NODE_ENV", "production"), ("PORT", &port.to_string())])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut told = Vec::new();
        for line in lines.by_ref() {
            let listens = line.contains("Listening on");
            told.push(line);
            if listens {
                break;
            }
        }
        let ask = format!("curl -sS -o answer -w '%{{http_code}}' http://127.0.0.1:{port}/health/ready");
        let ready = printed(&shell(folder.path(), &ask).output().unwrap());
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(ready, "200", "{told:#?}");
    });
}
