//! A program that holds something for us as long as its standard input is open: a server, a database, a Medusa.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

/// The program; what it holds goes when this is dropped.
pub(crate) struct Held {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Held {
    /// Starts it. `server` is the PostgreSQL server that it is to use, in place of the one that tests share.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(program: &Path, arguments: &[&str], server: Option<&str>) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.envs(server.map(|url| ("CR_TEST_POSTGRES_URL", url)));
        let mut child = command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let lines = BufReader::new(child.stdout.take().context("its output is closed")?).lines();
        Ok(Self { child, lines })
    }

    /// The next line that it prints.
    ///
    /// # Errors
    /// When it ends instead.
    pub(crate) fn line(&mut self) -> Result<String> {
        Ok(self.lines.next().context("a program ended before it said what it holds")??)
    }
}

impl Drop for Held {
    /// Its standard input ends, and with it the program.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            println!("could not wait for process {}: {error}", self.child.id());
        }
    }
}
