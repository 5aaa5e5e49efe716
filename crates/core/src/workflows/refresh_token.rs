//! `POST /auth/token/refresh` and the checks of `POST /auth/session`: a live token for a newer one, under the rules of login.

use cr_db::models::provider_identity;
use serde_json::Map;

use crate::app::App;
use crate::error::Error;
use crate::modules::auth::session::{self, CUSTOMER, Subject, USER};
use crate::modules::auth::token::AuthClaims;
use crate::options::ContactType;
use crate::workflows::adopt_verification;

/// What the client gets.
pub struct Output {
    /// A token with the identity's present actor.
    pub token: String,
}

/// Refreshes. A token without an actor becomes a login only for a customer that may log in.
///
/// # Errors
/// 401 when the token does not count any more; 404 when its identity is gone; 403 and 401 as login has them.
pub async fn run(app: &App, claims: &AuthClaims) -> Result<Output, Error> {
    let now = app.shared.env.clock.now();
    let mut tx = app.db.read().await?;
    let identity_id = cr_types::ids::AuthIdentityId::from_stored(claims.auth_identity_id.clone());
    let identity = cr_db::models::auth_identity::find(&mut tx, &identity_id)
        .await?
        .ok_or_else(|| Error::not_found(format!("AuthIdentity with id: {identity_id} was not found")))?;
    if !session::counts_for(&identity, claims) {
        return Err(Error::unauthenticated());
    }
    let actor_id = identity.actor_id(&claims.actor_type).unwrap_or_default().to_owned();
    let provider = match &claims.auth_provider {
        Some(provider) => provider.clone(),
        None => provider_identity::list_of_identity(&mut tx, &identity.id)
            .await?
            .first()
            .map_or_else(|| "emailpass".to_owned(), |row| row.provider.clone()),
    };
    let second_factor = session::second_factor(&mut tx, app.db.medusa_tables().mfa_factors, &identity, claims).await?;
    drop(tx);
    if !actor_id.is_empty() {
        check_login(app, &AuthClaims { actor_id: actor_id.clone(), ..claims.clone() }).await?;
    }
    let subject = Subject {
        actor_id: &actor_id,
        actor_type: &claims.actor_type,
        identity: &identity,
        provider: &provider,
        user_metadata: Map::new(),
        second_factor,
    };
    Ok(Output { token: session::issue(&app.shared.keys, &app.shared.options, subject, now) })
}

/// What login asks besides the password: of a customer an account that lives, is not leaving, and has proven a channel; of an
/// administrator a user who lives. Other actors are asked nothing: who they are is Medusa's.
///
/// # Errors
/// The guard's 401; 403 `account_deletion_pending`; 401 `verification_required`.
pub async fn check_login(app: &App, claims: &AuthClaims) -> Result<(), Error> {
    if claims.awaits_second_factor() {
        return Err(Error::unauthenticated());
    }
    if ![CUSTOMER, USER].contains(&claims.actor_type.as_str()) {
        return Ok(());
    }
    let options = &app.shared.options;
    let mut tx = app.db.read().await?;
    if claims.actor_type == USER {
        let is_live = session::is_live_user(&mut tx, claims).await?;
        return if is_live { Ok(tx.commit().await?) } else { Err(Error::unauthenticated()) };
    }
    let session = session::live_customer(&mut tx, claims, false).await?;
    if session.is_deletion_active {
        return Err(session::deletion_pending(session.deletion_scheduled_at));
    }
    if session::is_verified_on_any(options, &session.customer) {
        return Ok(tx.commit().await?);
    }
    let identity = session::live_identity(&mut tx, claims).await?;
    tx.commit().await?;
    let adopted = adopt_verification::run(app, &session.customer).await?;
    if adopted.is_some_and(|customer| session::is_verified_on_any(options, &customer)) {
        return Ok(());
    }
    let contact =
        if options.login_identifier.takes(ContactType::Email) { ContactType::Email } else { ContactType::Phone };
    let now = app.shared.env.clock.now();
    Err(session::verification_required(&app.shared.keys, options, &session.customer.id, &identity, contact, now))
}
