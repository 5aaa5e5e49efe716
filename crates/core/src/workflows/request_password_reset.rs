//! `POST /auth/{actor}/{provider}/reset-password`: a link to whoever owns the contact, and the same answer for everybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use cr_db::models::cr_reset_token;
use cr_db::models::customer::{self, Customer};
use cr_db::models::provider_identity::ProviderIdentity;
use cr_types::ids::{AuthIdentityId, CustomerId, generate};

use crate::app::App;
use crate::ctx::Ctx;
use crate::delivery::message::{Message, MessageKind, enqueue, enqueue_nothing};
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};
use crate::modules::auth::session::{self, CUSTOMER};
use crate::modules::auth::token::{self, ResetClaims};
use crate::modules::rate_limit::{self, Recipient};
use crate::options::ContactType;
use crate::workflows::login::not_enabled;

/// Seconds that a reset token lives; Medusa 2.11.2.
pub const RESET_SECONDS: i64 = 900;

/// Whose password.
pub struct Input {
    /// `customer` or any other actor word, which counts as unknown.
    pub actor_type: String,
    /// Which credential.
    pub contact: ContactType,
    /// The e-mail or phone, as sent.
    pub identifier: String,
    /// The client's address, as limits know it.
    pub address: Option<String>,
}

/// Sends a link, or does as much work for nothing.
///
/// # Errors
/// 400 when resets or the channel are not configured; 429 over the limit of a contact, of the address or of all messages on
/// the channel, for unknown contacts too.
pub async fn run(app: &App, input: Input) -> Result<(), Error> {
    let options = &app.shared.options;
    if input.actor_type == CUSTOMER {
        if options.password_reset.is_none() {
            return Err(Error::not_allowed("Password reset is not configured"));
        }
        if !options.login_identifier.takes(input.contact) {
            return Err(not_enabled(input.contact));
        }
    }
    let identifier = Identifier::read(input.contact, &input.identifier, options.default_country.as_deref());
    let mut cx = app.begin().await?;
    cx.step("find-customer-by-email")?;
    let subject = cx.shared.keys.contact_hmac(input.contact.as_str(), &identifier.key());
    let limit = options.limits.resets.clone();
    rate_limit::take_or_refuse(&mut cx.tx, "resets", &subject, &limit, cx.now).await?;
    let found = credential::find(&mut cx.tx, &identifier).await?.filter(|_| input.actor_type == CUSTOMER);
    // Looked up for nobody too: one statement more for a known account would tell.
    let nobody = CustomerId::generate(cx.now, cx.bytes());
    let id = found.as_ref().and_then(|found| found.identity.customer_id()).unwrap_or(nobody);
    let customer = customer::find(&mut cx.tx, &id).await?;
    take_send(&mut cx, &input, found.is_some(), customer.as_ref()).await?;

    cx.step("generate-reset-password-token")?;
    let token = record_token(&mut cx, &input, found.as_ref(), &identifier).await?;
    cx.step("send-notification")?;
    let message = message(&cx, input.contact, found.as_ref(), customer, &identifier, token);
    match found {
        Some(_) => enqueue(&mut cx, message).await?,
        None => enqueue_nothing(&mut cx, message).await?,
    }
    cx.commit().await
}

/// Issues a token and records it as the only one that counts. For nobody: a token that no identity has.
async fn record_token(
    cx: &mut Ctx,
    input: &Input,
    found: Option<&ProviderIdentity>,
    identifier: &Identifier,
) -> Result<String, Error> {
    let jti = generate("", cx.now, cx.bytes());
    let expires_at = cx.now.plus_seconds(RESET_SECONDS);
    let nobody = AuthIdentityId::generate(cx.now, cx.bytes());
    let identity = found.map_or(&nobody, |found| &found.identity.id);
    cr_reset_token::replace(&mut cx.tx, identity, &jti, expires_at, cx.now).await?;
    let claims = ResetClaims {
        entity_id: found.map_or_else(|| identifier.key(), |found| found.entity_id.clone()),
        provider: input.contact.provider().to_owned(),
        actor_type: input.actor_type.clone(),
        jti: Some(jti),
        iat: cx.now.seconds(),
        exp: expires_at.seconds(),
    };
    Ok(token::issue_reset(&cx.shared.keys, &claims))
}

/// Counts the message against the budgets of all sends: of the client's address, and of the channel.
///
/// # Errors
/// 429 when one is used up.
async fn take_send(cx: &mut Ctx, input: &Input, goes_out: bool, customer: Option<&Customer>) -> Result<(), Error> {
    let shared = Arc::clone(&cx.shared);
    let limits = &shared.options.limits;
    if let Some(address) = rate_limit::address_subject(&shared.keys, input.address.as_deref()) {
        let limit = &limits.sends_per_address;
        rate_limit::take_or_refuse(&mut cx.tx, "sendsPerAddress", &address, limit, cx.now).await?;
    }
    let recipient = match customer {
        Some(customer) => session::recipient(&shared.options, customer),
        None if goes_out => Recipient::Open,
        None => Recipient::Nobody,
    };
    let channel = channel(input.contact);
    match rate_limit::take_from_channel(&mut cx.tx, &limits.sends_per_channel, channel, recipient, cx.now).await? {
        None => Ok(()),
        Some(seconds) => Err(rate_limit::refusal(seconds)),
    }
}

/// The notification channel of a contact's links.
fn channel(contact: ContactType) -> &'static str {
    match contact {
        ContactType::Email => "email",
        ContactType::Phone => "sms",
    }
}

/// The message with its link; for an unknown account the same text about nobody, so that rendering costs as much.
fn message(
    cx: &Ctx,
    contact: ContactType,
    found: Option<&ProviderIdentity>,
    customer: Option<Customer>,
    identifier: &Identifier,
    token: String,
) -> Message {
    let to = found.map_or_else(|| identifier.key(), |found| found.entity_id.clone());
    let base = cx.shared.options.storefront_url.clone().unwrap_or_default();
    let url = format!("{base}/reset-password?token={token}&{}={}", contact.as_str(), percent_encode(&to));
    let mut variables = BTreeMap::from([("token", token), ("reset_url", url), (contact.as_str(), to.clone())]);
    if let Some(name) = customer.as_ref().and_then(|customer| customer.first_name.clone()) {
        variables.insert("customer_name", name);
    }
    Message {
        kind: MessageKind::PasswordReset,
        channel: channel(contact).to_owned(),
        to,
        variables,
        trigger_type: "auth.password_reset".to_owned(),
        receiver_id: customer.map(|customer| customer.id.as_str().to_owned()),
        expires_at: Some(cx.now.plus_seconds(RESET_SECONDS)),
        idempotency_key: generate("reset", cx.now, cx.bytes()),
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn percent_encode(text: &str) -> String {
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
