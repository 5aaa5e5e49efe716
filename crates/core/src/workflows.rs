//! One file a workflow: `Input`, `Output`, `run`.
