//! The plugin's `account_deletion_request`: who asked to be forgotten, and how far that is.
//!
//! At most one row a customer is active (`pending` or `confirmed`); a partial unique index decides that. `pending` ones were
//! left by the Node plugin: they block like confirmed ones and are never due.

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// A whole row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDeletionRequest {
    /// `adr_…`.
    pub id: String,
    /// Whose account.
    pub customer_id: CustomerId,
    /// In the customer's words, until the account is gone.
    pub reason: Option<String>,
    /// When the deletion is due.
    pub deletion_scheduled_at: Option<Timestamp>,
    /// `pending`, `confirmed`, `cancelled` or `completed`.
    pub status: String,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// Since when an administrator keeps the job from it.
    pub held_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was soft-deleted.
    pub deleted_at: Option<Timestamp>,
}

/// The part of an active request that a refused login tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveRequest {
    /// `adr_…`.
    pub id: String,
    /// When the deletion is due.
    pub deletion_scheduled_at: Option<Timestamp>,
}

/// A request to be written as confirmed.
pub struct NewConfirmedRequest<'a> {
    /// `adr_…`.
    pub id: &'a str,
    /// Whose account.
    pub customer_id: &'a CustomerId,
    /// In the customer's words.
    pub reason: Option<&'a str>,
    /// When the deletion is due.
    pub deletion_scheduled_at: Timestamp,
}

/// What lists are sorted by; ties go by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// `created_at`
    CreatedAt,
    /// `updated_at`
    UpdatedAt,
    /// `customer_id`
    CustomerId,
}

macro_rules! columns {
    () => {
        "id, customer_id, reason, deletion_scheduled_at, status, cancelled_at, held_at, created_at, updated_at, deleted_at"
    };
}

