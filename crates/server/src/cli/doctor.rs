//! `doctor` and `outbox`: how this installation stands, and sending again what was given up.

use anyhow::{Context as _, Result, bail};
use cr_core::storage::outbox::{self, DeadLetter, OutboxSummary};
use cr_core::storage::{Database, DatabaseKind, migrate};

use super::{command_app, load, told_status};
use crate::config::Sources;
use cr_core::env::Env;

/// Dead letters that are listed; the count tells of more.
const LISTED: i64 = 50;

/// Prints database, migrations, warnings of the configuration, the outbox and its dead letters.
///
/// # Errors
/// When something is wrong that somebody must look at: the database is not up to date, or events were given up. A message that was given up is
/// told, but is daily business: an address with a typing error, a code that expired.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub(super) async fn doctor(sources: &Sources) -> Result<()> {
    let env = Env::system();
    let config = load(sources, &env)?;
    println!("configuration  {}", config.source);
    for warning in &config.warnings {
        println!("  warning      {warning}");
    }
    let db = Database::connect(&config.database).await.context("the database cannot be opened")?;
    let kind = match db.kind() {
        DatabaseKind::Sqlite => "SQLite",
        DatabaseKind::Postgres => "PostgreSQL",
    };
    println!("database       {kind}, reachable");
    let status = migrate::status(&db).await.context("the database cannot be read")?;
    if !status.is_current() {
        println!("migrations\n{}", told_status(&status, &[]));
        bail!("the database is not up to date; run `migrate`");
    }
    println!("migrations     up to date");
    let (summary, dead) = outbox::look(&db, LISTED).await?;
    print!("{}", told_outbox(&summary, &dead));
    db.close().await;
    if dead.iter().any(|letter| letter.is_kept) {
        bail!("events were given up; `outbox resend` sends them again");
    }
    Ok(())
}

/// Makes events that were given up due again: one, or all.
///
/// # Errors
/// When there is none like that: a message to a person is wiped once it is given up and cannot be sent again.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub(super) async fn resend(sources: &Sources, id: Option<&str>) -> Result<()> {
    let app = command_app(sources).await?;
    let count = outbox::resend(&app.db, id, app.shared.env.clock.now()).await?;
    app.db.close().await;
    match (id, count) {
        (Some(id), 0) => {
            bail!("{id} is no event that was given up; messages to people are wiped and cannot be sent again")
        }
        (_, 0) => println!("nothing to send again"),
        (_, count) => println!("{count} events are due again"),
    }
    Ok(())
}

/// The outbox for a terminal: ids, channels and classes of failure; never an address or a code.
fn told_outbox(summary: &OutboxSummary, dead: &[DeadLetter]) -> String {
    let oldest = summary.oldest_pending.map(|moment| format!(", the oldest since {moment}")).unwrap_or_default();
    let OutboxSummary { pending, delivered, dead: given_up, .. } = summary;
    let mut text = format!("outbox         {pending} pending{oldest}; {delivered} delivered, {given_up} given up\n");
    for letter in dead {
        let DeadLetter { id, channel, trigger_type, attempts, last_error, is_kept, created_at } = letter;
        let reason = last_error.as_deref().unwrap_or("for no known reason");
        let again = if *is_kept { "can be sent again" } else { "wiped" };
        text.push_str(&format!(
            "  given up     {id}  {channel}  {trigger_type}  {created_at}  after {attempts} attempts: {reason} ({again})\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_is_told_without_its_content() {
        let created_at = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let summary = OutboxSummary { pending: 1, delivered: 2, dead: 1, oldest_pending: Some(created_at) };
        let letter = DeadLetter {
            id: "evt_1".to_owned(),
            channel: "event".to_owned(),
            trigger_type: "customer.created".to_owned(),
            attempts: 10,
            last_error: Some("timed out".to_owned()),
            is_kept: true,
            created_at,
        };
        assert_eq!(
            told_outbox(&summary, &[letter]),
            "outbox         1 pending, the oldest since 2026-01-02T03:04:05.678Z; 2 delivered, 1 given up\n  given up     \
             evt_1  event  customer.created  2026-01-02T03:04:05.678Z  after 10 attempts: timed out (can be sent again)\n"
        );
    }
}
