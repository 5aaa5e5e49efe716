//! Who is calling, and whether the route's gate lets them in.
//!
//! A session wins over a bearer token wherever both are taken (Medusa 2.11.2, `authenticate-middleware`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cr_core::error::{Error, ErrorKind};
use cr_core::modules::auth::session::{CUSTOMER, USER, deletion_pending};
use cr_core::modules::auth::token::{self, AuthClaims};
use http::header;
use serde_json::Map;

use crate::call::{AuthContext, Call};
use crate::middlewares::publishable_key::PublishableKey;
use crate::middlewares::same_site;
use crate::routes::{Gate, LookUp, Namespace};
use crate::session;
use crate::state::{LiveCustomer, ServerState};

/// Actor type that Medusa gives a secret API key.
const API_KEY: &str = "api-key";
/// What Medusa 2.21 answers to a token whose second factor is outstanding.
const MFA_OUTSTANDING: &str = "MFA verification is required to complete this request";

/// Lets a caller through the gate. Below `/store` with a good publishable key alone, which is judged first, and looked up in one
/// statement with the customer where the gate asks for one. `namespace` is the path's.
///
/// # Errors
/// As [`PublishableKey`]; 401 for whoever may not pass; 403 `account_deletion_pending` for a customer who is about to be deleted, and
/// for a write with a session cookie from a foreign page; what the database says when it cannot be asked.
pub async fn authorize(call: &Call, namespace: Namespace, gate: Gate) -> Result<Option<AuthContext>, Error> {
    let mut key = PublishableKey::of(call, namespace)?;
    if !matches!(gate, Gate::OptionalCustomer | Gate::Registrant | Gate::Customer) {
        key.check().await?;
    }
    let found = match gate {
        Gate::Public => return Ok(None),
        Gate::OptionalCustomer => optional_customer(call, &mut key).await,
        Gate::Registrant => registrant(call, &mut key).await,
        Gate::Customer => customer(call, &mut key).await,
        Gate::Admin => admin(call).await,
        Gate::BearerIdentity => {
            Ok(from_bearer(call).filter(|auth| !auth.claims.auth_identity_id.is_empty() || has_actor(auth)))
        }
        Gate::BearerActor => Ok(from_bearer(call).filter(has_actor)),
        Gate::Session => Ok(from_session(call)),
    };
    // Whoever was refused, or let in, without being looked up.
    key.check().await?;
    let Some(auth) = found? else {
        return if gate == Gate::OptionalCustomer { Ok(None) } else { Err(Error::unauthenticated()) };
    };
    refuse_cross_site(call, namespace, &auth)?;
    Ok(Some(auth))
}

/// Whether the customer of these claims may act now.
///
/// # Errors
/// What the database says when it cannot be asked.
pub async fn live_customer(state: &ServerState, claims: &AuthClaims) -> Result<LiveCustomer, Error> {
    state.http.access.live_customer(claims, false).await
}

/// What a request is refused with, whose bearer token the gate left to the workflow, when the workflow says `error`, maybe before it
/// looked the token up: an account that is about to be deleted is told so first, as by the gate.
pub async fn refusal_of_left(state: &ServerState, claims: &AuthClaims, error: Error) -> Error {
    // A fault says nothing of the request, a database that is away is not asked once more, and this refusal itself is the answer.
    if matches!(error.kind, ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::Forbidden) {
        return error;
    }
    match live_customer(state, claims).await {
        Ok(LiveCustomer::DeletionPending(session)) => deletion_pending(session.deletion_scheduled_at),
        Ok(LiveCustomer::Live(_) | LiveCustomer::Gone) => error,
        // A refusal's cause is in no log, a fault's is.
        Err(fault) => fault,
    }
}

/// Whether the administrator of these claims may act now.
///
/// # Errors
/// What the database says when it cannot be asked.
pub async fn is_live_user(state: &ServerState, claims: &AuthClaims) -> Result<bool, Error> {
    state.http.access.is_live_user(claims).await
}

/// A customer that lives.
///
/// # Errors
/// 403 while a deletion is pending, but on the routes that end it; 401 when the second factor is outstanding.
async fn customer(call: &Call, key: &mut PublishableKey<'_>) -> Result<Option<AuthContext>, Error> {
    let Some(auth) = session_or_bearer(call, CUSTOMER, has_actor) else { return Ok(None) };
    live_or_bearer(call, key, auth, has_actor).await
}

