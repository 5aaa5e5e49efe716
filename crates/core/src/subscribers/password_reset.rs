//! `auth.password_reset`: renders the message with the link and enqueues it.

use std::collections::BTreeMap;

use cr_db::models::customer::Customer;
use cr_types::ids::generate;

use crate::ctx::Ctx;
use crate::delivery::message::{Message, MessageKind, enqueue, enqueue_nothing};
use crate::error::Error;
use crate::options::ContactType;
use crate::workflows::request_password_reset::RESET_SECONDS;
use crate::workflows::steps::prepare_template_data::add_customer;

/// The event's content. No `Debug`: it holds the token.
pub struct PasswordReset {
    /// The credential's e-mail or phone; where nobody has it, what was asked for.
    pub entity_id: String,
    /// Whose kind of account.
    pub actor_type: String,
    /// The token that sets a new password.
    pub token: String,
    /// E-mail or phone.
    pub contact: ContactType,
    /// The credential's customer, if there is one.
    pub customer: Option<Customer>,
    /// Whether nobody has the credential: everything is done, and nothing goes out.
    pub is_decoy: bool,
}

/// Step `send-notification`: enqueues the message; for an unknown account the same text about nobody, so that rendering costs as
/// much.
///
/// # Errors
/// When the template does not render, or a statement fails.
pub async fn run(cx: &mut Ctx, reset: PasswordReset) -> Result<(), Error> {
    cx.step("send-notification")?;
    let PasswordReset { entity_id, token, contact, customer, is_decoy, .. } = reset;
    let base = cx.shared.options.storefront_url.clone().unwrap_or_default();
    let url = format!("{base}/reset-password?token={token}&{}={}", contact.as_str(), percent_encode(&entity_id));
    let mut variables = BTreeMap::new();
    if let Some(customer) = &customer {
        add_customer(&mut variables, customer);
    }
    variables.extend([("token", token), ("reset_url", url), (contact.as_str(), entity_id.clone())]);
    let message = Message {
        kind: MessageKind::PasswordReset,
        channel: channel(contact).to_owned(),
        to: entity_id,
        variables,
        trigger_type: "auth.password_reset".to_owned(),
        receiver_id: customer.map(|customer| customer.id.as_str().to_owned()),
        expires_at: Some(cx.now.plus_seconds(RESET_SECONDS)),
        idempotency_key: generate("reset", cx.now, cx.bytes()),
    };
    if is_decoy { enqueue_nothing(cx, message).await } else { enqueue(cx, message).await }
}

/// The notification channel of a contact's links.
pub fn channel(contact: ContactType) -> &'static str {
    match contact {
        ContactType::Email => "email",
        ContactType::Phone => "sms",
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_hold_contacts_percent_encoded() {
        assert_eq!(percent_encode("a+b@example.com"), "a%2Bb%40example.com");
        assert_eq!(percent_encode("+15551234567"), "%2B15551234567");
    }
}
