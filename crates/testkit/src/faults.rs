//! Failure on purpose: the recorder of a workflow's steps, which fails the one it is told to.

use std::error::Error as _;
use std::sync::{Arc, Mutex};

use cr_core::app::Faults;
use cr_core::error::Error;

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
