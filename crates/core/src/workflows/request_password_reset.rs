//! `POST /auth/{actor}/{provider}/reset-password`: a link to whoever owns the contact, and the same answer for everybody.

use std::sync::Arc;

use cr_db::models::cr_reset_token;
use cr_db::models::customer;
use cr_db::models::provider_identity::ProviderIdentity;
use cr_types::ids::{AuthIdentityId, CustomerId, generate};

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::events::{self, Event};
use crate::modules::auth::credential::Identifier;
use crate::modules::auth::session::CUSTOMER;
use crate::modules::auth::token::{self, ResetClaims};
use crate::modules::otp_verification::sending::is_reachable;
use crate::modules::rate_limit::channel_budget::{Recipient, take_send};
use crate::modules::rate_limit::{self, Counter};
use crate::options::ContactType;
use crate::subscribers::password_reset::{self, PasswordReset};
use crate::workflows::login::not_enabled;
use crate::workflows::steps::find_customer_by_email;

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
    take_request(&mut cx, input.contact, &identifier).await?;
    let is_reachable = is_reachable(&cx, input.contact, &identifier.key());
    let found = find_customer_by_email::run(&mut cx, &identifier)
        .await?
        .filter(|_| input.actor_type == CUSTOMER && is_reachable);
    // Looked up for nobody too: one statement more for a known account would tell.
    let nobody = CustomerId::generate(cx.now, cx.bytes());
    let id = found.as_ref().and_then(|found| found.identity.customer_id()).unwrap_or(nobody);
    let customer = customer::find(&mut cx.tx, &id).await?;
    take_message(&mut cx, &input, found.is_some()).await?;

    cx.step("generate-reset-password-token")?;
    let token = record_token(&mut cx, &input, found.as_ref(), &identifier).await?;
    let reset = PasswordReset {
        entity_id: found.as_ref().map_or_else(|| identifier.key(), |found| found.entity_id.clone()),
        actor_type: input.actor_type,
        token,
        contact: input.contact,
        customer,
        is_decoy: found.is_none(),
    };
    events::emit(&mut cx, Event::PasswordReset(Box::new(reset))).await?;
    cx.commit().await
}

/// Counts a request that somebody else answers: against the contact, and the client's address.
///
/// # Errors
/// 429 over a limit.
pub async fn count(app: &App, input: &Input) -> Result<(), Error> {
    let options = &app.shared.options;
    let identifier = Identifier::read(input.contact, &input.identifier, options.default_country.as_deref());
    let mut cx = app.begin().await?;
    take_request(&mut cx, input.contact, &identifier).await?;
    take_address(&mut cx, input).await?;
    cx.commit().await
}

/// Counts a request against its contact.
///
/// # Errors
/// 429 over `resets`.
async fn take_request(cx: &mut Ctx, contact: ContactType, identifier: &Identifier) -> Result<(), Error> {
    let subject = cx.shared.keys.contact_hmac(contact.as_str(), &identifier.key());
    let limit = cx.shared.options.limits.resets.clone();
    rate_limit::take_or_refuse(&mut cx.tx, "resets", &subject, &limit, cx.now).await
}

/// Counts a request against the client's address.
///
/// # Errors
/// 429 over `sendsPerAddress`.
async fn take_address(cx: &mut Ctx, input: &Input) -> Result<(), Error> {
    let shared = Arc::clone(&cx.shared);
    let Some(address) = rate_limit::address_subject(&shared.keys, input.address.as_deref()) else { return Ok(()) };
    let limit = &shared.options.limits.sends_per_address;
    rate_limit::take_or_refuse(&mut cx.tx, "sendsPerAddress", &address, limit, cx.now).await
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

/// Counts the message against the budgets of all sends: of the client's address, and of the channel. Anybody may ask for anybody's
/// link, so the half of the channel that is kept for customers themselves is not for links: a few known contacts would use it up,
/// and whose link still went out when the other half was gone would tell who is in good standing.
///
/// # Errors
/// 429 when one is used up.
async fn take_message(cx: &mut Ctx, input: &Input, goes_out: bool) -> Result<(), Error> {
    let recipient = if goes_out { Recipient::Open } else { Recipient::Nobody };
    let shared = Arc::clone(&cx.shared);
    let address = rate_limit::address_subject(&shared.keys, input.address.as_deref());
    let limit = &shared.options.limits.sends_per_address;
    let taken: Vec<Counter<'_>> =
        address.iter().map(|subject| Counter::new("sendsPerAddress", subject, limit)).collect();
    match take_send(cx, &[], &taken, password_reset::channel(input.contact), recipient).await? {
        None => Ok(()),
        Some(seconds) => Err(rate_limit::refusal(seconds)),
    }
}
