//! Medusa's `customer` with the two flags, always read together with the proofs that make a flag true.

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// The columns that [`Customer`] reads, from `customer c`. The proofs are looked up by themselves: PostgreSQL takes longer to join what
/// is one row at the most. The channel is written so that no index is asked for it: as long as PostgreSQL believes a table that grows
/// to be small, it would go through all proofs of a channel for each customer.
macro_rules! customer_columns {
    () => {
        "c.id, c.company_name, c.first_name, c.last_name, c.email, c.phone, c.has_account, c.metadata, c.email_verified, \
         c.phone_verified, c.created_at, c.updated_at, c.deleted_at, \
         (select e.value from cr_proof e where e.customer_id = c.id and e.channel || '' = 'email') as email_proof, \
         (select p.value from cr_proof p where p.customer_id = c.id and p.channel || '' = 'phone') as phone_proof"
    };
}

/// That `customer c` is a live account whose e-mail folds to `$1`.
macro_rules! is_account_with_email {
    () => {
        "lower(c.email) = $1 and c.has_account and c.deleted_at is null"
    };
}
/// That it is one whose phone is `$1` or `$2`.
macro_rules! is_account_with_phone {
    () => {
        "c.phone in ($1, $2) and c.has_account and c.deleted_at is null"
    };
}
/// What is written when contacts change, from `$1` to `$6`.
macro_rules! set_contacts {
    () => {
        "update customer set email = $2, phone = $3, email_verified = $4, phone_verified = $5, updated_at = $6 \
         where id = $1 and deleted_at is null"
    };
}

pub(crate) use {customer_columns, is_account_with_email, is_account_with_phone, set_contacts};

/// One customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Customer {
    /// `cus_…`.
    pub id: CustomerId,
    /// As the shop has it.
    pub company_name: Option<String>,
    /// As the shop has it.
    pub first_name: Option<String>,
    /// As the shop has it.
    pub last_name: Option<String>,
    /// As stored; Medusa's own rows may hold upper case.
    pub email: Option<String>,
    /// As stored; rows of ours hold E.164.
    pub phone: Option<String>,
    /// False for a guest of the checkout.
    pub has_account: bool,
    /// A JSON object.
    pub metadata: Option<Value>,
    /// The stored flag; [`Customer::is_email_verified`] tells whether it counts.
    pub email_flag: bool,
    /// The stored flag; [`Customer::is_phone_verified`] tells whether it counts.
    pub phone_flag: bool,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row was last changed.
    pub updated_at: Timestamp,
    /// When it was soft-deleted.
    pub deleted_at: Option<Timestamp>,
    /// The e-mail that a code proved last.
    pub email_proof: Option<String>,
    /// The phone that a code proved last.
    pub phone_proof: Option<String>,
}

impl Customer {
    /// Whether the present e-mail is the proven one. Medusa's admin may have written another past us.
    pub fn is_email_verified(&self) -> bool {
        self.email_flag && self.email.is_some() && self.email == self.email_proof
    }

    /// Whether the present phone is the proven one.
    pub fn is_phone_verified(&self) -> bool {
        self.phone_flag && self.phone.is_some() && self.phone == self.phone_proof
    }

    /// Whether a flag is stored as true although its proof is of another value.
    pub fn has_stale_flag(&self) -> bool {
        self.email_flag != self.is_email_verified() || self.phone_flag != self.is_phone_verified()
    }

    pub(crate) fn from_row(row: &impl Columns) -> Result<Self, DbError> {
        Ok(Self {
            id: CustomerId::from_stored(row.text("id")?),
            company_name: row.optional_text("company_name")?,
            first_name: row.optional_text("first_name")?,
            last_name: row.optional_text("last_name")?,
            email: row.optional_text("email")?,
            phone: row.optional_text("phone")?,
            has_account: row.boolean("has_account")?,
            metadata: row.optional_json("metadata")?,
            email_flag: row.boolean("email_verified")?,
            phone_flag: row.boolean("phone_verified")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            deleted_at: row.optional_time("deleted_at")?,
            email_proof: row.optional_text("email_proof")?,
            phone_proof: row.optional_text("phone_proof")?,
        })
    }
}

const FIND: &str = concat!("select ", customer_columns!(), " from customer c where c.id = $1 and c.deleted_at is null");

/// A live customer by id, guests too.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, id: &CustomerId) -> Result<Option<Customer>, DbError> {
    on!(tx, connection => sqlx::query(FIND)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| Customer::from_row(&row))
        .transpose())
}

const FIND_EVEN_DELETED: &str = concat!("select ", customer_columns!(), " from customer c where c.id = $1");

