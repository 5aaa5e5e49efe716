//! The plugin's columns: types that we can read, nothing required that we do not write.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::error::DbError;
use crate::migrate::session::quoted;

/// A type of ours, as PostgreSQL's catalogue spells it, and how another becomes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Time,
    Json,
    Boolean,
    /// Any whole number: statements cast it.
    Integer,
}

impl Kind {
    /// The statement's type and expression when a column of the declared type cannot stay as it is.
    fn conversion(self, declared: &str, column: &str) -> Option<String> {
        let (is_ours, kind, using) = match self {
            Self::Text => (declared == "text", "text", format!("cast({column} as text)")),
            Self::Time => {
                let using = match declared {
                    // Node writes UTC into columns without a zone.
                    "timestamp without time zone" => format!("{column} at time zone 'UTC'"),
                    _ => format!("cast({column} as timestamptz)"),
                };
                (declared == "timestamp with time zone", "timestamptz", using)
            }
            Self::Json => (declared == "jsonb", "jsonb", format!("cast({column} as jsonb)")),
            Self::Boolean => (declared == "boolean", "boolean", format!("cast({column} as boolean)")),
            Self::Integer => {
                let is_ours = matches!(declared, "smallint" | "integer" | "bigint");
                (is_ours, "integer", format!("cast({column} as integer)"))
            }
        };
        (!is_ours).then(|| format!("type {kind} using {using}"))
    }
}

/// Whether a column may be null.
#[derive(Clone, Copy)]
pub(super) enum Null {
    /// Ours may be null, so theirs must.
    Allowed,
    /// Required, and every writer gives it.
    Given,
    /// Required; where it is null or left out it is this expression.
    Otherwise(&'static str),
}

/// A table of the plugin's, as we want it.
pub(super) struct Table {
    pub(super) name: &'static str,
    columns: &'static [(&'static str, Kind, Null)],
    /// The column with a check, the check's name and what it must allow.
    pub(super) check: Option<(&'static str, &'static str, &'static [&'static str])>,
}

use Kind::{Boolean, Integer, Json, Text, Time};
use Null::{Allowed, Given, Otherwise};

/// `customer`'s flags; its other columns are Medusa's and stay untouched.
pub(super) const CUSTOMER: Table = Table {
    name: "customer",
    columns: &[("email_verified", Boolean, Otherwise("false")), ("phone_verified", Boolean, Otherwise("false"))],
    check: None,
};

/// The plugin's three tables; models of its README 0.0.126.
pub(super) const TABLES: [Table; 3] = [
    Table {
        name: "otp_verification",
        columns: &[
            ("id", Text, Given),
            ("customer_id", Text, Given),
            ("purpose", Text, Given),
            ("hashed_code", Text, Given),
            ("expires_at", Time, Given),
            ("attempts", Integer, Otherwise("0")),
            ("verified_at", Time, Allowed),
            ("created_at", Time, Otherwise("now()")),
            ("updated_at", Time, Otherwise("now()")),
            ("deleted_at", Time, Allowed),
        ],
        check: Some((
            "purpose",
            "otp_verification_purpose_check",
            &["email_verification", "phone_verification", "account_deletion_request", "account_deletion_cancel"],
        )),
    },
    Table {
        name: "account_deletion_request",
        columns: &[
            ("id", Text, Given),
            ("customer_id", Text, Given),
            ("reason", Text, Allowed),
            ("deletion_scheduled_at", Time, Allowed),
            ("status", Text, Otherwise("'pending'")),
            ("cancelled_at", Time, Allowed),
            ("created_at", Time, Otherwise("now()")),
            ("updated_at", Time, Otherwise("now()")),
            ("deleted_at", Time, Allowed),
        ],
        check: Some((
            "status",
            "account_deletion_request_status_check",
            &["pending", "confirmed", "cancelled", "completed"],
        )),
    },
    Table {
        name: "referral_link",
        columns: &[
            ("id", Text, Given),
            ("customer_id", Text, Given),
            ("referrer_id", Text, Given),
            ("parent_customers_by_level", Json, Given),
            ("created_at", Time, Otherwise("now()")),
            ("updated_at", Time, Otherwise("now()")),
            ("deleted_at", Time, Allowed),
        ],
        check: None,
    },
];

/// A column as it is.
struct Found {
    name: String,
    declared: String,
    nullable: bool,
    default: bool,
}

const COLUMNS: &str = "\
select cast(column_name as text) as name, cast(data_type as text) as declared, is_nullable = 'YES' as nullable,
  column_default is not null or is_identity = 'YES' or is_generated = 'ALWAYS' as has_default
from information_schema.columns
where table_schema = current_schema() and table_name = $1
order by ordinal_position";

/// Brings the columns that are there to ours; the missing ones are the migration file's. Returns the changes.
///
/// Columns that we do not know stay, with their values, but no longer ask us for one.
///
/// # Errors
/// [`DbError::Busy`] when another transaction holds the table.
pub(super) async fn repair(connection: &mut PgConnection, table: &Table) -> Result<u64, DbError> {
    let is_medusas = table.name == CUSTOMER.name;
    let mut changed = 0;
    for found in list(connection, table.name).await? {
        let ours = table.columns.iter().find(|(name, ..)| *name == found.name);
        let column = quoted(&found.name);
        let statements = match ours {
            None if is_medusas || found.nullable || found.default => Vec::new(),
            None => vec![alter(table, &column, "drop not null")],
            Some((_, kind, null)) => changes(table, &found, *kind, *null),
        };
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// The statements that one known column needs.
fn changes(table: &Table, found: &Found, kind: Kind, null: Null) -> Vec<String> {
    let column = quoted(&found.name);
    let mut statements = Vec::new();
    if let Some(conversion) = kind.conversion(&found.declared, &column) {
        if found.default {
            statements.push(alter(table, &column, "drop default"));
        }
        statements.push(alter(table, &column, &conversion));
        if let (true, Otherwise(value)) = (found.default, null) {
            statements.push(alter(table, &column, &format!("set default {value}")));
        }
    }
    match null {
        Allowed if !found.nullable => statements.push(alter(table, &column, "drop not null")),
        Otherwise(value) if found.nullable => {
            let name = quoted(table.name);
            statements.push(format!("update {name} set {column} = {value} where {column} is null"));
            statements.push(alter(table, &column, &format!("set default {value}, alter column {column} set not null")));
        }
        Otherwise(value) if !found.default => {
            statements.push(alter(table, &column, &format!("set default {value}")));
        }
        Allowed | Given | Otherwise(_) => {}
    }
    statements
}

/// `alter table … alter column … …`.
fn alter(table: &Table, column: &str, change: &str) -> String {
    format!("alter table {} alter column {column} {change}", quoted(table.name))
}

/// The table's columns, in their order.
async fn list(connection: &mut PgConnection, table: &str) -> Result<Vec<Found>, DbError> {
    let rows = sqlx::query(COLUMNS).bind(table).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(Found {
                name: row.try_get("name")?,
                declared: row.try_get("declared")?,
                nullable: row.try_get("nullable")?,
                default: row.try_get("has_default")?,
            })
        })
        .collect()
}
