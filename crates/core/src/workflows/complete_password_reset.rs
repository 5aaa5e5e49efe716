//! `POST /auth/{actor}/{provider}/update`: a reset token for a new password, once.
//!
//! The link came to the contact, so completing a reset proves it. If the contact was unproven until then, whoever opened the
//! account with somebody else's address may still sit in it by the other channel: so that channel is cleared, and every
//! session ends.

use cr_db::models::cr_limit;
use cr_db::models::cr_reset_token;
use cr_db::models::customer;
use cr_db::models::provider_identity::ProviderIdentity;
use cr_types::ids::CustomerId;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::credential::Identifier;
use crate::modules::auth::login_failures;
use crate::modules::auth::session;
use crate::modules::auth::token::{self, ResetClaims};
use crate::modules::customer::{proof, verification};
use crate::options::ContactType;
use crate::password::check_policy;
use crate::workflows::change_password;
use crate::workflows::steps::{find_customer_by_email, update_password};

/// What came back.
pub struct Input {
    /// The actor of the path, which the token must name.
    pub actor_type: String,
    /// Which credential the lookup names.
    pub contact: ContactType,
    /// The e-mail or phone of the lookup, as sent.
    pub identifier: String,
    /// The reset token.
    pub token: String,
    /// The new password, as sent.
    pub password: SecretString,
}

/// Sets the password of every credential of the account.
///
/// # Errors
/// 401 `Invalid token` for one that is used, expired, foreign, or of somebody else; 400 for a password against the policy.
pub async fn run(app: &App, input: Input) -> Result<(), Error> {
    let now = app.shared.env.clock.now();
    let options = &app.shared.options;
    let claims = token::read_reset(&app.shared.keys, &input.token, now).ok_or_else(invalid)?;
    let identifier = Identifier::read(input.contact, &input.identifier, options.default_country.as_deref());
    check_agrees(&claims, &input, &identifier, options.default_country.as_deref())?;
    check_policy(input.password.expose_secret(), &options.password)?;
    let hash = app.hashes.hash(&claims.entity_id, input.password, app.shared.env.bytes()).await?;

    let mut cx = app.begin().await?;
    proof::lock(&mut cx, &[(input.contact, &identifier.key())]).await?;
    let stored = Identifier { raw: claims.entity_id.clone(), ..identifier };
    let found = find_customer_by_email::run(&mut cx, &stored).await?.ok_or_else(invalid)?;
    let jti = claims.jti.as_deref().ok_or_else(invalid)?;
    if !cr_reset_token::consume(&mut cx.tx, &found.identity.id, jti, cx.now).await? {
        return Err(invalid());
    }
    update_password::run(&mut cx, &found, &hash).await?;
    if let Some(id) = found.identity.customer_id() {
        prove_channel(&mut cx, &id, input.contact, &found).await?;
        cx.step("send-notification")?;
        if let Some(customer) = customer::find(&mut cx.tx, &id).await? {
            change_password::tell(&mut cx, &customer).await?;
        }
    }
    let subject = cx.shared.keys.contact_hmac(input.contact.as_str(), &stored.key());
    let failures = login_failures::counters(&cx, &subject);
    cr_limit::clear(&mut cx.tx, &failures).await?;
    cx.commit().await
}

/// Ends the sessions of whoever's password Medusa has set by a token of its own, which may come without a `jti`. A token that this
/// server cannot read names nobody.
///
/// # Errors
/// When a statement fails.
pub async fn end_sessions(app: &App, contact: ContactType, token: &str) -> Result<(), Error> {
    let Some(claims) = token::read_reset(&app.shared.keys, token, app.shared.env.clock.now()) else { return Ok(()) };
    let identifier = Identifier::read(contact, &claims.entity_id, app.shared.options.default_country.as_deref());
    let mut cx = app.begin().await?;
    if let Some(found) = find_customer_by_email::run(&mut cx, &identifier).await? {
        session::end(&mut cx, &found.identity.id).await?;
    }
    cx.commit().await
}

/// Whether this is a reset token of that actor, looked at before anything else of the request.
///
/// # Errors
/// 401 `Invalid token` when it is not.
pub fn check_token(app: &App, token: &str, actor_type: &str) -> Result<(), Error> {
    let claims = token::read_reset(&app.shared.keys, token, app.shared.env.clock.now());
    let is_ours = |claims: ResetClaims| claims.actor_type == actor_type && claims.jti.is_some();
    if claims.is_some_and(is_ours) { Ok(()) } else { Err(invalid()) }
}

/// The token must be of the path's actor, of the lookup's provider, and of the lookup's contact.
fn check_agrees(
    claims: &ResetClaims,
    input: &Input,
    identifier: &Identifier,
    country: Option<&str>,
) -> Result<(), Error> {
    let of_token = Identifier::read(input.contact, &claims.entity_id, country);
    let agrees = claims.actor_type == input.actor_type
        && claims.provider == input.contact.provider()
        && of_token.key() == identifier.key();
    if agrees { Ok(()) } else { Err(invalid()) }
}

/// 401 in Medusa's words, the same for every reason, so that a token cannot be probed.
fn invalid() -> Error {
    Error::unauthorized("Invalid token")
}

/// Proves the channel of the reset, where the credential is the customer's present contact.
async fn prove_channel(
    cx: &mut Ctx,
    id: &CustomerId,
    contact: ContactType,
    found: &ProviderIdentity,
) -> Result<(), Error> {
    let Some(mut customer) = customer::find(&mut cx.tx, id).await?.filter(|it| it.has_account) else { return Ok(()) };
    let present = match contact {
        ContactType::Email => customer.email.clone(),
        ContactType::Phone => customer.phone.clone(),
    };
    let present = present.as_deref();
    let canonical = proof::canonical(cx, contact, &found.entity_id);
    let is_present = present.is_some_and(|present| proof::canonical(cx, contact, present) == canonical);
    if !is_present || session::is_verified(&customer, contact) {
        return Ok(());
    }
    let counts = session::is_older_than_demand(&cx.shared.options, &customer)
        || verification::covers(cx, &customer, contact).await?;
    if !counts {
        proof::clear(cx, &mut customer, contact.other()).await?;
    }
    let value = if contact == ContactType::Phone { canonical } else { present.unwrap_or_default().to_owned() };
    proof::prove(cx, &mut customer, contact, &value).await
}
