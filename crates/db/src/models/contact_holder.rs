//! Whom a contact may mean: the accounts that have it, and whose logins it is. One statement, which takes as long for nobody's.

use cr_types::ids::CustomerId;
use serde_json::Value;

use crate::error::DbError;
use crate::models::customer::{Customer, customer_columns, is_account_with_email, is_account_with_phone};
use crate::models::provider_identity::{is_of_email, is_of_phone};
use crate::row::Columns;
use crate::tx::{Handle, Tx, on};

/// Everybody whom a contact may mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactHolders {
    /// Live accounts that have it, the oldest first, 20 at most.
    pub accounts: Vec<Customer>,
    /// Live credentials that are for it, by what they are for, 20 at most.
    pub logins: Vec<ContactLogin>,
}

/// A credential, without what it is proven by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactLogin {
    /// The e-mail or phone, as stored.
    pub entity_id: String,
    /// Whom it logs in: what the identity has as its customer, be it nobody's id; `None` for one that has none.
    pub customer_id: Option<CustomerId>,
}

/// The live credentials of which more is said.
macro_rules! logins {
    () => {
        "select p.entity_id, a.app_metadata ->> 'customer_id' as customer_id \
         from provider_identity p join auth_identity a on a.id = p.auth_identity_id \
         where p.deleted_at is null and a.deleted_at is null and "
    };
}
/// As many of them as are read.
macro_rules! some {
    () => {
        " order by p.entity_id, p.id limit 20"
    };
}
/// Beside them, a row for each of the accounts of which more is said; one where there is none.
macro_rules! with_accounts {
    () => {
        concat!(" as logins) l left join (select ", customer_columns!(), " from customer c where ")
    };
}
/// As many of these as are read.
macro_rules! oldest_first {
    () => {
        " order by c.created_at, c.id limit 20) h on true order by h.created_at, h.id"
    };
}
macro_rules! begin_sqlite {
    () => {
        "select l.logins, h.* from (select (select json_group_array(json_array(k.entity_id, k.customer_id)) from ("
    };
}
macro_rules! begin_postgres {
    () => {
        "select l.logins, h.* from (select array_to_json(array(select json_build_array(k.entity_id, k.customer_id) from ("
    };
}

const FIND_BY_EMAIL_SQLITE: &str = concat!(
    begin_sqlite!(),
    logins!(),
    is_of_email!(),
    some!(),
    ") k)",
    with_accounts!(),
    is_account_with_email!(),
    oldest_first!()
);
const FIND_BY_EMAIL_POSTGRES: &str = concat!(
    begin_postgres!(),
    logins!(),
    is_of_email!(),
    some!(),
    ") k))",
    with_accounts!(),
    is_account_with_email!(),
    oldest_first!()
);

/// Everybody whom an e-mail (lower-case already) may mean: all that folds to it.
///
/// # Errors
/// When the statement fails.
pub async fn find_by_email(tx: &mut Tx, folded: &str) -> Result<ContactHolders, DbError> {
    let sql = match tx.handle() {
        Handle::Sqlite(_) => FIND_BY_EMAIL_SQLITE,
        Handle::Postgres(_) => FIND_BY_EMAIL_POSTGRES,
    };
    on!(tx, connection => from_rows(&sqlx::query(sql).bind(folded).fetch_all(connection).await?))
}

const FIND_BY_PHONE_SQLITE: &str = concat!(
    begin_sqlite!(),
    logins!(),
    is_of_phone!(),
    some!(),
    ") k)",
    with_accounts!(),
    is_account_with_phone!(),
    oldest_first!()
);
const FIND_BY_PHONE_POSTGRES: &str = concat!(
    begin_postgres!(),
    logins!(),
    is_of_phone!(),
    some!(),
    ") k))",
    with_accounts!(),
    is_account_with_phone!(),
    oldest_first!()
);

/// Everybody whom a phone may mean: the text as given or its E.164 form.
///
/// # Errors
/// When the statement fails.
pub async fn find_by_phone(tx: &mut Tx, raw: &str, e164: &str) -> Result<ContactHolders, DbError> {
    let sql = match tx.handle() {
        Handle::Sqlite(_) => FIND_BY_PHONE_SQLITE,
        Handle::Postgres(_) => FIND_BY_PHONE_POSTGRES,
    };
    on!(tx, connection => from_rows(&sqlx::query(sql).bind(raw).bind(e164).fetch_all(connection).await?))
}

/// Reads what `FIND_BY_…` return.
fn from_rows(rows: &[impl Columns]) -> Result<ContactHolders, DbError> {
    let mut found = ContactHolders::default();
    if let Some(row) = rows.first() {
        let logins: Vec<(String, Option<Value>)> = row.json("logins")?.unwrap_or_default();
        found.logins = logins.into_iter().map(login).collect();
    }
    for row in rows {
        if row.optional_text("id")?.is_some() {
            found.accounts.push(Customer::from_row(row)?);
        }
    }
    Ok(found)
}

/// A credential by what it is for, and whatever its identity names as its customer.
fn login((entity_id, customer): (String, Option<Value>)) -> ContactLogin {
    let customer_id = customer.as_ref().and_then(Value::as_str).filter(|id| !id.is_empty());
    ContactLogin { entity_id, customer_id: customer_id.map(|id| CustomerId::from_stored(id.to_owned())) }
}