/// The caller if the account lives. A session that is over does not hide a good bearer token: only a valid one wins.
///
/// # Errors
/// As [`customer`].
async fn live_or_bearer(
    call: &Call,
    key: &mut PublishableKey<'_>,
    auth: AuthContext,
    is_enough: fn(&AuthContext) -> bool,
) -> Result<Option<AuthContext>, Error> {
    let from_session = auth.from_session;
    let live = check_live(call, key, auth).await?;
    if live.is_some() || !from_session {
        return Ok(live);
    }
    let fits = |auth: &AuthContext| auth.claims.actor_type == CUSTOMER && is_enough(auth);
    match from_bearer(call).filter(fits) {
        Some(auth) if has_actor(&auth) => check_live(call, key, auth).await,
        Some(auth) => Ok(Some(auth).filter(|auth| !auth.claims.auth_identity_id.is_empty())),
        None => Ok(None),
    }
}

/// A customer, or an identity that is about to become one.
///
/// # Errors
/// As [`customer`], where there is a customer already.
async fn registrant(call: &Call, key: &mut PublishableKey<'_>) -> Result<Option<AuthContext>, Error> {
    let Some(auth) = session_or_bearer(call, CUSTOMER, |_| true) else { return Ok(None) };
    if !has_actor(&auth) {
        return Ok(Some(auth).filter(|auth| !auth.claims.auth_identity_id.is_empty()));
    }
    // With a key to be looked up the customer costs nothing more.
    let is_left = !auth.from_session && !key.is_to_be_looked_up();
    if is_left && call.route.is_some_and(|route| route.look_up == LookUp::InWorkflow) {
        refuse_outstanding_factor(&auth.claims)?;
        return Ok(Some(AuthContext { is_left: true, ..auth }));
    }
    live_or_bearer(call, key, auth, |_| true).await
}

/// Whoever [`registrant`] would let in, and otherwise nobody: a bad token is ignored here.
///
/// # Errors
/// 403 as [`customer`]: an account that is about to go must not use the shop by leaving its state untold.
async fn optional_customer(call: &Call, key: &mut PublishableKey<'_>) -> Result<Option<AuthContext>, Error> {
    match registrant(call, key).await {
        Err(error) if error.kind == ErrorKind::Unauthenticated => Ok(None),
        other => other,
    }
}

/// A user of the admin by session or bearer token, or a secret API key by Basic. A session that is over hides none of the others.
///
/// # Errors
/// 401 when the second factor is outstanding; what the database says when it cannot be asked.
async fn admin(call: &Call) -> Result<Option<AuthContext>, Error> {
    let ways: [fn(&Call) -> Option<AuthContext>; 2] = [from_session, from_bearer];
    for way in ways {
        let Some(auth) = way(call).filter(|auth| auth.claims.actor_type == USER && has_actor(auth)) else { continue };
        refuse_outstanding_factor(&auth.claims)?;
        if is_live_user(&call.state, &auth.claims).await? {
            return Ok(Some(auth));
        }
    }
    let Some(token) = call.header(header::AUTHORIZATION.as_str()).and_then(basic_secret_key) else { return Ok(None) };
    let Some(key_id) = call.state.http.access.secret_key(&token).await? else { return Ok(None) };
    Ok(Some(AuthContext { claims: api_key_claims(key_id), from_session: false, session: None, is_left: false }))
}

/// Passes a customer on if the account lives.
///
/// # Errors
/// As [`customer`].
async fn check_live(
    call: &Call,
    key: &mut PublishableKey<'_>,
    auth: AuthContext,
) -> Result<Option<AuthContext>, Error> {
    refuse_outstanding_factor(&auth.claims)?;
    let with_addresses = call.route.is_some_and(|route| route.look_up == LookUp::WithAddresses);
    match key.live_customer(&auth.claims, with_addresses).await? {
        LiveCustomer::Live(session) => Ok(Some(AuthContext { session: Some(session), ..auth })),
        LiveCustomer::Gone => Ok(None),
        LiveCustomer::DeletionPending(session) if call.route.is_some_and(|route| route.during_deletion) => {
            Ok(Some(AuthContext { session: Some(session), ..auth }))
        }
        LiveCustomer::DeletionPending(session) => Err(deletion_pending(session.deletion_scheduled_at)),
    }
}

