//! Whether a token still counts: its customer or administrator lives, it is not older than the identity's `cr_not_before`, and for
//! a customer's login the account is neither leaving nor unverified.

use cr_db::Tx;
use cr_db::models::api_key;
use cr_db::models::auth_identity::{self, AuthIdentity};
use cr_db::models::auth_mfa_factor;
use cr_db::models::customer::Customer;
use cr_db::models::customer_session::{self, Session};
use cr_db::models::user;
use cr_types::ids::{AuthIdentityId, CustomerId};
use cr_types::timestamp::Timestamp;
use serde_json::{Map, Value};

use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind};
use crate::keys::Keys;
use crate::modules::auth::token::{self, AuthClaims};
use crate::modules::rate_limit::channel_budget::Recipient;
use crate::options::{ContactType, Options};

/// What Medusa calls a shop's customer.
pub const CUSTOMER: &str = "customer";
/// What Medusa calls an administrator.
pub const USER: &str = "user";

/// The customer of a token, if the token counts: an account that lives, and not issued before `cr_not_before`. The addresses come in
/// the same statement, where they are asked for.
///
/// # Errors
/// The guard's 401 when it does not; or when the statement fails.
pub async fn live_customer(tx: &mut Tx, claims: &AuthClaims, with_addresses: bool) -> Result<Session, Error> {
    let (id, identity) = named(claims).ok_or_else(Error::unauthenticated)?;
    let found = customer_session::find(tx, &id, &identity, with_addresses).await?;
    let session = found.ok_or_else(Error::unauthenticated)?;
    if counts(tx, claims, &session).await? { Ok(session) } else { Err(Error::unauthenticated()) }
}

/// The same in one statement with the question whether a publishable key is in force: the answer to that, and the customer, if the
/// token counts.
///
/// # Errors
/// When a statement fails.
pub async fn live_customer_with_key(
    tx: &mut Tx,
    claims: &AuthClaims,
    with_addresses: bool,
    key: &str,
    now: Timestamp,
) -> Result<(bool, Option<Session>), Error> {
    let found = match named(claims) {
        Some((id, identity)) => customer_session::find_with_key(tx, &id, &identity, with_addresses, key, now).await?,
        None => None,
    };
    match found {
        Some((session, true)) => Ok((true, counts(tx, claims, &session).await?.then_some(session))),
        Some((_, false)) => Ok((false, None)),
        // Nobody's row came, so none that the key could be in.
        None => Ok((Box::pin(api_key::find_publishable(tx, key, now)).await?.is_some(), None)),
    }
}

/// The customer and the identity that a token names; `None` for another actor's.
fn named(claims: &AuthClaims) -> Option<(CustomerId, AuthIdentityId)> {
    let is_customer = claims.actor_type == CUSTOMER && !claims.actor_id.is_empty();
    let identity = || AuthIdentityId::from_stored(claims.auth_identity_id.clone());
    is_customer.then(|| (CustomerId::from_stored(claims.actor_id.clone()), identity()))
}

/// Whether the customer of a token, found with its identity, has an account, and the token counts for it.
async fn counts(tx: &mut Tx, claims: &AuthClaims, session: &Session) -> Result<bool, Error> {
    if !session.customer.has_account {
        return Ok(false);
    }
    if claims.auth_identity_id.is_empty() {
        // Rare, and so kept out of the future of each request.
        return Box::pin(is_current_for_all(tx, &session.customer.id, claims)).await;
    }
    Ok(is_current(session, claims))
}

