//! The four look-up indexes on Medusa's tables, on PostgreSQL: built `concurrently`, so that a live shop goes on writing.
//!
//! They are looked at at every run, since a build that was cut short leaves an index that costs writes and serves no
//! read, and since somebody may have dropped one.

use sqlx::PgConnection;

use super::session::patiently;
use crate::error::DbError;

/// An index, by name, with its two statements.
struct Lookup {
    name: &'static str,
    create: &'static str,
    drop: &'static str,
}

macro_rules! lookup {
    ($name:literal, $on:literal) => {
        Lookup {
            name: $name,
            create: concat!("create index concurrently ", $name, " on ", $on),
            drop: concat!("drop index concurrently if exists ", $name),
        }
    };
}

/// The same as in `0006_lookups.sql`.
const LOOKUPS: [Lookup; 4] = [
    lookup!("cr_provider_identity_folded_entity_id", "provider_identity (lower(entity_id), provider)"),
    lookup!("cr_customer_folded_email", "customer (lower(email))"),
    lookup!("cr_customer_phone", "customer (phone)"),
    lookup!("cr_auth_identity_customer_id", "auth_identity ((app_metadata ->> 'customer_id'))"),
];

const FIND: &str = "\
select pg_index.indisvalid
from pg_index
join pg_class on pg_class.oid = pg_index.indexrelid
join pg_namespace on pg_namespace.oid = pg_class.relnamespace
where pg_class.relname = $1 and pg_namespace.nspname = current_schema()";

/// Builds those that are missing or were left unfinished; returns how many.
///
/// # Errors
/// [`DbError::Busy`] when the shop's transactions left no gap in all the tries; nothing is lost, run it again.
pub(super) async fn build(connection: &mut PgConnection) -> Result<u64, DbError> {
    let mut built = 0;
    for lookup in &LOOKUPS {
        built += patiently!(build_one(connection, lookup))?;
    }
    Ok(built)
}

/// The names of those that are missing or unfinished.
///
/// # Errors
/// When the catalogue cannot be read.
pub(super) async fn list_missing(connection: &mut PgConnection) -> Result<Vec<&'static str>, DbError> {
    let mut missing = Vec::new();
    for lookup in &LOOKUPS {
        if find_valid(connection, lookup.name).await? != Some(true) {
            missing.push(lookup.name);
        }
    }
    Ok(missing)
}

/// 1 when the index was built, 0 when it was there.
async fn build_one(connection: &mut PgConnection, lookup: &Lookup) -> Result<u64, DbError> {
    match find_valid(connection, lookup.name).await? {
        Some(true) => return Ok(0),
        Some(false) => {
            sqlx::raw_sql(lookup.drop).execute(&mut *connection).await?;
        }
        None => {}
    }
    sqlx::raw_sql(lookup.create).execute(&mut *connection).await?;
    Ok(1)
}

/// `None` without such an index; else whether its build came to its end.
async fn find_valid(connection: &mut PgConnection, name: &str) -> Result<Option<bool>, DbError> {
    Ok(sqlx::query_scalar(FIND).bind(name).fetch_optional(connection).await?)
}