/// Reads [`columns`].
fn from_row(row: &impl Columns) -> Result<AccountDeletionRequest, DbError> {
    Ok(AccountDeletionRequest {
        id: row.text("id")?,
        customer_id: CustomerId::from_stored(row.text("customer_id")?),
        reason: row.optional_text("reason")?,
        deletion_scheduled_at: row.optional_time("deletion_scheduled_at")?,
        status: row.text("status")?,
        cancelled_at: row.optional_time("cancelled_at")?,
        held_at: row.optional_time("held_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        deleted_at: row.optional_time("deleted_at")?,
    })
}

const FIND_ACTIVE: &str = "select id, deletion_scheduled_at from account_deletion_request \
     where customer_id = $1 and status in ('pending', 'confirmed') and deleted_at is null";

/// A customer's pending or confirmed request.
///
/// # Errors
/// When the statement fails.
pub async fn find_active(tx: &mut Tx, customer: &CustomerId) -> Result<Option<ActiveRequest>, DbError> {
    on!(tx, connection => sqlx::query(FIND_ACTIVE)
        .bind(customer.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| active(&row))
        .transpose())
}

/// Reads what `FIND_ACTIVE` returns.
fn active(row: &impl Columns) -> Result<ActiveRequest, DbError> {
    Ok(ActiveRequest { id: row.text("id")?, deletion_scheduled_at: row.optional_time("deletion_scheduled_at")? })
}

const FIND: &str =
    concat!("select ", columns!(), " from account_deletion_request where id = $1 and deleted_at is null");

/// A request by its id.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<AccountDeletionRequest>, DbError> {
    on!(tx, connection => sqlx::query(FIND)
        .bind(id)
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const INSERT_CONFIRMED: &str = concat!(
    "insert into account_deletion_request \
     (id, customer_id, reason, deletion_scheduled_at, status, created_at, updated_at) \
     values ($1, $2, $3, $4, 'confirmed', $5, $5) \
     on conflict (customer_id) where status in ('pending', 'confirmed') and deleted_at is null do nothing returning ",
    columns!()
);

/// Writes a confirmed request; `None` when the customer has an active one already.
///
/// # Errors
/// When the statement fails.
pub async fn insert_confirmed(
    tx: &mut Tx,
    new: &NewConfirmedRequest<'_>,
    now: Timestamp,
) -> Result<Option<AccountDeletionRequest>, DbError> {
    on!(tx, connection => sqlx::query(INSERT_CONFIRMED)
        .bind(new.id)
        .bind(new.customer_id.as_str())
        .bind(new.reason)
        .bind(Stamp(new.deletion_scheduled_at))
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const CANCEL: &str = concat!(
    "update account_deletion_request set status = 'cancelled', cancelled_at = $2, updated_at = $2 \
     where customer_id = $1 and status in ('pending', 'confirmed') and deleted_at is null returning ",
    columns!()
);

/// Cancels a customer's active request; `None` when there is none, or the job was quicker.
///
/// # Errors
/// When the statement fails.
pub async fn cancel(
    tx: &mut Tx,
    customer: &CustomerId,
    now: Timestamp,
) -> Result<Option<AccountDeletionRequest>, DbError> {
    on!(tx, connection => sqlx::query(CANCEL)
        .bind(customer.as_str())
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const COUNT: &str = "select count(*) as count from account_deletion_request where deleted_at is null";
const COUNT_OF_STATUS: &str =
    "select count(*) as count from account_deletion_request where status = $1 and deleted_at is null";

/// How many requests there are, of one status or of all.
///
/// # Errors
/// When the statement fails.
pub async fn count(tx: &mut Tx, status: Option<&str>) -> Result<i64, DbError> {
    on!(tx, connection => {
        let query = match status {
            Some(status) => sqlx::query(COUNT_OF_STATUS).bind(status),
            None => sqlx::query(COUNT),
        };
        query.fetch_one(connection).await?.integer("count")
    })
}

macro_rules! list {
    ($index:literal, $status:literal, $column:literal, $direction:literal) => {
        concat!(
            "select ",
            columns!(),
            " from account_deletion_request",
            $index,
            " where ",
            $status,
            "deleted_at is null order by ",
            $column,
            " ",
            $direction,
            ", id ",
            $direction,
            " limit $1 offset $2"
        )
    };
}
/// SQLite would rather sort all than go by an index in the order.
const OLDEST_SQLITE: &str = list!(" indexed by cr_account_deletion_request_created_at", "", "created_at", "asc");
const NEWEST_SQLITE: &str = list!(" indexed by cr_account_deletion_request_created_at", "", "created_at", "desc");
const LEAST_RECENT_SQLITE: &str = list!(" indexed by cr_account_deletion_request_updated_at", "", "updated_at", "asc");
const MOST_RECENT_SQLITE: &str = list!(" indexed by cr_account_deletion_request_updated_at", "", "updated_at", "desc");
const FIRST_CUSTOMERS_SQLITE: &str =
    list!(" indexed by \"IDX_account_deletion_request_customer_id\"", "", "customer_id", "asc");
const LAST_CUSTOMERS_SQLITE: &str =
    list!(" indexed by \"IDX_account_deletion_request_customer_id\"", "", "customer_id", "desc");
/// PostgreSQL takes these indexes by itself.
const OLDEST_POSTGRES: &str = list!("", "", "created_at", "asc");
const NEWEST_POSTGRES: &str = list!("", "", "created_at", "desc");
const LEAST_RECENT_POSTGRES: &str = list!("", "", "updated_at", "asc");
const MOST_RECENT_POSTGRES: &str = list!("", "", "updated_at", "desc");
const FIRST_CUSTOMERS_POSTGRES: &str = list!("", "", "customer_id", "asc");
const LAST_CUSTOMERS_POSTGRES: &str = list!("", "", "customer_id", "desc");

/// A page of requests, of one status or of all.
///
/// # Errors
/// When the statement fails.
pub async fn list(
    tx: &mut Tx,
    status: Option<&str>,
    order: OrderBy,
    descending: bool,
    limit: i64,
    offset: i64,
) -> Result<Vec<AccountDeletionRequest>, DbError> {
    let sql = match (tx.handle(), status, order, descending) {
        // By time each has an index of its own, which both databases take by themselves.
        (_, Some(_), OrderBy::CreatedAt, false) => list!("", "status = $3 and ", "created_at", "asc"),
        (_, Some(_), OrderBy::CreatedAt, true) => list!("", "status = $3 and ", "created_at", "desc"),
        (_, Some(_), OrderBy::UpdatedAt, false) => list!("", "status = $3 and ", "updated_at", "asc"),
        (_, Some(_), OrderBy::UpdatedAt, true) => list!("", "status = $3 and ", "updated_at", "desc"),
        (_, Some(_), OrderBy::CustomerId, false) => list!("", "status = $3 and ", "customer_id", "asc"),
        (_, Some(_), OrderBy::CustomerId, true) => list!("", "status = $3 and ", "customer_id", "desc"),
        (Handle::Sqlite(_), None, OrderBy::CreatedAt, false) => OLDEST_SQLITE,
        (Handle::Sqlite(_), None, OrderBy::CreatedAt, true) => NEWEST_SQLITE,
        (Handle::Sqlite(_), None, OrderBy::UpdatedAt, false) => LEAST_RECENT_SQLITE,
        (Handle::Sqlite(_), None, OrderBy::UpdatedAt, true) => MOST_RECENT_SQLITE,
        (Handle::Sqlite(_), None, OrderBy::CustomerId, false) => FIRST_CUSTOMERS_SQLITE,
        (Handle::Sqlite(_), None, OrderBy::CustomerId, true) => LAST_CUSTOMERS_SQLITE,
        (Handle::Postgres(_), None, OrderBy::CreatedAt, false) => OLDEST_POSTGRES,
        (Handle::Postgres(_), None, OrderBy::CreatedAt, true) => NEWEST_POSTGRES,
        (Handle::Postgres(_), None, OrderBy::UpdatedAt, false) => LEAST_RECENT_POSTGRES,
        (Handle::Postgres(_), None, OrderBy::UpdatedAt, true) => MOST_RECENT_POSTGRES,
        (Handle::Postgres(_), None, OrderBy::CustomerId, false) => FIRST_CUSTOMERS_POSTGRES,
        (Handle::Postgres(_), None, OrderBy::CustomerId, true) => LAST_CUSTOMERS_POSTGRES,
    };
    on!(tx, connection => {
        let query = sqlx::query(sql).bind(limit).bind(offset);
        let query = match status {
            Some(status) => query.bind(status),
            None => query,
        };
        query.fetch_all(connection).await?.iter().map(from_row).collect()
    })
}

macro_rules! due {
    ($index:literal, $lock:literal) => {
        concat!(
            "select ",
            columns!(),
            " from account_deletion_request",
            $index,
            " where status = 'confirmed' and held_at is null and deleted_at is null and deletion_scheduled_at <= $1 \
             and (deletion_scheduled_at, id) > ($2, $3) order by deletion_scheduled_at, id limit $4",
            $lock
        )
    };
}

/// SQLite: the transaction is the only writer, so nobody else can hold these rows. By itself it would go through all that were not
/// deleted, done ones too.
const LOCK_DUE_SQLITE: &str = due!(" indexed by IDX_account_deletion_request_due", "");
/// PostgreSQL: rows that another replica's job is at are passed over.
const LOCK_DUE_POSTGRES: &str = due!("", " for update skip locked");

/// Up to `limit` confirmed requests that are due and not held, held by this transaction, the longest due first; those after
/// `after`, a due time and an id, so that a job goes through all of them once.
///
/// # Errors
/// When the statement fails.
pub async fn lock_due(
    tx: &mut Tx,
    now: Timestamp,
    after: (Timestamp, &str),
    limit: i64,
) -> Result<Vec<AccountDeletionRequest>, DbError> {
    match tx.handle() {
        Handle::Sqlite(connection) => sqlx::query(LOCK_DUE_SQLITE)
            .bind(Stamp(now))
            .bind(Stamp(after.0))
            .bind(after.1)
            .bind(limit)
            .fetch_all(connection)
            .await?
            .iter()
            .map(from_row)
            .collect(),
        Handle::Postgres(connection) => sqlx::query(LOCK_DUE_POSTGRES)
            .bind(Stamp(now))
            .bind(Stamp(after.0))
            .bind(after.1)
            .bind(limit)
            .fetch_all(connection)
            .await?
            .iter()
            .map(from_row)
            .collect(),
    }
}

macro_rules! count_due {
    ($index:literal) => {
        concat!(
            "select count(*) as count from account_deletion_request",
            $index,
            " where status = 'confirmed' and held_at is null and deleted_at is null and deletion_scheduled_at <= $1"
        )
    };
}
/// As for [`LOCK_DUE_SQLITE`].
const COUNT_DUE_SQLITE: &str = count_due!(" indexed by IDX_account_deletion_request_due");
const COUNT_DUE_POSTGRES: &str = count_due!("");

/// How many requests are due.
///
/// # Errors
/// When the statement fails.
pub async fn count_due(tx: &mut Tx, now: Timestamp) -> Result<i64, DbError> {
    let sql = match tx.handle() {
        Handle::Sqlite(_) => COUNT_DUE_SQLITE,
        Handle::Postgres(_) => COUNT_DUE_POSTGRES,
    };
    on!(tx, connection => sqlx::query(sql).bind(Stamp(now)).fetch_one(connection).await?.integer("count"))
}

const MARK_COMPLETED: &str = "update account_deletion_request set status = 'completed', updated_at = $2 \
     where id = $1 and status = 'confirmed' and held_at is null and deleted_at is null";

/// Marks a confirmed request that is not held as done; false when it is something else by now.
///
/// # Errors
/// When the statement fails.
pub async fn mark_completed(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, DbError> {
    let changed = on!(tx, connection => sqlx::query(MARK_COMPLETED)
        .bind(id)
        .bind(Stamp(now))
        .execute(connection)
        .await?
        .rows_affected());
    Ok(changed > 0)
}

const LOCK_IF_DUE: &str = concat!(
    "update account_deletion_request set updated_at = updated_at where id = $1 and status = 'confirmed' \
     and held_at is null and deleted_at is null and deletion_scheduled_at <= $2 returning ",
    columns!()
);

/// One request, held by this transaction, if it is confirmed, due and not held by an administrator.
///
/// # Errors
/// When the statement fails.
pub async fn lock_if_due(tx: &mut Tx, id: &str, now: Timestamp) -> Result<Option<AccountDeletionRequest>, DbError> {
    on!(tx, connection => sqlx::query(LOCK_IF_DUE)
        .bind(id)
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

macro_rules! decided {
    ($set:literal, $condition:literal) => {
        concat!(
            "update account_deletion_request set ",
            $set,
            ", updated_at = $2 where id = $1 and deleted_at is null and ",
            $condition,
            " returning ",
            columns!()
        )
    };
}

/// What an administrator does to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The account stays.
    Cancel,
    /// The job passes the request over, until it is released.
    Hold,
    /// The job may take it again.
    Release,
    /// The account goes now; the row is held by the transaction, and otherwise left as it is.
    Run,
}

/// Does that if the request's state allows it; `None` when there is none such, or it is something else by now.
///
/// # Errors
/// When the statement fails.
pub async fn decide(
    tx: &mut Tx,
    id: &str,
    decision: Decision,
    now: Timestamp,
) -> Result<Option<AccountDeletionRequest>, DbError> {
    let sql = match decision {
        Decision::Cancel => {
            decided!("status = 'cancelled', cancelled_at = $2", "status in ('pending', 'confirmed')")
        }
        Decision::Hold => decided!("held_at = $2", "status = 'confirmed' and held_at is null"),
        Decision::Release => decided!("held_at = null", "status = 'confirmed' and held_at is not null"),
        Decision::Run => decided!("status = status", "status = 'confirmed' and held_at is null"),
    };
    on!(tx, connection => sqlx::query(sql)
        .bind(id)
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}
