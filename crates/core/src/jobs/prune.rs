//! Deletes what no longer means anything: expired codes, counters and reset tokens. Messages are pruned by the delivery worker.

use cr_db::models::{cr_limit, cr_reset_token, otp_verification};

use crate::app::App;
use crate::error::Error;

/// Hours that an expired code is kept, so that a late guess still reads "expired" and support can see that it was sent.
const KEEP_HOURS: i64 = 24;

/// What is pruned.
enum Table {
    Codes,
    Counters,
    Tokens,
}

/// Prunes in batches, each in a transaction of its own; tells how many rows went.
///
/// # Errors
/// When a statement fails; what was pruned stays pruned.
pub async fn run(app: &App) -> Result<u64, Error> {
    let now = app.shared.env.clock.now();
    let mut total = 0;
    loop {
        let mut batch = 0;
        // A table at a time: whoever holds a row of one and waits for one of another could wait for somebody who does the opposite.
        for table in [Table::Codes, Table::Counters, Table::Tokens] {
            let mut tx = app.db.begin().await?;
            batch += match table {
                Table::Codes => otp_verification::prune(&mut tx, now.plus_seconds(-KEEP_HOURS * 3600)).await?,
                Table::Counters => cr_limit::prune(&mut tx, now).await?,
                Table::Tokens => cr_reset_token::prune(&mut tx, now).await?,
            };
            app.shared.pass("prune-expired");
            tx.commit().await?;
            app.shared.pass("expired-pruned");
        }
        total += batch;
        if batch == 0 {
            return Ok(total);
        }
    }
}
