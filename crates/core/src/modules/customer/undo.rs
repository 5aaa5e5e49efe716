//! The way back after a change of contact: what the undo link holds, and which links are used up.
//!
//! A link restores both channels as they were before its change. It is sealed, so it tells nothing and nobody can make one. What
//! is used up is kept for each customer as spans of time: undoing a change uses up the link of that change and of every later one
//! until that moment, since their content was written by whoever is locked out now.

use cr_db::models::cr_state;
use cr_db::models::customer::Customer;
use cr_db::models::provider_identity::{self, ProviderIdentity};
use cr_types::ids::{CustomerId, generate};
use cr_types::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::{Keys, Seal};
use crate::modules::auth::session::is_verified;
use crate::modules::customer::proof::contact_of;
use crate::options::ContactType;

/// Seconds that an undo link lives: three days.
pub const UNDO_SECONDS: i64 = 72 * 3600;

/// One channel of a customer before a change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The contact, if there was one.
    pub value: Option<String>,
    /// Whether it was proven.
    pub proven: bool,
    /// What its credential was called, if it had one.
    pub entity_id: Option<String>,
}

/// What a link holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Whose.
    pub customer_id: CustomerId,
    /// When the change was made, in milliseconds since 1970.
    pub changed_at: i64,
    /// The e-mail before it.
    pub email: Channel,
    /// The phone before it.
    pub phone: Channel,
}

impl Undo {
    /// Both channels as they are now.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn of(cx: &mut Ctx, customer: &Customer) -> Result<Self, Error> {
        let credentials = provider_identity::list_of_customer(&mut cx.tx, &customer.id).await?;
        Ok(Self {
            customer_id: customer.id.clone(),
            changed_at: cx.now.millis(),
            email: channel(customer, ContactType::Email, &credentials),
            phone: channel(customer, ContactType::Phone, &credentials),
        })
    }

    /// One of the two channels.
    pub fn channel(&self, contact: ContactType) -> &Channel {
        match contact {
            ContactType::Email => &self.email,
            ContactType::Phone => &self.phone,
        }
    }

    /// The token of the link, safe in a URL: an id and what is sealed under it.
    ///
    /// # Errors
    /// 500 when it cannot be written as JSON, which does not happen.
    pub fn seal(&self, cx: &Ctx) -> Result<String, Error> {
        let id = generate("undo", cx.now, cx.bytes());
        let plain = serde_json::to_vec(self).map_err(Error::internal)?;
        Ok(format!("{id}.{}", cx.shared.keys.seal(Seal::Undo, &id, &plain)))
    }

    /// What a token holds, if it is ours and has not expired.
    pub fn open(keys: &Keys, token: &str, now: Timestamp) -> Option<Self> {
        let (id, sealed) = token.split_once('.')?;
        let undo: Self = serde_json::from_slice(&keys.open(Seal::Undo, id, sealed)?).ok()?;
        (now.millis() < undo.changed_at.saturating_add(UNDO_SECONDS * 1000)).then_some(undo)
    }

    /// Uses the link up, and with it those of all later changes until now; false when it was used up already. The caller holds the
    /// customer's row.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn consume(&self, cx: &mut Ctx) -> Result<bool, Error> {
        let key = state_key(&self.customer_id);
        let stored = cr_state::find(&mut cx.tx, &key).await?;
        let mut used: Vec<(i64, i64)> =
            stored.map(|text| serde_json::from_str(&text)).transpose().map_err(Error::internal)?.unwrap_or_default();
        if used.iter().any(|(from, until)| (*from..=*until).contains(&self.changed_at)) {
            return Ok(false);
        }
        let now = cx.now.millis();
        used.retain(|(_, until)| *until > now.saturating_sub(UNDO_SECONDS * 1000));
        used.push((self.changed_at, now));
        let text = serde_json::to_string(&used).map_err(Error::internal)?;
        cr_state::replace(&mut cx.tx, &key, &text, cx.now).await?;
        Ok(true)
    }
}

/// Where the used spans of a customer are kept.
pub fn state_key(customer: &CustomerId) -> String {
    format!("undone:{customer}")
}

/// One channel with its credential.
fn channel(customer: &Customer, contact: ContactType, credentials: &[ProviderIdentity]) -> Channel {
    Channel {
        value: contact_of(customer, contact).map(ToOwned::to_owned),
        proven: is_verified(customer, contact),
        entity_id: credentials.iter().find(|row| row.provider == contact.provider()).map(|row| row.entity_id.clone()),
    }
}