/// The session if it is of the actor type and good enough, else the bearer token if that is.
fn session_or_bearer(call: &Call, actor_type: &str, is_enough: fn(&AuthContext) -> bool) -> Option<AuthContext> {
    let fits = |auth: &AuthContext| auth.claims.actor_type == actor_type && is_enough(auth);
    from_session(call).filter(fits).or_else(|| from_bearer(call).filter(fits))
}

/// The caller by the session cookie.
fn from_session(call: &Call) -> Option<AuthContext> {
    let claims = session::read(call.state.keys(), &call.headers, call.state.now())?;
    Some(AuthContext { claims, from_session: true, session: None, is_left: false })
}

/// The caller by the bearer token.
fn from_bearer(call: &Call) -> Option<AuthContext> {
    let claims = token::read_auth(call.state.keys(), call.bearer()?, call.state.now())?;
    Some(AuthContext { claims, from_session: false, session: None, is_left: false })
}

/// Whether there is somebody behind the identity.
fn has_actor(auth: &AuthContext) -> bool {
    !auth.claims.actor_id.is_empty()
}

/// Refuses a token that the newer Medusa would not take either.
///
/// # Errors
/// 401 with Medusa 2.21's sentence.
fn refuse_outstanding_factor(claims: &AuthClaims) -> Result<(), Error> {
    let completed = claims.mfa_challenge_completed_at.as_ref().is_some_and(|moment| !moment.is_null());
    if claims.mfa_enabled && !completed {
        let mut error = Error::unauthenticated();
        MFA_OUTSTANDING.clone_into(&mut error.message);
        return Err(error);
    }
    Ok(())
}

/// Guards writes that a cookie pays for.
///
/// # Errors
/// 403, see [`same_site::check`].
fn refuse_cross_site(call: &Call, namespace: Namespace, auth: &AuthContext) -> Result<(), Error> {
    if !auth.from_session {
        return Ok(());
    }
    same_site::check(&call.method, &call.headers, call.state.http.cors(namespace))
}

/// A secret API key out of a Basic header: `sk_…` or `sk_…:`, as it is or in base64. With a password part it is none.
fn basic_secret_key(authorization: &str) -> Option<String> {
    let mut words = authorization.split_ascii_whitespace();
    words.next().filter(|scheme| scheme.eq_ignore_ascii_case("basic"))?;
    let given = words.next()?;
    let pair = if given.starts_with("sk_") {
        given.to_owned()
    } else {
        String::from_utf8(STANDARD.decode(given).ok()?).ok()?
    };
    let key = pair.strip_suffix(':').unwrap_or(&pair);
    (key.starts_with("sk_") && !key.contains(':')).then(|| key.to_owned())
}

/// What Medusa puts in the place of claims for a secret API key.
fn api_key_claims(key_id: String) -> AuthClaims {
    AuthClaims {
        actor_id: key_id,
        actor_type: API_KEY.to_owned(),
        auth_identity_id: String::new(),
        auth_provider: None,
        mfa_enabled: false,
        mfa_challenge_completed_at: None,
        app_metadata: Map::new(),
        user_metadata: Map::new(),
        iat: 0,
        exp: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms that Medusa 2.11.2 was seen to take and to refuse.
    #[test]
    fn a_secret_key_comes_by_basic_without_a_password() {
        let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (header, key) in [
            ("Basic sk_1".to_owned(), Some("sk_1")),
            ("basic sk_1:".to_owned(), Some("sk_1")),
            (encoded("sk_1"), Some("sk_1")),
            (encoded("sk_1:"), Some("sk_1")),
            (encoded("sk_1:x"), None),
            (encoded("user:sk_1"), None),
            ("Basic sk_1:x".to_owned(), None),
            ("Bearer sk_1".to_owned(), None),
            ("Basic pk_1".to_owned(), None),
            ("Basic".to_owned(), None),
            ("Basic %%%".to_owned(), None),
        ] {
            assert_eq!(basic_secret_key(&header).as_deref(), key, "{header}");
        }
    }
}
