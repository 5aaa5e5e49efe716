//! Which value of a customer's e-mail and phone came back by a code. A flag without its proof reads false.

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::models::customer::{Customer, set_contacts};
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// One proven contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Whose.
    pub customer_id: CustomerId,
    /// `email` or `phone`.
    pub channel: String,
    /// The contact, as it stands in `customer`.
    pub value: String,
    /// When.
    pub proven_at: Timestamp,
}

/// A proof in the place of the channel's former one, for the customer `$1`.
macro_rules! replace {
    ($channel:literal, $value:literal, $proven_at:literal) => {
        concat!(
            "insert into cr_proof (customer_id, channel, value, proven_at) values ($1, ",
            $channel,
            ", ",
            $value,
            ", ",
            $proven_at,
            ") on conflict (customer_id, channel) do update set value = excluded.value, proven_at = excluded.proven_at"
        )
    };
}

/// SQLite runs several statements at once, and the second only if the first did not fail.
const RECORD_SQLITE: &str = concat!(set_contacts!(), "; ", replace!("$7", "$8", "$9"));
/// PostgreSQL does the same as parts of one.
const RECORD_POSTGRES: &str = concat!("with proof as (", replace!("$7", "$8", "$9"), ") ", set_contacts!());

/// Records a proof in the place of the channel's former one, and writes both contacts and both flags of its customer.
///
/// # Errors
/// [`DbError::NotUnique`] by `IDX_customer_email_has_account_unique` when an account has that e-mail.
pub async fn record(tx: &mut Tx, customer: &Customer, proof: &Proof, now: Timestamp) -> Result<(), DbError> {
    /// Binds both rows and runs the statement.
    macro_rules! run {
        ($connection:expr, $sql:expr) => {
            sqlx::query($sql)
                .bind(proof.customer_id.as_str())
                .bind(customer.email.as_deref())
                .bind(customer.phone.as_deref())
                .bind(customer.email_flag)
                .bind(customer.phone_flag)
                .bind(Stamp(now))
                .bind(&proof.channel)
                .bind(&proof.value)
                .bind(Stamp(proof.proven_at))
                .execute($connection)
                .await
                .map(|_| ())?
        };
    }
    match tx.handle() {
        Handle::Sqlite(connection) => run!(connection, RECORD_SQLITE),
        Handle::Postgres(connection) => run!(connection, RECORD_POSTGRES),
    }
    Ok(())
}

const LIST: &str = "select customer_id, channel, value, proven_at from cr_proof \
     where channel = $1 and value = $2 order by customer_id limit 100";

/// Who has proven a value, 100 at most; whether it is still their present one, the caller looks up.
///
/// # Errors
/// When the statement fails.
pub async fn list(tx: &mut Tx, channel: &str, value: &str) -> Result<Vec<Proof>, DbError> {
    on!(tx, connection => sqlx::query(LIST)
        .bind(channel)
        .bind(value)
        .fetch_all(connection)
        .await?
        .iter()
        .map(from_row)
        .collect())
}

fn from_row(row: &impl Columns) -> Result<Proof, DbError> {
    Ok(Proof {
        customer_id: CustomerId::from_stored(row.text("customer_id")?),
        channel: row.text("channel")?,
        value: row.text("value")?,
        proven_at: row.time("proven_at")?,
    })
}

const DELETE: &str = "delete from cr_proof where customer_id = $1 and channel = $2";

/// Forgets a channel's proof.
///
/// # Errors
/// When the statement fails.
pub async fn delete(tx: &mut Tx, customer: &CustomerId, channel: &str) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(DELETE)
        .bind(customer.as_str())
        .bind(channel)
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}
