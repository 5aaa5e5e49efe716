//! `POST /auth/{actor}/{provider}/update`: a reset token for a new password, once.
//!
//! The link came to the contact, so completing a reset proves it. If the contact was unproven until then, whoever opened the
//! account with somebody else's address may still sit in it by the other channel: so that channel is cleared, and every
//! session ends.

use cr_db::models::auth_identity;
use cr_db::models::cr_proof;
use cr_db::models::cr_reset_token;
use cr_db::models::customer::{self, Customer};
use cr_db::models::provider_identity::{self, ProviderIdentity};
use cr_types::ids::CustomerId;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};
use crate::modules::auth::login_failures;
use crate::modules::auth::session;
use crate::modules::auth::token::{self, ResetClaims};
use crate::modules::customer::proof;
use crate::options::{ContactType, OWNED_PROVIDERS};
use crate::password::check_policy;

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
    let hash = app.hashes.hash(input.password, app.shared.env.bytes()).await?;

    let mut cx = app.begin().await?;
    cx.step("find-customer-by-email")?;
    proof::lock(&mut cx, &[(input.contact, &identifier.key())]).await?;
    let stored = Identifier { raw: claims.entity_id.clone(), ..identifier };
    let found = credential::find(&mut cx.tx, &stored).await?.ok_or_else(invalid)?;
    let jti = claims.jti.as_deref().ok_or_else(invalid)?;
    if !cr_reset_token::consume(&mut cx.tx, &found.identity.id, jti, cx.now).await? {
        return Err(invalid());
    }
    cx.step("update-password")?;
    if let Some(id) = found.identity.customer_id() {
        // Customer, then identities: the order of everybody who proves a contact, so that a credential that is being made
        // right now is either seen here or made under the new password.
        customer::lock(&mut cx.tx, &id).await?;
        for identity in auth_identity::list_of_customer(&mut cx.tx, &id).await? {
            auth_identity::lock(&mut cx.tx, &identity.id).await?;
        }
    }
    update_passwords(&mut cx, &found, &hash).await?;
    if let Some(id) = found.identity.customer_id() {
        prove_channel(&mut cx, &id, input.contact, &found).await?;
    }
    let subject = cx.shared.keys.contact_hmac(input.contact.as_str(), &stored.key());
    login_failures::clear(&mut cx.tx, &subject).await?;
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

/// One password: all credentials of the account get the hash, and what was issued before ends. A credential whose identity
/// another actor shares changes only when it is the one that was asked for.
async fn update_passwords(cx: &mut Ctx, found: &ProviderIdentity, hash: &str) -> Result<(), Error> {
    let credentials = match found.identity.customer_id() {
        Some(customer) => provider_identity::list_of_customer(&mut cx.tx, &customer).await?,
        None => vec![found.clone()],
    };
    for credential in credentials {
        if !OWNED_PROVIDERS.contains(&credential.provider.as_str()) {
            continue;
        }
        if credential.identity.is_shared() && credential.id != found.id {
            continue;
        }
        if !provider_identity::update_password(&mut cx.tx, &credential, hash, cx.now).await? {
            return Err(Error::conflict());
        }
    }
    match found.identity.customer_id() {
        Some(customer) => session::end_all(cx, &customer).await,
        None => session::end(cx, &found.identity.id).await,
    }
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
    if !session::is_older_than_demand(&cx.shared.options, &customer) {
        clear_channel(cx, &mut customer, contact.other()).await?;
    }
    let value = if contact == ContactType::Phone { canonical } else { present.unwrap_or_default().to_owned() };
    proof::prove(cx, &mut customer, contact, &value).await
}

/// Takes a channel away altogether: proof, flag, credential, column.
async fn clear_channel(cx: &mut Ctx, customer: &mut Customer, contact: ContactType) -> Result<(), Error> {
    cr_proof::delete(&mut cx.tx, &customer.id, contact.as_str()).await?;
    match contact {
        ContactType::Email => {
            customer.email = None;
            customer.email_proof = None;
            customer.email_flag = false;
        }
        ContactType::Phone => {
            customer.phone = None;
            customer.phone_proof = None;
            customer.phone_flag = false;
        }
    }
    for credential in provider_identity::list_of_customer(&mut cx.tx, &customer.id).await? {
        if credential.provider == contact.provider() && !credential.identity.is_shared() {
            provider_identity::delete(&mut cx.tx, &credential.id).await?;
        }
    }
    Ok(())
}
