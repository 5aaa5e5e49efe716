//! `db copy`: a shop that outgrew its file moves to PostgreSQL.

use anyhow::{Context as _, Result};
use cr_core::env::Env;
use cr_core::storage::copy::{self, Progress};
use cr_core::storage::{Database, DatabaseSettings, PLACE_TIMEOUT};
use indicatif::{ProgressBar, ProgressStyle};

/// Connections that the target may have besides the one that copies.
const CONNECTIONS: u32 = 2;

/// Copies and compares; a bar on a terminal shows how far it is, and at the end each table is told with its rows and checksum.
///
/// # Errors
/// As [`copy::run`]; when one of the two cannot be opened.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub(super) async fn run(from: &str, to: &str, schema: &str) -> Result<()> {
    let settings = |url: &str| DatabaseSettings {
        url: url.to_owned(),
        schema: schema.to_owned(),
        min_connections: 0,
        max_connections: CONNECTIONS,
        place_timeout: PLACE_TIMEOUT,
    };
    let source = Database::connect(&settings(from)).await.context("the source cannot be opened")?;
    let target = Database::connect(&settings(to)).await.context("the target cannot be opened")?;
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{bar:40} {pos} of {len} rows, {eta} left: {msg}")?);
    let shown = bar.clone();
    let outcome = copy::run(&source, &target, Env::system().clock.now(), move |progress| {
        let Progress { table, done, total } = progress;
        shown.set_length(total);
        shown.set_position(done);
        shown.set_message(table);
    });
    let copied = outcome.await?;
    bar.finish_and_clear();
    source.close().await;
    target.close().await;
    for table in &copied {
        println!("{:<26}{:>12} rows  {}", table.table, table.rows, table.checksum);
    }
    println!("both sides are equal; point databaseUrl at the new one, with the same jwtSecret and cookieSecret");
    Ok(())
}
