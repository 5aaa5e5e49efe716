//! The plugin's `referral_link`: who brought a customer, and who brought whom before. At most one live link a customer.

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

/// A whole row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralLink {
    /// `refl_…`.
    pub id: String,
    /// Who was brought.
    pub customer_id: CustomerId,
    /// By whom.
    pub referrer_id: CustomerId,
    /// `{"1": the referrer, "2": the referrer's referrer, …}`.
    pub parent_customers_by_level: Value,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was soft-deleted.
    pub deleted_at: Option<Timestamp>,
}

/// A customer that somebody brought, as the referrer sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// `refl_…`.
    pub referral_link_id: String,
    /// When they were brought.
    pub referred_at: Timestamp,
    /// As in the link.
    pub parent_customers_by_level: Value,
    /// `cus_…`.
    pub customer_id: CustomerId,
    /// Their e-mail.
    pub email: Option<String>,
    /// As they gave it.
    pub first_name: Option<String>,
    /// As they gave it.
    pub last_name: Option<String>,
    /// Their phone.
    pub phone: Option<String>,
    /// When the account was made.
    pub created_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, customer_id, referrer_id, parent_customers_by_level, created_at, updated_at, deleted_at"
    };
}

/// Reads [`columns`].
fn from_row(row: &impl Columns) -> Result<ReferralLink, DbError> {
    Ok(ReferralLink {
        id: row.text("id")?,
        customer_id: CustomerId::from_stored(row.text("customer_id")?),
        referrer_id: CustomerId::from_stored(row.text("referrer_id")?),
        parent_customers_by_level: row.optional_json("parent_customers_by_level")?.unwrap_or_default(),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        deleted_at: row.optional_time("deleted_at")?,
    })
}

const INSERT: &str = concat!(
    "insert into referral_link (id, customer_id, referrer_id, parent_customers_by_level, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, $5) on conflict (customer_id) where deleted_at is null do nothing returning ",
    columns!()
);

