//! What lives as long as the process: options, keys, templates, the database, the hash threads.

use std::sync::{Arc, RwLock};

use cr_db::{Database, Tx};
use tokio::sync::Notify;

use crate::ctx::Ctx;
use crate::delivery::template::Templates;
use crate::env::Env;
use crate::error::Error;
use crate::keys::Keys;
use crate::modules::account_deletion_request::counts::LargeCounts;
use crate::modules::customer_registration::service::RegistrationHook;
use crate::modules::rate_limit::channel_budget::BudgetAlarms;
use crate::options::Options;
use crate::password::HashPool;

/// Where tests fail a workflow or kill the process on purpose. It is called in a build with the feature `fault-points` alone, which
/// `cr-testkit` asks for and no shipped program has.
pub trait Faults: Send + Sync {
    /// Called at every step and commit.
    ///
    /// # Errors
    /// When the test wants this step to fail.
    fn reach(&self, step: &'static str) -> Result<(), Error>;

    /// Called at points that are no step: there a process may die, and nothing can fail.
    fn pass(&self, _point: &'static str) {}
}

/// What a step may use besides its transaction.
pub struct Shared {
    /// The plugin's options.
    pub options: Options,
    /// Keys derived from the configured secrets.
    pub keys: Keys,
    /// The message templates; replaced when the operator asks for a reload.
    pub templates: RwLock<Arc<Templates>>,
    /// Time and chance.
    pub env: Env,
    /// Wakes the delivery worker.
    pub wake: Wake,
    /// Which budgets of messages were complained about.
    pub budget_alarms: BudgetAlarms,
    /// How many ask for the deletion of their account, where it is many.
    pub large_counts: LargeCounts,
    /// Only in tests.
    pub faults: Option<Arc<dyn Faults>>,
}

/// Wakes the delivery worker, each for what it says; a hint, the poll is the guarantee.
#[derive(Default)]
pub struct Wake {
    /// Messages may be due.
    pub messages: Notify,
    /// Events may be due.
    pub events: Notify,
}

impl Shared {
    /// A fault point that is a step or a commit.
    ///
    /// # Errors
    /// Only when a test injected a failure at this step.
    pub(crate) fn reach(&self, step: &'static str) -> Result<(), Error> {
        self.injected_faults(step).map_or(Ok(()), |faults| faults.reach(step))
    }

    /// A fault point where nothing can fail, such as after a commit.
    pub(crate) fn pass(&self, point: &'static str) {
        if let Some(faults) = self.injected_faults(point) {
            faults.pass(point);
        }
    }

    /// What a test injected; nothing in a shipped program.
    #[cfg(feature = "fault-points")]
    fn injected_faults(&self, point: &'static str) -> Option<&dyn Faults> {
        tracing::trace!("Fault point {point}");
        self.faults.as_deref()
    }

    /// What a test injected; nothing in a shipped program.
    #[cfg(not(feature = "fault-points"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the other form of it needs both")]
    fn injected_faults(&self, _point: &'static str) -> Option<&dyn Faults> {
        None
    }
}

/// The running product. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// What steps use.
    pub shared: Arc<Shared>,
    /// The data.
    pub db: Database,
    /// Where passwords are hashed: before a transaction or after it, never within.
    pub hashes: Arc<HashPool>,
    /// What takes part in registrations; see [`App::with_registration_hooks`].
    pub registration_hooks: Arc<[Arc<dyn RegistrationHook>]>,
}

impl App {
    /// The product without hooks.
    pub fn new(shared: Arc<Shared>, db: Database, hashes: Arc<HashPool>) -> Self {
        Self { shared, db, hashes, registration_hooks: Arc::default() }
    }

    /// The same with hooks that every registration goes through, in this order.
    #[must_use]
    pub fn with_registration_hooks(mut self, hooks: Vec<Arc<dyn RegistrationHook>>) -> Self {
        self.registration_hooks = hooks.into();
        self
    }

    /// Opens the transaction of one workflow and reads the clock, once.
    ///
    /// # Errors
    /// 503 when no connection comes free.
    pub async fn begin(&self) -> Result<Ctx, Error> {
        Ok(self.context(self.db.begin().await?))
    }

    /// Opens a transaction that only reads, so that on SQLite it takes nobody's turn to write.
    ///
    /// # Errors
    /// 503 when no connection comes free.
    pub async fn begin_read(&self) -> Result<Ctx, Error> {
        Ok(self.context(self.db.read().await?))
    }

    /// What a workflow uses, around its transaction.
    fn context(&self, tx: Tx) -> Ctx {
        let now = self.shared.env.clock.now();
        let (shared, medusa_tables) = (Arc::clone(&self.shared), self.db.medusa_tables());
        Ctx { tx, now, shared, medusa_tables, has_message: false, has_event: false }
    }

    /// Asks the database the smallest question.
    ///
    /// # Errors
    /// 503 when it does not answer.
    pub async fn check_ready(&self) -> Result<(), Error> {
        let mut tx = self.db.read().await?;
        cr_db::models::cr_state::find(&mut tx, cr_db::migrate::state::VERIFICATION_SINCE).await?;
        Ok(tx.commit().await?)
    }
}
