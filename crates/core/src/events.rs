//! What happened, for whoever asked to be told: `events.webhooks` by a row in the outbox, our own subscribers at once. Both in
//! the transaction that made it happen, so that there is no event without its cause and no cause without its event.
//!
//! Names and data are Medusa 2.11.2's where Medusa has the event. Order is not promised; the id of a post tells repeats.

use std::collections::BTreeMap;

use cr_db::models::cr_outbox::{self, NewOutboxMessage};
use cr_types::ids::{self, CustomerId};
use serde_json::{Value, json};

use crate::ctx::Ctx;
use crate::delivery::message::NOBODY;
use crate::delivery::payload::Payload;
use crate::error::Error;
use crate::keys::Seal;
use crate::options::ContactType;
use crate::subscribers::password_reset::{self, PasswordReset};

/// The channel of events in the outbox; no notification provider may serve it.
pub const EVENT_CHANNEL: &str = "event";

/// Something that happened.
pub enum Event {
    /// `customer.created`
    CustomerCreated {
        /// Whose account.
        id: CustomerId,
    },
    /// `customer.updated`
    CustomerUpdated {
        /// Whose.
        id: CustomerId,
    },
    /// `customer.deleted`
    CustomerDeleted {
        /// Whose.
        id: CustomerId,
    },
    /// `auth.password_reset`: somebody asked for a link.
    PasswordReset(Box<PasswordReset>),
    /// `customer.email_verified`
    CustomerEmailVerified {
        /// Whose.
        id: CustomerId,
    },
    /// `customer.phone_verified`
    CustomerPhoneVerified {
        /// Whose.
        id: CustomerId,
    },
    /// `customer.contact_changed`
    CustomerContactChanged {
        /// Whose.
        id: CustomerId,
        /// Which contact.
        contact: ContactType,
    },
    /// `account_deletion.confirmed`
    AccountDeletionConfirmed {
        /// `adr_…`
        id: String,
        /// Whose.
        customer_id: CustomerId,
    },
    /// `account_deletion.cancelled`
    AccountDeletionCancelled {
        /// `adr_…`
        id: String,
        /// Whose.
        customer_id: CustomerId,
    },
    /// `account_deletion.completed`
    AccountDeletionCompleted {
        /// `adr_…`
        id: String,
        /// Whose.
        customer_id: CustomerId,
    },
}

impl Event {
    /// That a contact of a customer is proven.
    pub fn verified(contact: ContactType, id: CustomerId) -> Self {
        match contact {
            ContactType::Email => Self::CustomerEmailVerified { id },
            ContactType::Phone => Self::CustomerPhoneVerified { id },
        }
    }