/// A customer by id, also one that was soft-deleted.
///
/// # Errors
/// When the statement fails.
pub async fn find_even_deleted(tx: &mut Tx, id: &CustomerId) -> Result<Option<Customer>, DbError> {
    on!(tx, connection => sqlx::query(FIND_EVEN_DELETED)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| Customer::from_row(&row))
        .transpose())
}

const LIST_ACCOUNTS_BY_EMAIL: &str = concat!(
    "select ",
    customer_columns!(),
    " from customer c where ",
    is_account_with_email!(),
    " order by c.created_at, c.id limit 20"
);

/// Live accounts whose e-mail folds to the one given (lower-case already), oldest first, 20 at most.
///
/// # Errors
/// When the statement fails.
pub async fn list_accounts_by_email(tx: &mut Tx, folded: &str) -> Result<Vec<Customer>, DbError> {
    on!(tx, connection => sqlx::query(LIST_ACCOUNTS_BY_EMAIL)
        .bind(folded)
        .fetch_all(connection)
        .await?
        .iter()
        .map(Customer::from_row)
        .collect())
}

const INSERT: &str = "insert into customer (id, company_name, first_name, last_name, email, phone, has_account, metadata, \
     created_by, email_verified, phone_verified, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, false, false, $10, $10) \
     returning id, company_name, first_name, last_name, email, phone, has_account, metadata, email_verified, phone_verified, \
     created_at, updated_at, deleted_at, cast(null as text) as email_proof, cast(null as text) as phone_proof";

/// What a new account is made of. Flags are always false.
#[derive(Clone, Debug)]
pub struct NewCustomer<'a> {
    /// `cus_…`.
    pub id: &'a CustomerId,
    /// As the body has it.
    pub company_name: Option<&'a str>,
    /// As the body has it.
    pub first_name: Option<&'a str>,
    /// As the body has it.
    pub last_name: Option<&'a str>,
    /// Parsed.
    pub email: Option<&'a str>,
    /// Parsed.
    pub phone: Option<&'a str>,
    /// A JSON object.
    pub metadata: Option<&'a Value>,
}

/// Makes an account, which has proven nothing: the row as it is.
///
/// # Errors
/// [`DbError::NotUnique`] by `IDX_customer_email_has_account_unique` when an account has that e-mail.
pub async fn insert_account(tx: &mut Tx, new: &NewCustomer<'_>, now: Timestamp) -> Result<Customer, DbError> {
    on!(tx, connection => sqlx::query(INSERT)
        .bind(new.id.as_str())
        .bind(new.company_name)
        .bind(new.first_name)
        .bind(new.last_name)
        .bind(new.email)
        .bind(new.phone)
        .bind(true)
        .bind(new.metadata)
        .bind(None::<&str>)
        .bind(Stamp(now))
        .fetch_one(connection)
        .await
        .map_err(DbError::from)
        .and_then(|row| Customer::from_row(&row)))
}

const UPDATE_PROFILE: &str = "update customer set company_name = $2, first_name = $3, last_name = $4, metadata = $5, \
     updated_at = $6 where id = $1 and deleted_at is null";

