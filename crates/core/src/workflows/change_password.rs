//! `POST /store/customers/change-password`: a new password for whoever knows the old one.

use std::collections::BTreeMap;

use cr_db::models::auth_identity;
use cr_db::models::customer::Customer;
use cr_db::models::provider_identity::ProviderIdentity;
use cr_types::ids::CustomerId;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Map;

use crate::app::App;
use crate::ctx::Ctx;
use crate::delivery::message::MessageKind;
use crate::delivery::notice;
use crate::error::Error;
use crate::modules::auth::session::{self, CUSTOMER, Subject};
use crate::modules::auth::token::AuthClaims;
use crate::modules::password_management::service::PasswordManagementService;
use crate::modules::rate_limit;
use crate::password::{Verdict, check_policy};
use crate::workflows::steps::{retrieve_customer, update_password};

/// The name of the limit on wrong old passwords.
const LIMIT: &str = "passwordChanges";

/// What the customer typed.
pub struct Input {
    /// Whose account; their own token says so.
    pub customer_id: CustomerId,
    /// The request's token.
    pub claims: AuthClaims,
    /// The password until now.
    pub old_password: SecretString,
    /// The password from now on.
    pub new_password: SecretString,
    /// The same once more.
    pub confirm_password: SecretString,
}

/// What the client gets.
pub struct Output {
    /// Whose.
    pub customer_id: CustomerId,
    /// A fresh login token, since all others ended.
    pub token: String,
}

/// Changes the password of every credential of the account and ends all other sessions.
///
/// # Errors
/// 400 for new passwords that differ, equal the old one or are against the policy; 429 after too many wrong old ones; 401 for a
/// wrong one; 409 when the password changed meanwhile.
pub async fn run(app: &App, input: Input) -> Result<Output, Error> {
    check_new(app, &input)?;
    let Input { customer_id, claims, old_password, new_password, .. } = input;
    let own = count_attempt(app, &customer_id, &claims).await?;
    let verdict =
        PasswordManagementService::verify_password(app, customer_id.as_str(), own.as_ref(), old_password).await?;
    let (Some(own), Verdict::Match { .. }) = (own, verdict) else {
        return Err(Error::unauthorized("Invalid password"));
    };
    let hash = app.hashes.hash(customer_id.as_str(), new_password, app.shared.env.bytes()).await?;

    let mut cx = app.begin().await?;
    let customer = retrieve_customer::run(&mut cx, &customer_id).await?.ok_or_else(Error::unauthenticated)?;
    update_password::run(&mut cx, &own, &hash).await?;
    let limit = cx.shared.options.limits.password_changes.clone();
    rate_limit::give_back(&mut cx.tx, LIMIT, customer_id.as_str(), &limit, cx.now).await?;
    cx.step("send-notification")?;
    tell(&mut cx, &customer).await?;
    let token = token(&mut cx, app.db.medusa_tables().mfa_factors, &customer_id, &claims).await?;
    cx.commit().await?;
    Ok(Output { customer_id, token })
}

/// All that can be said of the new password without the old one; before any hashing.
fn check_new(app: &App, input: &Input) -> Result<(), Error> {
    let new = input.new_password.expose_secret();
    if new != input.confirm_password.expose_secret() {
        return Err(Error::invalid_data("Passwords do not match"));
    }
    check_policy(new, &app.shared.options.password)?;
    if new == input.old_password.expose_secret() {
        return Err(Error::invalid_data("New password must differ from the old one"));
    }
    Ok(())
}

/// Counts a try, commits, and finds the credential that the session came by, or another of the account.
///
/// # Errors
/// 429 when no try is left.
async fn count_attempt(
    app: &App,
    customer: &CustomerId,
    claims: &AuthClaims,
) -> Result<Option<ProviderIdentity>, Error> {
    let mut cx = app.begin().await?;
    let limit = cx.shared.options.limits.password_changes.clone();
    rate_limit::take_or_refuse(&mut cx.tx, LIMIT, customer.as_str(), &limit, cx.now).await?;
    let mut credentials = PasswordManagementService::list_credentials(&mut cx, customer).await?;
    cx.tx.commit().await?;
    let provider = claims.auth_provider.as_deref().unwrap_or("emailpass");
    let of_session = credentials
        .iter()
        .position(|row| row.identity.id.as_str() == claims.auth_identity_id && row.provider == provider)
        .or_else(|| credentials.iter().position(|row| !row.identity.is_shared()));
    Ok(of_session.map(|position| credentials.swap_remove(position)))
}

/// Tells every proven contact, so that whoever did not do this learns of it.
///
/// # Errors
/// When the template does not render, or a statement fails.
pub async fn tell(cx: &mut Ctx, customer: &Customer) -> Result<(), Error> {
    let kind = MessageKind::PasswordChangedNotice;
    notice::to_proven_contacts(cx, customer, kind, "customer.password_changed", BTreeMap::new()).await
}

/// A token of the same identity that counts after the end of all others.
async fn token(
    cx: &mut Ctx,
    has_mfa_factors: bool,
    customer: &CustomerId,
    claims: &AuthClaims,
) -> Result<String, Error> {
    let id = cr_types::ids::AuthIdentityId::from_stored(claims.auth_identity_id.clone());
    let identity = auth_identity::find(&mut cx.tx, &id).await?.ok_or_else(Error::unauthenticated)?;
    let second_factor = session::second_factor(&mut cx.tx, has_mfa_factors, &identity, claims).await?;
    let subject = Subject {
        actor_id: customer.as_str(),
        actor_type: CUSTOMER,
        identity: &identity,
        provider: claims.auth_provider.as_deref().unwrap_or("emailpass"),
        user_metadata: Map::new(),
        second_factor,
    };
    Ok(session::issue(&cx.shared.keys, &cx.shared.options, subject, cx.now))
}
