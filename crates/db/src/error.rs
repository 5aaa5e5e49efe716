//! What can go wrong with a statement, in words that a workflow can act on.

use sqlx::sqlite::SqliteError;
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
    /// The database cannot be reached, no connection came free in time, or it has no room left: it may pass.
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
                sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_) => Self::Unavailable(error),
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
        let code = database.code().unwrap_or_default();
        let of_code = match database.try_downcast_ref::<SqliteError>() {
            Some(_) => of_sqlite_code(&code),
            None => of_postgres_code(&code),
        };
        of_code.unwrap_or(Self::Driver)(error)
    }
}

/// What a failure is that its code tells; `None` for every other.
type Kind = Option<fn(sqlx::Error) -> DbError>;

/// By PostgreSQL's SQLSTATE.
fn of_postgres_code(code: &str) -> Kind {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available; and a foreign key whose row another transaction
        // deleted meanwhile.
        "40001" | "40P01" | "55P03" | "23503" => Some(DbError::Busy),
        // Connection exceptions; insufficient resources: disk full, out of memory, too many connections; query_canceled by
        // timeout; shutdown, crash, starting up, database dropped; I/O error; a transaction that was left open too long; a
        // standby that was not promoted yet (read_only_sql_transaction).
        _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") || code.starts_with("58") => {
            Some(DbError::Unavailable)
        }
        "57014" | "25P03" | "25006" => Some(DbError::Unavailable),
        _ => None,
    }
}

/// By SQLite's result code, of which the low byte tells the class and the rest is detail; but for the foreign key, which is
/// a detail of all constraints.
fn of_sqlite_code(code: &str) -> Kind {
    let code: u32 = code.parse().ok()?;
    match (code, code & 0xff) {
        // A row that is referred to was deleted by another transaction meanwhile; BUSY and LOCKED.
        (787, _) | (_, 5 | 6) => Some(DbError::Busy),
        // NOMEM, READONLY (a file system that was turned read-only), IOERR, FULL, CANTOPEN.
        (_, 7 | 8 | 10 | 13 | 14) => Some(DbError::Unavailable),
        _ => None,
    }
}

/// Whether SQLite says that somebody else holds the file: BUSY or LOCKED.
pub(crate) fn is_sqlite_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Which kind a code is of, as a word.
    fn kind(of_code: Kind) -> &'static str {
        match of_code.map(|kind| kind(sqlx::Error::PoolClosed)) {
            Some(DbError::Busy(_)) => "busy",
            Some(DbError::Unavailable(_)) => "unavailable",
            Some(_) => "something else",
            None => "unknown",
        }
    }

    /// A client is told to come back exactly where coming back may help.
    #[test]
    fn codes_that_may_pass_are_no_failures_of_ours() {
        for (code, expected) in [
            ("40001", "busy"),
            ("40P01", "busy"),
            ("23503", "busy"),
            ("08006", "unavailable"),
            ("08P01", "unavailable"),
            ("53100", "unavailable"),
            ("53300", "unavailable"),
            ("57014", "unavailable"),
            ("57P01", "unavailable"),
            ("57P04", "unavailable"),
            ("58030", "unavailable"),
            ("25006", "unavailable"),
            ("25P03", "unavailable"),
            ("25P02", "unknown"),
            ("42P01", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(kind(of_postgres_code(code)), expected, "{code}");
        }
        for (code, expected) in [
            ("5", "busy"),
            ("517", "busy"),
            ("262", "busy"),
            ("787", "busy"),
            ("8", "unavailable"),
            ("10", "unavailable"),
            ("778", "unavailable"),
            ("4874", "unavailable"),
            ("13", "unavailable"),
            ("14", "unavailable"),
            ("1", "unknown"),
            ("19", "unknown"),
            ("1299", "unknown"),
            ("no number", "unknown"),
        ] {
            assert_eq!(kind(of_sqlite_code(code)), expected, "{code}");
        }
    }
}