/// Writes the four profile fields that a customer may change alone.
///
/// # Errors
/// When the statement fails.
pub async fn update_profile(tx: &mut Tx, customer: &Customer, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(UPDATE_PROFILE)
        .bind(customer.id.as_str())
        .bind(customer.company_name.as_deref())
        .bind(customer.first_name.as_deref())
        .bind(customer.last_name.as_deref())
        .bind(customer.metadata.as_ref())
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const UPDATE_FLAGS: &str = "update customer set email_verified = $2, phone_verified = $3, updated_at = $4 where id = $1 and deleted_at is null";

/// Writes both flags.
///
/// # Errors
/// When the statement fails.
pub async fn update_flags(
    tx: &mut Tx,
    id: &CustomerId,
    email_verified: bool,
    phone_verified: bool,
    now: Timestamp,
) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(UPDATE_FLAGS)
        .bind(id.as_str())
        .bind(email_verified)
        .bind(phone_verified)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const UPDATE_CONTACTS: &str = set_contacts!();

/// Writes both contacts and both flags of the row given.
///
/// # Errors
/// [`DbError::NotUnique`] by `IDX_customer_email_has_account_unique` when an account has that e-mail.
pub async fn update_contacts(tx: &mut Tx, customer: &Customer, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(UPDATE_CONTACTS)
        .bind(customer.id.as_str())
        .bind(customer.email.as_deref())
        .bind(customer.phone.as_deref())
        .bind(customer.email_flag)
        .bind(customer.phone_flag)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// As an `update` would hold it, without a new version of the row.
const LOCK_POSTGRES: &str = "select id from customer where id = $1 and deleted_at is null for no key update";

/// Holds the row, if it is there, until the transaction ends, so that what is read next cannot change. SQLite needs no statement for
/// it: it has one writer.
///
/// # Errors
/// When the statement fails.
pub async fn lock(tx: &mut Tx, id: &CustomerId) -> Result<(), DbError> {
    if let Handle::Postgres(connection) = tx.handle() {
        sqlx::query(LOCK_POSTGRES).bind(id.as_str()).execute(connection).await?;
    }
    Ok(())
}

/// The lock comes first: a row is held only once it was joined.
const LOCK_WITH_CONTACT_POSTGRES: &str = "with contact as materialized (select pg_advisory_xact_lock($2)) \
     select id from contact cross join customer where id = $1 and deleted_at is null for no key update of customer";

/// Holds the lock with a number, as [`Tx::lock`], and then the row, as [`lock`]: in one statement. False: there was no such
/// customer when it began, or none any more when it had the lock; then it may hold neither.
///
/// # Errors
/// When the statement fails.
pub async fn lock_with_contact(tx: &mut Tx, id: &CustomerId, key: i64) -> Result<bool, DbError> {
    match tx.handle() {
        Handle::Sqlite(_) => Ok(true),
        Handle::Postgres(connection) => {
            let query = sqlx::query(LOCK_WITH_CONTACT_POSTGRES).bind(id.as_str()).bind(key);
            Ok(query.fetch_optional(connection).await?.is_some())
        }
    }
}

const SOFT_DELETE: &str = "update customer set deleted_at = $2, updated_at = $2 where id = $1 and deleted_at is null";

/// Medusa's soft delete.
///
/// # Errors
/// When the statement fails.
pub async fn soft_delete(tx: &mut Tx, id: &CustomerId, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(SOFT_DELETE)
        .bind(id.as_str())
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const ANONYMIZE: &str = "update customer set company_name = null, first_name = null, last_name = null, email = null, \
     phone = null, metadata = null, created_by = null, email_verified = false, phone_verified = false, \
     deleted_at = coalesce(deleted_at, $2), updated_at = $2 where id = $1";

/// Empties every personal field and soft-deletes the row, so that orders keep what they refer to.
///
/// # Errors
/// When the statement fails.
pub async fn anonymize(tx: &mut Tx, id: &CustomerId, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(ANONYMIZE)
        .bind(id.as_str())
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const DELETE: &str = "delete from customer where id = $1";

/// Deletes the row for good; addresses and group memberships go with it (foreign keys).
///
/// # Errors
/// When the statement fails.
pub async fn delete(tx: &mut Tx, id: &CustomerId) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(DELETE).bind(id.as_str()).execute(connection).await.map(|_| ()))?;
    Ok(())
}

/// Who a customer is, for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerName {
    /// `cus_…`.
    pub id: CustomerId,
    /// As stored.
    pub email: Option<String>,
    /// As stored.
    pub phone: Option<String>,
    /// As the shop has it.
    pub first_name: Option<String>,
    /// As the shop has it.
    pub last_name: Option<String>,
}

macro_rules! names {
    ($ids:literal) => {
        concat!("select id, email, phone, first_name, last_name from customer where id ", $ids, " order by id")
    };
}

/// SQLite has no arrays, but reads JSON as a table.
const LIST_NAMES_SQLITE: &str = names!("in (select value from json_each($1))");
/// PostgreSQL takes the ids as an array.
const LIST_NAMES_POSTGRES: &str = names!("= any($1)");

/// The names and contacts of many customers, also of those that were soft-deleted, by id. Ids of nobody are left out.
///
/// # Errors
/// When the statement fails.
pub async fn list_names(tx: &mut Tx, ids: &[&str]) -> Result<Vec<CustomerName>, DbError> {
    let names = match tx.handle() {
        Handle::Sqlite(connection) => {
            let query = sqlx::query(LIST_NAMES_SQLITE).bind(Value::from(ids));
            query.fetch_all(connection).await?.iter().map(name_from_row).collect()
        }
        Handle::Postgres(connection) => {
            let query = sqlx::query(LIST_NAMES_POSTGRES).bind(ids);
            query.fetch_all(connection).await?.iter().map(name_from_row).collect()
        }
    };
    tx.note_answer();
    names
}

/// Reads what `names!` selects.
fn name_from_row(row: &impl Columns) -> Result<CustomerName, DbError> {
    Ok(CustomerName {
        id: CustomerId::from_stored(row.text("id")?),
        email: row.optional_text("email")?,
        phone: row.optional_text("phone")?,
        first_name: row.optional_text("first_name")?,
        last_name: row.optional_text("last_name")?,
    })
}
