//! One open transaction with all that a step may use: no provider, no client, no second clock.

use std::sync::Arc;

use cr_db::Tx;
use cr_db::models::medusa_tables::MedusaTables;
use cr_types::timestamp::Timestamp;

use crate::app::Shared;
use crate::error::Error;

/// The unit of work of one workflow. Dropped without [`Ctx::commit`], everything rolls back.
#[must_use = "a context that is dropped without commit rolls back"]
pub struct Ctx {
    /// The transaction.
    pub tx: Tx,
    /// The time of the whole operation, read once.
    pub now: Timestamp,
    /// Options, keys and templates.
    pub shared: Arc<Shared>,
    /// Which of Medusa's newer tables there are.
    pub medusa_tables: MedusaTables,
    /// Whether a message was written.
    pub(crate) has_message: bool,
    /// Whether an event was written.
    pub(crate) has_event: bool,
}

impl Ctx {
    /// Marks the begin of a step by the plugin's step id: a line in the trace, and in tests the place to fail.
    ///
    /// # Errors
    /// Only when a test injected a failure at this step.
    pub fn step(&self, id: &'static str) -> Result<(), Error> {
        tracing::debug!(step = id, "Step {id}");
        self.shared.reach(id)
    }

    /// Random bytes of this operation.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        self.shared.env.bytes()
    }

    /// Makes all effects durable at once, and wakes the delivery worker if it has work by that.
    ///
    /// # Errors
    /// When the database refuses; then nothing happened.
    pub async fn commit(self) -> Result<(), Error> {
        self.step("commit")?;
        self.tx.commit().await?;
        self.shared.pass("committed");
        if self.has_message {
            self.shared.wake.messages.notify_one();
        }
        if self.has_event {
            self.shared.wake.events.notify_one();
        }
        Ok(())
    }
}
