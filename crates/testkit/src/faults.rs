//! Failure on purpose: the recorder of a workflow's steps, which fails the one it is told to, and the order to a process to kill
//! itself at a point.

use std::error::Error as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use cr_core::app::Faults;
use cr_core::error::Error;
use rustix::process::{Signal, getpid, kill_process};

/// What the log of an injected failure says before the step's name.
const INJECTED: &str = "injected at ";

/// Records the steps that workflows reach, in order, and fails the n-th of a run.
#[derive(Default)]
pub struct StepFaults {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reached: Vec<&'static str>,
    fails_at: Option<usize>,
}

impl StepFaults {
    /// One that fails nothing yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Begins a new run. `fails_at` counts the steps from 0, `commit` among them; `None` lets all pass.
    pub fn begin(&self, fails_at: Option<usize>) {
        *self.state.lock().unwrap() = State { reached: Vec::new(), fails_at };
    }

    /// The steps of this run, in order, a failed one too.
    pub fn reached(&self) -> Vec<&'static str> {
        self.state.lock().unwrap().reached.clone()
    }

    /// The step at which a failure was injected; `None` for every other error.
    pub fn injected(error: &Error) -> Option<String> {
        let source = error.source()?.to_string();
        source.strip_prefix(INJECTED).map(ToOwned::to_owned)
    }
}

impl Faults for StepFaults {
    fn reach(&self, step: &'static str) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap();
        let fails = state.fails_at == Some(state.reached.len());
        state.reached.push(step);
        if fails { Err(Error::internal(format!("{INJECTED}{step}"))) } else { Ok(()) }
    }
}

/// What a process prints before it kills itself, followed by the point's name.
pub const KILLED_AT: &str = "killed at ";

/// Kills its own process at a fault point, as `kill -9` would: no destructor runs, no connection is closed in order.
pub struct KillAt {
    /// `None`: any point counts.
    point: Option<String>,
    /// Which of the hits is the last, from 1.
    hit: usize,
    reached: Mutex<Reached>,
}

/// Where a process has been.
#[derive(Default)]
struct Reached {
    points: Vec<&'static str>,
    hits: usize,
}

impl KillAt {
    /// Reads an order: a point and a hit, such as `commit:2`; `any` counts all points. An empty text lets the process live.
    ///
    /// # Panics
    /// When it is no order.
    pub fn read(order: &str) -> Arc<Self> {
        let (point, hit) = order.split_once(':').unwrap_or(("any", "0"));
        let point = (point != "any").then(|| point.to_owned());
        Arc::new(Self { point, hit: hit.parse().unwrap(), reached: Mutex::default() })
    }

    /// The points since the last call, in order.
    pub fn take_reached(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.reached.lock().unwrap().points)
    }

    /// Counts a point; at the one of the order the process ends.
    fn count(&self, point: &'static str) {
        let mut reached = self.reached.lock().unwrap();
        reached.points.push(point);
        if self.point.as_ref().is_some_and(|wanted| wanted != point) {
            return;
        }
        reached.hits += 1;
        if reached.hits == self.hit {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{KILLED_AT}{point}").and_then(|()| out.flush()).unwrap();
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }
}

impl Faults for KillAt {
    fn reach(&self, step: &'static str) -> Result<(), Error> {
        self.count(step);
        Ok(())
    }

    fn pass(&self, point: &'static str) {
        self.count(point);
    }
}
