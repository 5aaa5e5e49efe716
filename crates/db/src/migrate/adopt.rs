//! What the Node plugin left in a PostgreSQL database becomes ours, by looking at objects and not at migration names:
//! only some of the plugin's seven migrations may have run, and Medusa skips one silently when two share a name.
//!
//! No row is removed: what is no longer wanted is soft-deleted or cancelled.

use cr_types::timestamp::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection};

use super::session::quoted;
use crate::error::DbError;
use crate::stamp::Stamp;

mod checks;
mod columns;

/// What was found of the plugin's and changed; all zero where it never ran, and at the second run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// Columns, checks, keys and unique rules of its tables that were brought to ours.
    pub objects_changed: u64,
    /// Live codes voided: their hash is not ours, so they could only fail.
    pub codes_voided: u64,
    /// Active deletion requests cancelled, since a customer has a newer one.
    pub requests_cancelled: u64,
    /// Referral links soft-deleted, since the customer has an older one.
    pub links_removed: u64,
    /// `cr_proof` rows written for flags that were true.
    pub proofs_written: u64,
}

const VOID_CODES: &str = "\
update otp_verification
set deleted_at = $1, updated_at = $1
where kind is null and subject_hmac is null and verified_at is null and deleted_at is null";

const CANCEL_OLDER_REQUESTS: &str = "\
update account_deletion_request
set status = 'cancelled', cancelled_at = $1, updated_at = $1
where id in (
  select id
  from (
    select id, row_number() over (partition by customer_id order by created_at desc, id desc) as place
    from account_deletion_request
    where status in ('pending', 'confirmed') and deleted_at is null
  ) as ranked
  where place > 1
)";

const REMOVE_NEWER_LINKS: &str = "\
update referral_link
set deleted_at = $1, updated_at = $1
where id in (
  select id
  from (
    select id, row_number() over (partition by customer_id order by created_at, id) as place
    from referral_link
    where deleted_at is null
  ) as ranked
  where place > 1
)";

/// `customer`'s two flags where an older migration made them nullable: nobody verified is `false`. Returns the changes.
///
/// # Errors
/// [`DbError::Busy`] when the shop holds the table.
pub(super) async fn flag_columns(connection: &mut PgConnection) -> Result<u64, DbError> {
    columns::repair(connection, &columns::CUSTOMER).await
}

/// Locks the plugin's tables against writers and brings their columns, checks and keys to ours. Returns the changes.
///
/// # Errors
/// [`DbError::Busy`] when another transaction holds a table.
pub(super) async fn objects(connection: &mut PgConnection) -> Result<u64, DbError> {
    let mut changed = 0;
    for table in &columns::TABLES {
        if !exists(connection, table.name).await? {
            continue;
        }
        let lock = format!("lock table {} in share row exclusive mode", quoted(table.name));
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *connection).await?;
        changed += checks::drop_foreign(connection, table.name).await?;
        changed += checks::drop_unique(connection, table.name).await?;
        let narrow = checks::drop_narrow(connection, table).await?;
        changed += columns::repair(connection, table).await?;
        if let Some(allowed) = narrow {
            checks::add(connection, table, allowed).await?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// Brings the rows to what our unique rules and our codes ask, once the columns are ours.
///
/// # Errors
/// When a statement fails.
pub(super) async fn rows(connection: &mut PgConnection, now: Timestamp) -> Result<Adoption, DbError> {
    let mut counts = [0; 3];
    for (sql, count) in [VOID_CODES, CANCEL_OLDER_REQUESTS, REMOVE_NEWER_LINKS].into_iter().zip(&mut counts) {
        *count = sqlx::query(sql).bind(Stamp(now)).execute(&mut *connection).await?.rows_affected();
    }
    let [codes_voided, requests_cancelled, links_removed] = counts;
    Ok(Adoption { codes_voided, requests_cancelled, links_removed, ..Adoption::default() })
}

/// Read through `to_jsonb`, since a column may be missing where only some of the plugin's migrations ran.
const COUNT_CODES: &str = "\
select count(*)
from otp_verification as entry
where to_jsonb(entry) ->> 'kind' is null and to_jsonb(entry) ->> 'subject_hmac' is null
  and to_jsonb(entry) ->> 'verified_at' is null and to_jsonb(entry) ->> 'deleted_at' is null";

const COUNT_REQUESTS: &str = "\
select coalesce(sum(active - 1), 0)
from (
  select count(*) as active
  from account_deletion_request as entry
  where cast(entry.status as text) in ('pending', 'confirmed') and to_jsonb(entry) ->> 'deleted_at' is null
  group by entry.customer_id
) as customers";

const COUNT_LINKS: &str = "\
select coalesce(sum(live - 1), 0)
from (
  select count(*) as live
  from referral_link as entry
  where to_jsonb(entry) ->> 'deleted_at' is null
  group by entry.customer_id
) as customers";

const COUNT_FLAGS: &str = "\
select coalesce(sum(
  case when to_jsonb(entry) ->> 'email_verified' = 'true' and entry.email is not null then 1 else 0 end
  + case when to_jsonb(entry) ->> 'phone_verified' = 'true' and entry.phone is not null then 1 else 0 end
), 0)
from customer as entry
where entry.deleted_at is null";

/// What [`rows`] would change, without changing it. Goes through the plugin's tables.
///
/// # Errors
/// When a statement fails.
pub(super) async fn foresee_rows(connection: &mut PgConnection) -> Result<Adoption, DbError> {
    Ok(Adoption {
        codes_voided: count(connection, "otp_verification", COUNT_CODES).await?,
        requests_cancelled: count(connection, "account_deletion_request", COUNT_REQUESTS).await?,
        links_removed: count(connection, "referral_link", COUNT_LINKS).await?,
        ..Adoption::default()
    })
}

/// How many proofs would be written for flags. Goes through `customer`.
///
/// # Errors
/// When the statement fails.
pub(super) async fn foresee_proofs(connection: &mut PgConnection) -> Result<u64, DbError> {
    count(connection, "customer", COUNT_FLAGS).await
}

/// Runs a counting statement where its table is there; else 0.
async fn count(connection: &mut PgConnection, table: &str, sql: &'static str) -> Result<u64, DbError> {
    if !exists(connection, table).await? {
        return Ok(0);
    }
    let sql = format!("select cast(({sql}) as bigint)");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Whether our schema has the table.
async fn exists(connection: &mut PgConnection, table: &str) -> Result<bool, DbError> {
    let sql = "\
select exists (
  select 1
  from information_schema.tables
  where table_schema = current_schema() and table_name = $1
)";
    Ok(sqlx::query_scalar(sql).bind(table).fetch_one(connection).await?)
}
