//! What stands against a contact, or for it, told by one look into the tables that may hold it: nearly always there is nothing but
//! the customer's own, and then nothing else need be read.

use cr_types::ids::CustomerId;

use crate::error::DbError;
use crate::models::customer::is_account_with_email;
use crate::models::provider_identity::{is_of_email, is_of_phone};
use crate::row::Columns;
use crate::tx::{Tx, on};

/// What a look at a contact found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactClaims {
    /// Whether there is anything of anybody but the customer: a proof, an account with the e-mail, a credential, be it soft-deleted
    /// or nobody's.
    pub has_others: bool,
    /// Whether a live credential of the customer is for exactly this value.
    pub is_own_login: bool,
}

/// A contact, and whose it is about to be.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<'a> {
    /// In its canonical form: an e-mail in lower case, a phone as E.164.
    pub canonical: &'a str,
    /// As it is stored.
    pub value: &'a str,
    /// The customer.
    pub customer: &'a CustomerId,
}

/// Whether somebody else has proven the contact: `$1` is its canonical form, `$2` how it is stored, `$3` the customer. One look for each:
/// for both at once PostgreSQL may go through all proofs of the channel.
macro_rules! others_have_proven {
    ($channel:literal) => {
        concat!(
            "exists (select 1 from cr_proof f where f.channel = '",
            $channel,
            "' and f.value = $1 and f.customer_id <> $3) or exists (select 1 from cr_proof f where f.channel = '",
            $channel,
            "' and f.value = $2 and f.customer_id <> $3)"
        )
    };
}
/// Whether there is a credential of which more is said.
macro_rules! credential_exists {
    () => {
        "exists (select 1 from provider_identity p join auth_identity a on a.id = p.auth_identity_id where "
    };
}
/// That it is not the customer's.
macro_rules! is_others {
    () => {
        " and a.app_metadata ->> 'customer_id' is distinct from $3)"
    };
}
/// That the customer logs in with it.
macro_rules! is_own {
    () => {
        " and a.app_metadata ->> 'customer_id' = $3 and p.entity_id = $2 and p.deleted_at is null and a.deleted_at is null)"
    };
}

const LOOK_AT_EMAIL: &str = concat!(
    "select ",
    others_have_proven!("email"),
    " or exists (select 1 from customer c where ",
    is_account_with_email!(),
    " and c.id <> $3) or ",
    credential_exists!(),
    is_of_email!(),
    is_others!(),
    " as has_others, ",
    credential_exists!(),
    is_of_email!(),
    is_own!(),
    " as is_own_login"
);

/// Looks at an e-mail.
///
/// # Errors
/// When the statement fails.
pub async fn look_at_email(tx: &mut Tx, claimed: Claimed<'_>) -> Result<ContactClaims, DbError> {
    look(tx, LOOK_AT_EMAIL, claimed).await
}

const LOOK_AT_PHONE: &str = concat!(
    "select ",
    others_have_proven!("phone"),
    " or ",
    credential_exists!(),
    is_of_phone!(),
    is_others!(),
    " as has_others, ",
    credential_exists!(),
    is_of_phone!(),
    is_own!(),
    " as is_own_login"
);

/// Looks at a phone. A customer's column alone is no claim to one.
///
/// # Errors
/// When the statement fails.
pub async fn look_at_phone(tx: &mut Tx, claimed: Claimed<'_>) -> Result<ContactClaims, DbError> {
    look(tx, LOOK_AT_PHONE, claimed).await
}

/// Runs one of the two.
async fn look(tx: &mut Tx, sql: &'static str, claimed: Claimed<'_>) -> Result<ContactClaims, DbError> {
    on!(tx, connection => sqlx::query(sql)
        .bind(claimed.canonical)
        .bind(claimed.value)
        .bind(claimed.customer.as_str())
        .fetch_one(connection)
        .await
        .map(|row| from_row(&row))?)
}

fn from_row(row: &impl Columns) -> Result<ContactClaims, DbError> {
    Ok(ContactClaims { has_others: row.boolean("has_others")?, is_own_login: row.boolean("is_own_login")? })
}
