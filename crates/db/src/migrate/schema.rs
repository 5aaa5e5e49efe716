//! Whether Medusa's tables hold the columns that we read, with types that we can read. Source: Medusa 2.11.2's schema.

use std::collections::HashMap;

use sqlx::Row;

use crate::error::DbError;
use crate::pool::{Database, DatabaseKind};
use crate::tx::{Handle, Tx};

/// What a column's type must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Boolean,
    Json,
    Time,
}

use Kind::{Boolean, Json, Text, Time};

impl Kind {
    /// Whether a column declared so can be read: SQLite has text for times and JSON.
    fn accepts(self, declared: &str, database: DatabaseKind) -> bool {
        match (self, database) {
            (Text, _) => matches!(declared, "text" | "character varying"),
            (Boolean, _) => declared == "boolean",
            (Json | Time, DatabaseKind::Sqlite) => declared == "text",
            (Json, DatabaseKind::Postgres) => declared == "jsonb",
            (Time, DatabaseKind::Postgres) => declared == "timestamp with time zone",
        }
    }

    /// What it is called on PostgreSQL.
    fn name(self) -> &'static str {
        match self {
            Text => "text",
            Boolean => "boolean",
            Json => "jsonb",
            Time => "timestamptz",
        }
    }
}

/// Every Medusa model has these.
const STAMPS: [(&str, Kind); 3] = [("created_at", Time), ("updated_at", Time), ("deleted_at", Time)];

/// Medusa's tables with the columns that our statements name, beside [`STAMPS`].
const TABLES: &[(&str, &[(&str, Kind)])] = &[
    (
        "customer",
        &[
            ("id", Text),
            ("company_name", Text),
            ("first_name", Text),
            ("last_name", Text),
            ("email", Text),
            ("phone", Text),
            ("has_account", Boolean),
            ("metadata", Json),
            ("created_by", Text),
        ],
    ),
    (
        "customer_address",
        &[
            ("id", Text),
            ("customer_id", Text),
            ("address_name", Text),
            ("is_default_shipping", Boolean),
            ("is_default_billing", Boolean),
            ("company", Text),
            ("first_name", Text),
            ("last_name", Text),
            ("address_1", Text),
            ("address_2", Text),
            ("city", Text),
            ("country_code", Text),
            ("province", Text),
            ("postal_code", Text),
            ("phone", Text),
            ("metadata", Json),
        ],
    ),
    ("auth_identity", &[("id", Text), ("app_metadata", Json)]),
    (
        "provider_identity",
        &[
            ("id", Text),
            ("entity_id", Text),
            ("provider", Text),
            ("auth_identity_id", Text),
            ("user_metadata", Json),
            ("provider_metadata", Json),
        ],
    ),
    (
        "user",
        &[
            ("id", Text),
            ("first_name", Text),
            ("last_name", Text),
            ("email", Text),
            ("avatar_url", Text),
            ("metadata", Json),
        ],
    ),
    (
        "api_key",
        &[
            ("id", Text),
            ("token", Text),
            ("salt", Text),
            ("redacted", Text),
            ("title", Text),
            ("type", Text),
            ("last_used_at", Time),
            ("created_by", Text),
            ("revoked_by", Text),
            ("revoked_at", Time),
        ],
    ),
];

/// The catalogue itself: `information_schema.columns` says the same of what one may read, and takes PostgreSQL longer than all the rest
/// of a start.
const COLUMNS_POSTGRES: &str = "\
select cast(tables.relname as text) as table_name, cast(columns.attname as text) as column_name,
  format_type(columns.atttypid, null) as declared
from pg_class as tables
join pg_namespace as schemas on schemas.oid = tables.relnamespace
join pg_attribute as columns on columns.attrelid = tables.oid and columns.attnum > 0 and not columns.attisdropped
where schemas.nspname = current_schema() and tables.relkind in ('r', 'p', 'v', 'f')
  and has_table_privilege(tables.oid, 'select')";

const COLUMNS_SQLITE: &str = "\
select tables.name as table_name, columns.name as column_name, lower(columns.type) as declared
from sqlite_master as tables
join pragma_table_info(tables.name) as columns
where tables.type = 'table'";

/// What Medusa's tables lack, a sentence each; empty when all that we read is there.
///
/// # Errors
/// When the catalogue cannot be read.
pub async fn check_medusa_schema(database: &Database) -> Result<Vec<String>, DbError> {
    let mut tx = database.read().await?;
    let columns = list_columns(&mut tx).await?;
    Ok(list_missing(&columns, database.kind()))
}

/// The declared type of each `table.column` that there is.
pub(super) type Declared = HashMap<(String, String), String>;

/// Reads the catalogue.
///
/// # Errors
/// When the catalogue cannot be read.
pub(super) async fn list_columns(tx: &mut Tx) -> Result<Declared, DbError> {
    macro_rules! read {
        ($connection:expr, $sql:expr) => {{
            let mut columns = Declared::new();
            for row in sqlx::query($sql).fetch_all($connection).await? {
                columns.insert((row.try_get("table_name")?, row.try_get("column_name")?), row.try_get("declared")?);
            }
            columns
        }};
    }
    let columns = match tx.handle() {
        Handle::Sqlite(connection) => read!(connection, COLUMNS_SQLITE),
        Handle::Postgres(connection) => read!(connection, COLUMNS_POSTGRES),
    };
    tx.note_answer();
    Ok(columns)
}

/// Whether any of Medusa's tables that we need is there: then none is made.
pub(super) fn has_medusa_tables(columns: &Declared) -> bool {
    columns.keys().any(|(table, _)| TABLES.iter().any(|(name, _)| name == table))
}

/// Whether the table has the column.
pub(super) fn has_column(columns: &Declared, table: &str, column: &str) -> bool {
    columns.contains_key(&(table.to_owned(), column.to_owned()))
}

/// A sentence for each table or column that is missing or of a type we cannot read.
pub(super) fn list_missing(columns: &Declared, database: DatabaseKind) -> Vec<String> {
    let mut missing = Vec::new();
    for (table, expected) in TABLES {
        if !has_column(columns, table, "id") {
            missing.push(format!("table {table} is missing"));
            continue;
        }
        for (column, kind) in expected.iter().chain(&STAMPS) {
            match columns.get(&((*table).to_owned(), (*column).to_owned())) {
                None => missing.push(format!("column {table}.{column} is missing")),
                Some(declared) if !kind.accepts(declared, database) => {
                    missing.push(format!("column {table}.{column} is {declared}, not {}", kind.name()));
                }
                Some(_) => {}
            }
        }
    }
    missing
}
