//! What belongs to a customer in tables of ours, taken away as a whole: one round trip, since a job does it for thousands.

use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx};

/// SQLite runs several statements at once.
const DELETE_SQLITE: &str = "\
update account_deletion_request set reason = null, updated_at = $3 where customer_id = $1 and reason is not null;
delete from otp_verification where customer_id = $1 and deleted_at is null;
delete from otp_verification where customer_id = $1 and deleted_at is not null;
delete from cr_outbox where receiver_id = $1 and (channel <> 'event' or trigger_type = 'auth.password_reset');
delete from cr_proof where customer_id = $1;
delete from cr_referral_code where customer_id = $1;
delete from cr_state where key = $2";
/// PostgreSQL does the same as parts of one.
const DELETE_POSTGRES: &str = "\
with reasons as (
  update account_deletion_request set reason = null, updated_at = $3 where customer_id = $1 and reason is not null
), codes as (
  delete from otp_verification where customer_id = $1 and deleted_at is null
), codes_of_the_plugin as (
  delete from otp_verification where customer_id = $1 and deleted_at is not null
), messages as (
  delete from cr_outbox where receiver_id = $1 and (channel <> 'event' or trigger_type = 'auth.password_reset')
), proofs as (
  delete from cr_proof where customer_id = $1
), codes_for_friends as (
  delete from cr_referral_code where customer_id = $1
)
delete from cr_state where key = $2";

/// Deletes a customer's codes, messages, proofs, referral code and the state under `state_key`, and forgets what they wrote into
/// any deletion request. Events about them hold ids alone and stay, but for `auth.password_reset`, which names the contact.
///
/// # Errors
/// When a statement fails.
pub async fn delete(tx: &mut Tx, customer: &CustomerId, state_key: &str, now: Timestamp) -> Result<(), DbError> {
    match tx.handle() {
        Handle::Sqlite(connection) => {
            let query = sqlx::query(DELETE_SQLITE).bind(customer.as_str()).bind(state_key).bind(Stamp(now));
            query.execute(connection).await?;
        }
        Handle::Postgres(connection) => {
            let query = sqlx::query(DELETE_POSTGRES).bind(customer.as_str()).bind(state_key).bind(Stamp(now));
            query.execute(connection).await?;
        }
    }
    Ok(())
}
