//! What can go wrong with a statement, in words that a workflow can act on.

use thiserror::Error;

/// A failed statement or connection. The driver's text stays in `source`, for the log alone.
#[derive(Debug, Error)]
pub enum DbError {
    /// A unique rule refused the row; `constraint` is the index's name on both databases.
    #[error("row is not unique by {constraint}")]
    NotUnique {
        /// The name of the unique index, such as `IDX_provider_identity_provider_entity_id`.
        constraint: String,
    },
    /// Another transaction won (serialisation failure, deadlock, lock timeout, SQLite busy): the caller may try again.
    #[error("database is busy with another transaction")]
    Busy(#[source] sqlx::Error),
    /// The database cannot be reached, or no connection came free in time.
    #[error("database cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// A row holds what it may not hold.
    #[error("stored data is inconsistent: {0}")]
    Inconsistent(String),
    /// Anything else that a driver said.
    #[error("statement failed")]
    Driver(#[source] sqlx::Error),
    /// A migration cannot be run or does not fit what is there; the sentence says what to do.
    #[error("{0}")]
    Migration(String),
}

/// SQLite names the columns of a violated unique index, PostgreSQL its name: this table brings both to the name.
const SQLITE_UNIQUE: &[(&str, &str)] = &[
    ("customer.email, customer.has_account", "IDX_customer_email_has_account_unique"),
    ("provider_identity.entity_id, provider_identity.provider", "IDX_provider_identity_provider_entity_id"),
    ("user.email", "IDX_user_email_unique"),
    ("api_key.token", "IDX_api_key_token_unique"),
    ("otp_verification.subject_hmac, otp_verification.purpose", "IDX_otp_verification_live_unique"),
    ("account_deletion_request.customer_id", "IDX_account_deletion_request_active_unique"),
    ("referral_link.customer_id", "IDX_referral_link_customer_id_unique"),
    ("cr_outbox.idempotency_key", "cr_outbox_idempotency_key_unique"),
    ("cr_referral_code.code", "cr_referral_code_code_unique"),
];

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
                    Self::Unavailable(error)
                }
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Inconsistent(error.to_string()),
                _ => Self::Driver(error),
            };
        };
        if database.is_unique_violation() {
            let constraint = match database.constraint() {
                Some(name) => name.to_owned(),
                None => sqlite_constraint(database.message()),
            };
            return Self::NotUnique { constraint };
        }
        let code = database.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
        match code.as_str() {
            // PostgreSQL: serialization_failure, deadlock_detected, lock_not_available. SQLite: BUSY and LOCKED with
            // their extended codes.
            // And on both a foreign key whose row another transaction deleted meanwhile.
            "40001" | "40P01" | "55P03" | "23503" | "5" | "261" | "517" | "773" | "6" | "262" | "787" => {
                Self::Busy(error)
            }
            // PostgreSQL: connection exceptions, shutdown, too many connections, query_canceled by timeout.
            // SQLite: cannot open, disk full, I/O error.
            "57P01" | "57P02" | "57P03" | "53300" | "57014" | "08006" | "08003" | "08000" | "14" | "13" | "10" => {
                Self::Unavailable(error)
            }
            _ => Self::Driver(error),
        }
    }
}

/// From `UNIQUE constraint failed: t.a, t.b` (SQLite has no other way to tell) to the index's name; the columns
/// themselves where the table above has no row.
fn sqlite_constraint(message: &str) -> String {
    let columns = message.rsplit("failed: ").next().unwrap_or(message);
    SQLITE_UNIQUE
        .iter()
        .find(|(known, _)| *known == columns)
        .map_or_else(|| columns.to_owned(), |(_, name)| (*name).to_owned())
}
