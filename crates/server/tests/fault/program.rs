//! The program as a child process: its log lines, its port, its end.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::watch;

/// How long a test waits for a line or an end before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// `serve` in a process. Killed when dropped.
pub(crate) struct Program {
    pid: Pid,
    lines: watch::Receiver<Vec<String>>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.ended.borrow().is_none() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

impl Program {
    /// Starts a command and reads its standard error until it ends.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let (add_line, lines) = watch::channel(Vec::new());
        let (set_end, ended) = watch::channel(None);
        std::thread::spawn(move || {
            read_lines(&mut child, &add_line);
            let _ = set_end.send(child.wait().ok());
        });
        Self { pid, lines, ended }
    }

    /// The address that it listens on, as its log tells it.
    pub(crate) async fn address(&self) -> SocketAddr {
        let line = self.line("Listening on ", 1).await;
        let json: Value = serde_json::from_str(&line).unwrap();
        json["address"].as_str().unwrap().parse().unwrap()
    }

    /// Waits until this many lines hold the text; the last of them.
    pub(crate) async fn line(&self, text: &str, count: usize) -> String {
        let mut lines = self.lines.clone();
        let found = lines.wait_for(|lines| lines.iter().filter(|line| line.contains(text)).count() >= count);
        if let Ok(Ok(lines)) = tokio::time::timeout(PATIENCE, found).await {
            return lines.iter().rfind(|line| line.contains(text)).unwrap().clone();
        }
        panic!("no {count} lines with `{text}` in:\n{}", self.log());
    }

    /// All lines so far.
    pub(crate) fn log(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// The process.
    #[allow(dead_code, clippy::allow_attributes, reason = "the tests of a full disk limit it")]
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for the end; the exit code, `None` when a signal ended it.
    pub(crate) async fn end(&self) -> Option<i32> {
        let mut ended = self.ended.clone();
        let status = tokio::time::timeout(PATIENCE, ended.wait_for(Option::is_some)).await;
        let status = *status.unwrap_or_else(|_| panic!("it does not end:\n{}", self.log())).unwrap();
        status.unwrap().code()
    }

    /// SIGTERM, and all lines once it has ended.
    pub(crate) async fn lines_when_stopped(self) -> Vec<String> {
        self.signal(Signal::TERM);
        assert_eq!(self.end().await, Some(0), "{}", self.log());
        self.lines.borrow().clone()
    }

    /// SIGKILL, and waits until the process is gone.
    pub(crate) async fn kill(self) {
        self.signal(Signal::KILL);
        assert_eq!(self.end().await, None);
    }

    /// SIGTERM, and waits for an end without complaint.
    pub(crate) async fn stop(self) {
        self.signal(Signal::TERM);
        assert_eq!(self.end().await, Some(0), "{}", self.log());
    }
}

/// Hands each line on until the pipe closes.
fn read_lines(child: &mut Child, add_line: &watch::Sender<Vec<String>>) {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        add_line.send_modify(|lines| lines.push(line));
    }
}
