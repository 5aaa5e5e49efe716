//! Deletes what no longer means anything: expired codes, counters and reset tokens. Messages are pruned by the delivery worker.

use cr_db::models::{cr_limit, cr_reset_token, otp_verification};

use crate::app::App;
use crate::error::Error;

/// Hours that an expired code is kept, so that a late guess still reads "expired" and support can see that it was sent.
const KEEP_HOURS: i64 = 24;

/// Prunes in batches, each in a transaction of its own; tells how many rows went.
///
/// # Errors
/// When a statement fails; what was pruned stays pruned.
pub async fn run(app: &App) -> Result<u64, Error> {
    let now = app.shared.env.clock.now();
    let mut total = 0;
    loop {
        let mut tx = app.db.begin().await?;
        let codes = otp_verification::prune(&mut tx, now.plus_seconds(-KEEP_HOURS * 3600)).await?;
        let counters = cr_limit::prune(&mut tx, now).await?;
        let tokens = cr_reset_token::prune(&mut tx, now).await?;
        app.shared.pass("prune-expired");
        tx.commit().await?;
        app.shared.pass("expired-pruned");
        let batch = codes + counters + tokens;
        total += batch;
        if batch == 0 {
            return Ok(total);
        }
    }
}
