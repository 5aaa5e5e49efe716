//! The look-up indexes on Medusa's tables, on PostgreSQL: built `concurrently`, so that a live shop goes on writing.
//!
//! They are looked at at every run, since a build that was cut short leaves an index that costs writes and serves no
//! read, and since somebody may have dropped one.

use sqlx::{AssertSqlSafe, PgConnection};

use super::session::patiently;
use crate::error::DbError;

/// An index, by name, with its two statements.
struct Lookup<T> {
    name: T,
    create: T,
    drop: T,
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
const LOOKUPS: [Lookup<&str>; 4] = [
    lookup!("cr_provider_identity_folded_entity_id", "provider_identity (lower(entity_id), provider)"),
    lookup!("cr_customer_folded_email", "customer (lower(email))"),
    lookup!("cr_customer_phone", "customer (phone)"),
    lookup!("cr_auth_identity_customer_id", "auth_identity ((app_metadata ->> 'customer_id'))"),
];

/// Name and statement of an index for each foreign key by which an identity or a credential that is deleted takes rows along, and that no
/// index serves: each deletion would go through the whole table. Medusa 2.11.2 has none such; those of 2.16 and newer have indexes that
/// leave out what was soft-deleted. A table that `migrate`'s role does not own can have none from here, and a partitioned one none as a
/// whole. PostgreSQL cuts a name at 63 bytes, and so does its type `name`.
const LIST_CASCADES: &str = "\
select ('cr_' || child.relname || '_' || a.attname)::name::text as name,
  format('create index concurrently %I on %I (%I)', ('cr_' || child.relname || '_' || a.attname)::name, child.relname, a.attname)
    as create
from pg_constraint k
join pg_class child on child.oid = k.conrelid
join pg_class parent on parent.oid = k.confrelid
join pg_namespace n on n.oid = parent.relnamespace and n.oid = child.relnamespace and n.nspname = current_schema()
join pg_attribute a on a.attrelid = child.oid and a.attnum = k.conkey[1]
where k.contype = 'f' and k.confdeltype = 'c' and cardinality(k.conkey) = 1
  and parent.relname in ('auth_identity', 'provider_identity')
  and child.relkind = 'r' and pg_has_role(child.relowner, 'usage') and has_schema_privilege(n.oid, 'create')
  and not exists (
    select 1 from pg_index i
    where i.indrelid = child.oid and i.indisvalid and i.indpred is null and i.indkey[0] = a.attnum
  )
order by 1";

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

/// What [`build_for_cascades`] has built, and what not: name and reason.
#[derive(Default)]
pub(super) struct Cascades {
    pub(super) built: u64,
    pub(super) not_built: Vec<String>,
}

/// Builds those that [`LIST_CASCADES`] tells of. No request needs them, so that a table which came with an update of Medusa may wait for
/// the next run, and one that cannot be built stops nothing.
///
/// # Errors
/// When the catalogue cannot be read.
pub(super) async fn build_for_cascades(connection: &mut PgConnection) -> Result<Cascades, DbError> {
    let mut cascades = Cascades::default();
    for (name, create) in list_cascades(connection).await? {
        let drop = format!("drop index concurrently if exists \"{}\"", name.replace('"', "\"\""));
        match patiently!(build_one(connection, &Lookup { name: &name, create: &create, drop: &drop })) {
            Ok(built) => cascades.built += built,
            Err(error) => cascades.not_built.push(format!("{name}: {error}")),
        }
    }
    Ok(cascades)
}

/// Those that [`build_for_cascades`] would build: name and statement.
///
/// # Errors
/// When the catalogue cannot be read.
pub(super) async fn list_cascades(connection: &mut PgConnection) -> Result<Vec<(String, String)>, DbError> {
    Ok(sqlx::query_as(LIST_CASCADES).fetch_all(connection).await?)
}

/// The names of those that requests need and that are missing or unfinished.
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
async fn build_one(connection: &mut PgConnection, lookup: &Lookup<impl AsRef<str>>) -> Result<u64, DbError> {
    match find_valid(connection, lookup.name.as_ref()).await? {
        Some(true) => return Ok(0),
        Some(false) => {
            sqlx::raw_sql(AssertSqlSafe(lookup.drop.as_ref().to_owned())).execute(&mut *connection).await?;
        }
        None => {}
    }
    sqlx::raw_sql(AssertSqlSafe(lookup.create.as_ref().to_owned())).execute(&mut *connection).await?;
    Ok(1)
}

/// `None` without such an index; else whether its build came to its end.
async fn find_valid(connection: &mut PgConnection, name: &str) -> Result<Option<bool>, DbError> {
    Ok(sqlx::query_scalar(FIND).bind(name).fetch_optional(connection).await?)
}
