//! The programs under measurement: started on a free port, asked until they answer, ended when dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::client::{Connection, request};

/// How long a program may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is started.
pub(crate) struct Recipe {
    /// The file to execute.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Its environment besides the port: nothing else is handed on.
    pub(crate) environment: Vec<(String, String)>,
    /// Its working directory.
    pub(crate) folder: PathBuf,
}

/// A running program.
pub(crate) struct Program {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first 200 on `/health`.
    pub(crate) first_answer: Duration,
}

impl Program {
    /// Starts it and waits for its first answer. It gets a free port as `PORT`.
    ///
    /// # Errors
    /// When it cannot be started, ends, or does not answer in 30 seconds.
    pub(crate) async fn start(recipe: &Recipe) -> Result<Self> {
        let address = free_address()?;
        let begun = Instant::now();
        let child = Command::new(&recipe.program)
            .args(&recipe.arguments)
            .env_clear()
            .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
            .env("PORT", address.port().to_string())
            .current_dir(&recipe.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("could not start {}", recipe.program.display()))?;
        let mut program = Self { child, address, first_answer: Duration::ZERO };
        program.wait_for_health(begun).await?;
        program.first_answer = begun.elapsed();
        Ok(program)
    }

    /// Asks `/health` every half millisecond until it answers 200.
    async fn wait_for_health(&mut self, begun: Instant) -> Result<()> {
        let health = request("GET", "/health", None, None);
        while begun.elapsed() < PATIENCE {
            if let Ok(mut connection) = Connection::open(self.address).await
                && connection.send(&health).await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the program ended before it answered: {status}");
            }
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        bail!("no answer from {} in {} s", self.address, PATIENCE.as_secs())
    }

    /// Memory that it holds now, in MiB.
    ///
    /// # Errors
    /// Where the system has no `/proc`.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        resident_mib(self.child.id())
    }

    /// Memory that it holds once what a start leaves behind is done, in MiB: two seconds from now.
    ///
    /// # Errors
    /// As [`Self::resident_mib`].
    pub(crate) async fn idle_mib(&self) -> Result<f64> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.resident_mib()
    }

    /// The most memory that it held so far, in MiB.
    ///
    /// # Errors
    /// Where the system has no `/proc`.
    pub(crate) fn peak_mib(&self) -> Result<f64> {
        peak_mib(self.child.id())
    }
}

/// Memory that a process holds now, in MiB (`VmRSS` of Linux).
///
/// # Errors
/// When it has ended, or the system has no `/proc`.
pub(crate) fn resident_mib(id: u32) -> Result<f64> {
    memory_mib(id, "VmRSS:")
}

/// The most memory that a process held so far, in MiB (`VmHWM` of Linux).
///
/// # Errors
/// As [`resident_mib`].
pub(crate) fn peak_mib(id: u32) -> Result<f64> {
    memory_mib(id, "VmHWM:")
}

/// A line of a process's status, in MiB.
fn memory_mib(id: u32, name: &str) -> Result<f64> {
    let path = format!("/proc/{id}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("could not read {path}"))?;
    kib(&status, name).map(|kib| f64::from(kib) / 1024.0).with_context(|| format!("no {name} in {path}"))
}

impl Drop for Program {
    /// Ends the process at once; what it has written is thrown away with its folder.
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            println!("could not end {}: {error}", self.child.id());
        }
    }
}

/// A program that ran to its end.
pub(crate) struct Ran {
    /// How long it took, start and end included.
    pub(crate) duration: Duration,
    /// The most memory that it held at once, in MiB (`VmHWM` of Linux).
    pub(crate) peak_mib: f64,
}

/// Runs something to its end.
///
/// # Errors
/// When it cannot be started, or does not end well.
pub(crate) fn run_to_end(recipe: &Recipe) -> Result<Ran> {
    let begun = Instant::now();
    let mut child = Command::new(&recipe.program)
        .args(&recipe.arguments)
        .env_clear()
        .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&recipe.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("could not start {}", recipe.program.display()))?;
    let mut peak = 0;
    let status = loop {
        let read = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        peak = kib(&read, "VmHWM:").unwrap_or(0).max(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        #[expect(clippy::disallowed_methods, reason = "nothing else runs here")]
        std::thread::sleep(Duration::from_millis(5));
    };
    if !status.success() {
        bail!("{} ended with {status}", recipe.arguments.join(" "));
    }
    Ok(Ran { duration: begun.elapsed(), peak_mib: f64::from(peak) / 1024.0 })
}

/// The number of a line such as `VmRSS:    12345 kB`.
fn kib(status: &str, name: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// An address of this machine that nobody listens on right now.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Where cargo puts what it builds for a profile.
pub(crate) fn built(target: &Path, profile: &str) -> PathBuf {
    target.join(if profile == "dev" { "debug" } else { profile })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_read_in_kib() {
        assert_eq!(kib("VmPeak:\t  9 kB\nVmRSS:\t   12288 kB\n", "VmRSS:"), Some(12_288));
        assert_eq!(kib("VmPeak:\t  9 kB\n", "VmRSS:"), None);
    }
}
