//! What was done to somebody's account by somebody else, or by a rule.

use cr_types::timestamp::Timestamp;
use serde_json::Value;

use crate::error::DbError;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

/// One line of the audit trail. Holds ids, never contacts.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditLine<'a> {
    /// A ULID.
    pub id: &'a str,
    /// `customer`, `user`, `rule`.
    pub actor_type: &'a str,
    /// Who, where it was somebody.
    pub actor_id: Option<&'a str>,
    /// What, such as `contact.lost`.
    pub action: &'a str,
    /// To whom.
    pub subject_id: Option<&'a str>,
    /// What else matters: a JSON object of ids and words.
    pub details: Option<&'a Value>,
}

const INSERT: &str = "insert into cr_audit (id, actor_type, actor_id, action, subject_id, details, created_at) \
     values ($1, $2, $3, $4, $5, $6, $7)";

/// Writes one line.
///
/// # Errors
/// When the statement fails.
pub async fn insert(tx: &mut Tx, line: &AuditLine<'_>, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(INSERT)
        .bind(line.id)
        .bind(line.actor_type)
        .bind(line.actor_id)
        .bind(line.action)
        .bind(line.subject_id)
        .bind(line.details)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}
