//! Flags that the Node plugin set have no proof of ours: each true one gets the `cr_proof` row of the present contact.
//!
//! Once, as `cr_state` records: later a flag without a proof means that somebody wrote the contact past us.

use cr_types::timestamp::Timestamp;

use super::state;
use crate::error::DbError;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

/// A proof is compared with the contact as it stands in `customer`.
const ADOPT_EMAIL: &str = "\
insert into cr_proof (customer_id, channel, value, proven_at)
select id, 'email', email, $1
from customer
where email_verified = true and email is not null and deleted_at is null
on conflict (customer_id, channel) do update set value = excluded.value, proven_at = excluded.proven_at
where cr_proof.value <> excluded.value";

const ADOPT_PHONE: &str = "\
insert into cr_proof (customer_id, channel, value, proven_at)
select id, 'phone', phone, $1
from customer
where phone_verified = true and phone is not null and deleted_at is null
on conflict (customer_id, channel) do update set value = excluded.value, proven_at = excluded.proven_at
where cr_proof.value <> excluded.value";

/// Writes the missing proofs and records when; returns how many.
///
/// # Errors
/// When a statement fails.
pub(super) async fn adopt(tx: &mut Tx, now: Timestamp) -> Result<u64, DbError> {
    let mut written = 0;
    for sql in [ADOPT_EMAIL, ADOPT_PHONE] {
        written += on!(tx, connection => sqlx::query(sql).bind(Stamp(now)).execute(connection).await?.rows_affected());
    }
    state::set(tx, state::FLAGS_ADOPTED, &now.to_string(), now).await?;
    Ok(written)
}

/// The same where it has not happened yet; else nothing.
///
/// # Errors
/// When a statement fails.
pub(super) async fn adopt_once(tx: &mut Tx, now: Timestamp) -> Result<u64, DbError> {
    if state::find(tx, state::FLAGS_ADOPTED).await?.is_some() {
        return Ok(0);
    }
    adopt(tx, now).await
}