/// Writes a link; `None` when the customer has one already.
///
/// # Errors
/// When the statement fails.
pub async fn insert(
    tx: &mut Tx,
    id: &str,
    customer: &CustomerId,
    referrer: &CustomerId,
    parents: &Value,
    now: Timestamp,
) -> Result<Option<ReferralLink>, DbError> {
    on!(tx, connection => sqlx::query(INSERT)
        .bind(id)
        .bind(customer.as_str())
        .bind(referrer.as_str())
        .bind(parents)
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const FIND: &str = concat!("select ", columns!(), " from referral_link where id = $1 and deleted_at is null");

/// A live link by its id.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<ReferralLink>, DbError> {
    on!(tx, connection => sqlx::query(FIND)
        .bind(id)
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const FIND_OF_CUSTOMER: &str =
    concat!("select ", columns!(), " from referral_link where customer_id = $1 and deleted_at is null");

/// The live link of a customer who was brought.
///
/// # Errors
/// When the statement fails.
pub async fn find_of_customer(tx: &mut Tx, customer: &CustomerId) -> Result<Option<ReferralLink>, DbError> {
    on!(tx, connection => sqlx::query(FIND_OF_CUSTOMER)
        .bind(customer.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const LIST: &str = concat!(
    "select ",
    columns!(),
    " from referral_link where deleted_at is null and (cast($1 as text) is null or customer_id = $1) \
     and (cast($2 as text) is null or referrer_id = $2) order by created_at, id limit $3 offset $4"
);

/// Live links, of one customer, of one referrer, or of all, oldest first.
///
/// # Errors
/// When the statement fails.
pub async fn list(
    tx: &mut Tx,
    customer: Option<&str>,
    referrer: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<Vec<ReferralLink>, DbError> {
    on!(tx, connection => sqlx::query(LIST)
        .bind(customer)
        .bind(referrer)
        .bind(limit)
        .bind(offset)
        .fetch_all(connection)
        .await?
        .iter()
        .map(from_row)
        .collect())
}

const COUNT: &str = "select count(*) as count from referral_link where deleted_at is null \
     and (cast($1 as text) is null or customer_id = $1) and (cast($2 as text) is null or referrer_id = $2)";

/// How many links [`list`] would give without its limit.
///
/// # Errors
/// When the statement fails.
pub async fn count(tx: &mut Tx, customer: Option<&str>, referrer: Option<&str>) -> Result<i64, DbError> {
    on!(tx, connection => sqlx::query(COUNT)
        .bind(customer)
        .bind(referrer)
        .fetch_one(connection)
        .await?
        .integer("count"))
}

const UPDATE: &str = concat!(
    "update referral_link set referrer_id = $2, parent_customers_by_level = $3, updated_at = $4 \
     where id = $1 and deleted_at is null returning ",
    columns!()
);

/// Gives a link another referrer and line of parents; `None` when there is no such link.
///
/// # Errors
/// When the statement fails.
pub async fn update(
    tx: &mut Tx,
    id: &str,
    referrer: &CustomerId,
    parents: &Value,
    now: Timestamp,
) -> Result<Option<ReferralLink>, DbError> {
    on!(tx, connection => sqlx::query(UPDATE)
        .bind(id)
        .bind(referrer.as_str())
        .bind(parents)
        .bind(Stamp(now))
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

const DELETE: &str = "delete from referral_link where id = $1";

/// Deletes a link for good; false when there was none.
///
/// # Errors
/// When the statement fails.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool, DbError> {
    let gone = on!(tx, connection => sqlx::query(DELETE).bind(id).execute(connection).await?.rows_affected());
    Ok(gone > 0)
}

const SOFT_DELETE: &str =
    "update referral_link set deleted_at = $2, updated_at = $2 where id = $1 and deleted_at is null";

/// Medusa's soft delete; false when there was no live one.
///
/// # Errors
/// When the statement fails.
pub async fn soft_delete(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, DbError> {
    let gone = on!(tx, connection => sqlx::query(SOFT_DELETE)
        .bind(id)
        .bind(Stamp(now))
        .execute(connection)
        .await?
        .rows_affected());
    Ok(gone > 0)
}

const RESTORE: &str =
    "update referral_link set deleted_at = null, updated_at = $2 where id = $1 and deleted_at is not null";

/// Takes a soft delete back; false when there was none.
///
/// # Errors
/// [`DbError::NotUnique`] by `IDX_referral_link_customer_id_unique` when the customer has another link by now.
pub async fn restore(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, DbError> {
    let back = on!(tx, connection => sqlx::query(RESTORE)
        .bind(id)
        .bind(Stamp(now))
        .execute(connection)
        .await?
        .rows_affected());
    Ok(back > 0)
}

macro_rules! children {
    () => {
        " from referral_link l join customer c on c.id = l.customer_id and c.deleted_at is null \
         where l.referrer_id = $1 and l.deleted_at is null and not exists \
         (select 1 from account_deletion_request r where r.customer_id = l.customer_id \
         and r.status in ('pending', 'confirmed') and r.deleted_at is null)"
    };
}

const LIST_CHILDREN: &str = concat!(
    "select l.id, l.created_at as referred_at, l.parent_customers_by_level, c.id as customer_id, c.email, c.first_name, \
     c.last_name, c.phone, c.created_at",
    children!(),
    " order by l.created_at desc, l.id desc limit $2 offset $3"
);

/// The customers that somebody brought, newest first, without those who are gone or going.
///
/// # Errors
/// When the statement fails.
pub async fn list_children(tx: &mut Tx, referrer: &CustomerId, limit: i64, offset: i64) -> Result<Vec<Child>, DbError> {
    on!(tx, connection => sqlx::query(LIST_CHILDREN)
        .bind(referrer.as_str())
        .bind(limit)
        .bind(offset)
        .fetch_all(connection)
        .await?
        .iter()
        .map(child)
        .collect())
}

/// Reads what `LIST_CHILDREN` returns.
fn child(row: &impl Columns) -> Result<Child, DbError> {
    Ok(Child {
        referral_link_id: row.text("id")?,
        referred_at: row.time("referred_at")?,
        parent_customers_by_level: row.optional_json("parent_customers_by_level")?.unwrap_or_default(),
        customer_id: CustomerId::from_stored(row.text("customer_id")?),
        email: row.optional_text("email")?,
        first_name: row.optional_text("first_name")?,
        last_name: row.optional_text("last_name")?,
        phone: row.optional_text("phone")?,
        created_at: row.time("created_at")?,
    })
}

const COUNT_CHILDREN: &str = concat!("select count(*) as count", children!());

/// How many customers [`list_children`] would give without its limit.
///
/// # Errors
/// When the statement fails.
pub async fn count_children(tx: &mut Tx, referrer: &CustomerId) -> Result<i64, DbError> {
    on!(tx, connection => sqlx::query(COUNT_CHILDREN)
        .bind(referrer.as_str())
        .fetch_one(connection)
        .await?
        .integer("count"))
}