    /// The event's name, which webhooks ask for and get as `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CustomerCreated { .. } => "customer.created",
            Self::CustomerUpdated { .. } => "customer.updated",
            Self::CustomerDeleted { .. } => "customer.deleted",
            Self::PasswordReset(_) => "auth.password_reset",
            Self::CustomerEmailVerified { .. } => "customer.email_verified",
            Self::CustomerPhoneVerified { .. } => "customer.phone_verified",
            Self::CustomerContactChanged { .. } => "customer.contact_changed",
            Self::AccountDeletionConfirmed { .. } => "account_deletion.confirmed",
            Self::AccountDeletionCancelled { .. } => "account_deletion.cancelled",
            Self::AccountDeletionCompleted { .. } => "account_deletion.completed",
        }
    }

    /// What a webhook gets as `data`: ids and words, never a secret. `auth.password_reset` comes without its token.
    fn data(&self) -> Value {
        match self {
            Self::CustomerCreated { id }
            | Self::CustomerUpdated { id }
            | Self::CustomerDeleted { id }
            | Self::CustomerEmailVerified { id }
            | Self::CustomerPhoneVerified { id } => json!({ "id": id }),
            Self::CustomerContactChanged { id, contact } => json!({ "id": id, "contact_type": contact.as_str() }),
            Self::PasswordReset(reset) => json!({ "entity_id": reset.entity_id, "actor_type": reset.actor_type }),
            Self::AccountDeletionConfirmed { id, customer_id }
            | Self::AccountDeletionCancelled { id, customer_id }
            | Self::AccountDeletionCompleted { id, customer_id } => json!({ "id": id, "customer_id": customer_id }),
        }
    }

    /// The customer it is about, where that is known.
    fn customer_id(&self) -> Option<&str> {
        match self {
            Self::CustomerCreated { id }
            | Self::CustomerUpdated { id }
            | Self::CustomerDeleted { id }
            | Self::CustomerEmailVerified { id }
            | Self::CustomerPhoneVerified { id }
            | Self::CustomerContactChanged { id, .. } => Some(id.as_str()),
            Self::PasswordReset(reset) => reset.customer.as_ref().map(|customer| customer.id.as_str()),
            Self::AccountDeletionConfirmed { customer_id, .. }
            | Self::AccountDeletionCancelled { customer_id, .. }
            | Self::AccountDeletionCompleted { customer_id, .. } => Some(customer_id.as_str()),
        }
    }

    /// Whether it is only acted out, so that an account that does not exist costs as much as one that does.
    fn is_decoy(&self) -> bool {
        matches!(self, Self::PasswordReset(reset) if reset.is_decoy)
    }
}

/// Tells an event to every webhook that asked for it and to our subscribers, in the caller's transaction.
///
/// # Errors
/// When a statement or a subscriber fails.
pub async fn emit(cx: &mut Ctx, event: Event) -> Result<(), Error> {
    let name = event.name();
    let shared = std::sync::Arc::clone(&cx.shared);
    for webhook in shared.options.event_webhooks.iter().filter(|webhook| webhook.wants(name)) {
        enqueue(cx, &event, &webhook.url).await?;
    }
    match event {
        Event::PasswordReset(reset) => password_reset::run(cx, *reset).await,
        _ => Ok(()),
    }
}

/// Writes the row of one event for one receiver.
async fn enqueue(cx: &mut Ctx, event: &Event, url: &str) -> Result<(), Error> {
    let payload = Payload {
        to: url.to_owned(),
        subject: None,
        html: None,
        text: event.data().to_string(),
        data: BTreeMap::new(),
    };
    let plain = serde_json::to_vec(&payload).map_err(Error::internal)?;
    let id = ids::generate("evt", cx.now, cx.bytes());
    let sealed = cx.shared.keys.seal(Seal::Outbox, &id, &plain);
    let row = NewOutboxMessage {
        id: &id,
        channel: if event.is_decoy() { NOBODY } else { EVENT_CHANNEL },
        payload: &sealed,
        template: EVENT_CHANNEL,
        trigger_type: event.name(),
        receiver_id: event.customer_id(),
        idempotency_key: &id,
        expires_at: None,
        now: cx.now,
    };
    let written = cr_outbox::insert(&mut cx.tx, &row).await?;
    // One that is acted out goes the way of messages.
    let is_of = if event.is_decoy() { &mut cx.has_message } else { &mut cx.has_event };
    *is_of |= written;
    Ok(())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use crate::options::EventWebhook;

    #[test]
    fn a_webhook_gets_what_it_asked_for() {
        for (patterns, name, wanted) in [
            (&["customer.*"][..], "customer.created", true),
            (&["customer.*"], "account_deletion.confirmed", false),
            (&["customer.created"], "customer.created", true),
            (&["customer.created"], "customer.created.twice", false),
            (&["customer"], "customer.created", false),
            (&["*"], "auth.password_reset", true),
            (&["auth.*", "customer.deleted"], "customer.deleted", true),
            (&[], "customer.deleted", false),
        ] {
            let webhook = EventWebhook {
                url: "https://h".to_owned(),
                secret: SecretString::from("s".to_owned()),
                events: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
            };
            assert_eq!(webhook.wants(name), wanted, "{patterns:?} {name}");
        }
    }
}