/// The customer of a token for whoever may come without one: `None` where it names none, awaits its second factor, or counts no more.
///
/// # Errors
/// 403 `account_deletion_pending` while the account is about to be deleted; or when a statement fails.
pub async fn acting_customer(tx: &mut Tx, claims: &AuthClaims) -> Result<Option<Session>, Error> {
    if claims.awaits_second_factor() {
        return Ok(None);
    }
    match live_customer(tx, claims, false).await {
        Ok(session) if session.is_deletion_active => Err(deletion_pending(session.deletion_scheduled_at)),
        Ok(session) => Ok(Some(session)),
        Err(error) if error.kind == ErrorKind::Unauthenticated => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a token names nobody yet, or somebody whom [`acting_customer`] would find. `known` was found with the token's identity: the
/// token's customer, who is not looked up again, or another.
///
/// # Errors
/// As there.
pub async fn is_acting(tx: &mut Tx, claims: &AuthClaims, known: &Session) -> Result<bool, Error> {
    let Some((id, _)) = named(claims) else { return Ok(claims.actor_id.is_empty()) };
    if id != known.customer.id {
        // Rare: what is one customer's, brought with the token of another.
        return Ok(Box::pin(acting_customer(tx, claims)).await?.is_some());
    }
    let counts = !claims.awaits_second_factor() && counts(tx, claims, known).await?;
    if counts && known.is_deletion_active {
        return Err(deletion_pending(known.deletion_scheduled_at));
    }
    Ok(counts)
}

/// Whether every identity of the customer stands behind a token that names none. Medusa takes such tokens (2.11.2).
async fn is_current_for_all(tx: &mut Tx, id: &CustomerId, claims: &AuthClaims) -> Result<bool, Error> {
    let identities = auth_identity::list_of_customer(tx, id).await?;
    let is_current = |identity: &AuthIdentity| identity.not_before().is_none_or(|not_before| claims.iat >= not_before);
    Ok(!identities.is_empty() && identities.iter().all(is_current))
}

/// Whether the identity that issued the token still stands behind it. A token whose identity is gone counts no more.
fn is_current(session: &Session, claims: &AuthClaims) -> bool {
    let Some(metadata) = &session.app_metadata else { return false };
    let not_before = metadata.as_ref().and_then(|metadata| metadata.get("cr_not_before")).and_then(Value::as_i64);
    not_before.is_none_or(|not_before| claims.iat >= not_before)
}

/// Whether an administrator's token counts: the user lives, the identity is still theirs, and the token was not issued before
/// `cr_not_before`. One that Medusa signed counts by the same rules: it names its identity, and when it was issued.
///
/// # Errors
/// When the statement fails.
pub async fn is_live_user(tx: &mut Tx, claims: &AuthClaims) -> Result<bool, Error> {
    if claims.actor_type != USER || claims.actor_id.is_empty() {
        return Ok(false);
    }
    let id = AuthIdentityId::from_stored(claims.auth_identity_id.clone());
    let identity = user::find_identity(tx, &claims.actor_id, &id).await?;
    Ok(identity.is_some_and(|identity| {
        let is_theirs = identity.actor_id(USER) == Some(claims.actor_id.as_str());
        is_theirs && identity.not_before().is_none_or(|not_before| claims.iat >= not_before)
    }))
}

/// What a token issued in exchange for this one says of the identity's second factor: nothing where there is none enabled, else
/// what this one says.
///
/// # Errors
/// The guard's 401 when a factor is enabled and was not shown; or when the statement fails.
pub async fn second_factor(
    tx: &mut Tx,
    has_mfa_factors: bool,
    identity: &AuthIdentity,
    claims: &AuthClaims,
) -> Result<Option<Value>, Error> {
    if !has_mfa_factors || !auth_mfa_factor::has_enabled(tx, &identity.id).await? {
        return Ok(None);
    }
    let shown = claims.mfa_challenge_completed_at.clone().filter(|moment| !moment.is_null());
    shown.map(Some).ok_or_else(Error::unauthenticated)
}

/// The identity of a token, if the token counts for it; asked for where no customer is needed yet.
///
/// # Errors
/// The guard's 401 when it does not; or when the statement fails.
pub async fn live_identity(tx: &mut Tx, claims: &AuthClaims) -> Result<AuthIdentity, Error> {
    let id = AuthIdentityId::from_stored(claims.auth_identity_id.clone());
    let identity = auth_identity::find(tx, &id).await?.ok_or_else(Error::unauthenticated)?;
    if counts_for(&identity, claims) { Ok(identity) } else { Err(Error::unauthenticated()) }
}

/// The identity of a token, if the token counts and the identity is the customer's whom the session is of.
pub fn own_identity(session: &Session, claims: &AuthClaims) -> Option<AuthIdentity> {
    let app_metadata = match session.app_metadata.clone()? {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    let identity = AuthIdentity { id: AuthIdentityId::from_stored(claims.auth_identity_id.clone()), app_metadata };
    let is_own = identity.customer_id().as_ref() == Some(&session.customer.id);
    let counts = claims.actor_type == CUSTOMER && counts_for(&identity, claims);
    (is_own && counts).then_some(identity)
}

/// Whether a token counts for its identity: issued when it may be, and not waiting for a second factor.
pub fn counts_for(identity: &AuthIdentity, claims: &AuthClaims) -> bool {
    identity.not_before().is_none_or(|not_before| claims.iat >= not_before) && !claims.awaits_second_factor()
}

/// Whether a customer may log in on a channel: verification is not asked, the account is older than the demand, or the
/// present contact is proven.
pub fn is_verified_enough(options: &Options, customer: &Customer, contact: ContactType) -> bool {
    !options.require_verification || is_older_than_demand(options, customer) || is_verified(customer, contact)
}

/// Whether a customer was there before verification was.
pub fn is_older_than_demand(options: &Options, customer: &Customer) -> bool {
    options.verification_since.is_some_and(|since| customer.created_at < since)
}

/// Whether the present contact on a channel is proven.
pub fn is_verified(customer: &Customer, contact: ContactType) -> bool {
    match contact {
        ContactType::Email => customer.is_email_verified(),
        ContactType::Phone => customer.is_phone_verified(),
    }
}

/// Whether messages to a customer come from the budget that is kept for those in good standing.
pub fn recipient(options: &Options, customer: &Customer) -> Recipient {
    let is_trusted = is_older_than_demand(options, customer)
        || [ContactType::Email, ContactType::Phone].into_iter().any(|contact| is_verified(customer, contact));
    if is_trusted { Recipient::Trusted } else { Recipient::Open }
}

/// Whether a customer may log in on any channel that logins take: what refreshed tokens and sessions ask.
pub fn is_verified_on_any(options: &Options, customer: &Customer) -> bool {
    [ContactType::Email, ContactType::Phone]
        .into_iter()
        .any(|contact| options.login_identifier.takes(contact) && is_verified_enough(options, customer, contact))
}

/// 403 for an account with an active deletion request, wherever it would act as a customer.
pub fn deletion_pending(scheduled_at: Option<Timestamp>) -> Error {
    Error::forbidden("account_deletion_pending", "Account deletion is scheduled")
        .detail("deletion_scheduled_at", scheduled_at.map(|moment| moment.to_string()))
}

/// 401 that says which contact is not proven, with an actor-less token that lets `otp/send` and `otp/verify` act as the
/// identity's own.
pub fn verification_required(
    keys: &Keys,
    options: &Options,
    customer: &CustomerId,
    identity: &AuthIdentity,
    contact: ContactType,
    now: Timestamp,
) -> Error {
    let subject = Subject {
        actor_id: "",
        actor_type: CUSTOMER,
        identity,
        provider: contact.provider(),
        user_metadata: Map::new(),
        second_factor: None,
    };
    Error::unauthorized(format!("{} is not verified", contact.title()))
        .code("verification_required")
        .detail("customer_id", customer.as_str())
        .detail("unverified", contact.as_str())
        .detail("token", issue(keys, options, subject, now))
}

/// Ends every session of a customer: no token that was issued until now counts any more, with any identity.
///
/// # Errors
/// When a statement fails.
pub async fn end_all(cx: &mut Ctx, customer: &CustomerId) -> Result<(), Error> {
    for identity in auth_identity::list_of_customer(&mut cx.tx, customer).await? {
        end(cx, &identity.id).await?;
    }
    Ok(())
}

/// Ends every token of one identity: the present second is over for tokens of before.
///
/// # Errors
/// When a statement fails.
pub async fn end(cx: &mut Ctx, id: &AuthIdentityId) -> Result<(), Error> {
    if let Some(mut identity) = auth_identity::lock(&mut cx.tx, id).await? {
        // Never earlier than it was: another replica's clock may be ahead.
        let not_before = identity.not_before().unwrap_or(0).max(cx.now.seconds() + 1);
        identity.app_metadata.insert("cr_not_before".to_owned(), Value::from(not_before));
        auth_identity::update_app_metadata(&mut cx.tx, &identity, cx.now).await?;
    }
    Ok(())
}

/// What a new token says besides its times.
pub struct Subject<'a> {
    /// Who acts; empty: nobody yet.
    pub actor_id: &'a str,
    /// `customer`, `user`, or any word of the shop's.
    pub actor_type: &'a str,
    /// The identity behind it.
    pub identity: &'a AuthIdentity,
    /// `emailpass` or `phonepass`.
    pub provider: &'a str,
    /// The credential's `user_metadata`; empty after a refresh.
    pub user_metadata: Map<String, Value>,
    /// When the identity's second factor was shown; `None` where it has none, or has not shown it.
    pub second_factor: Option<Value>,
}

/// Issues a token with Medusa's claims: `app_metadata` holds the actor's key alone, and `iat` is never before the identity's
/// `cr_not_before`.
pub fn issue(keys: &Keys, options: &Options, subject: Subject<'_>, now: Timestamp) -> String {
    let key = format!("{}_id", subject.actor_type);
    let mut app_metadata = Map::new();
    if !subject.actor_id.is_empty() {
        app_metadata.insert(key, Value::from(subject.actor_id));
    } else if subject.identity.app_metadata.get(&key).is_some_and(Value::is_null) {
        // Medusa 2.11.2 leaves the null of a deleted customer in the token.
        app_metadata.insert(key, Value::Null);
    }
    let iat = subject.identity.not_before().map_or(now.seconds(), |not_before| now.seconds().max(not_before));
    let claims = AuthClaims {
        actor_id: subject.actor_id.to_owned(),
        actor_type: subject.actor_type.to_owned(),
        auth_identity_id: subject.identity.id.as_str().to_owned(),
        auth_provider: Some(subject.provider.to_owned()),
        mfa_enabled: subject.second_factor.is_some(),
        mfa_challenge_completed_at: subject.second_factor,
        app_metadata,
        user_metadata: subject.user_metadata,
        iat,
        exp: iat.saturating_add(options.jwt_expires_in),
    };
    token::issue(keys, &claims)
}
