//! `POST /auth/{actor}/{provider}`: a password for a token, by e-mail or by phone.
//!
//! An unknown identifier costs what a wrong password costs. What state the account is in is told only after the password was
//! right.

use cr_db::models::auth_mfa_factor;
use cr_db::models::customer::Customer;
use cr_db::models::customer_session;
use cr_db::models::provider_identity::{self, ProviderIdentity};
use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;
use secrecy::SecretString;

use crate::app::App;
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};
use crate::modules::auth::login_failures;
use crate::modules::auth::session::{self, CUSTOMER, Subject};
use crate::options::ContactType;
use crate::password::Verdict;
use crate::workflows::adopt_verification;

/// Who logs in, with what.
pub struct Input {
    /// `customer`, `user`, or any other actor word.
    pub actor_type: String,
    /// Which credential.
    pub contact: ContactType,
    /// The e-mail or phone, as sent.
    pub identifier: String,
    /// The password, as sent.
    pub password: SecretString,
    /// The client's address, as limits know it.
    pub address: Option<String>,
}

/// What the client gets.
pub struct Output {
    /// Medusa's login token; without an actor where the identity has none of that type.
    pub token: String,
}

/// Logs in.
///
/// # Errors
/// 400 when the channel is not taken; 429 over a limit; 401 for an unknown identifier or a wrong password; then, with the
/// right one, 403 `account_deletion_pending`, 401 `verification_required` and 403 `mfa_required`.
pub async fn run(app: &App, input: Input) -> Result<Output, Error> {
    let options = &app.shared.options;
    let now = app.shared.env.clock.now();
    if input.actor_type == CUSTOMER && !options.login_identifier.takes(input.contact) {
        return Err(not_enabled(input.contact));
    }
    let identifier = Identifier::read(input.contact, &input.identifier, options.default_country.as_deref());
    let key = app.shared.keys.contact_hmac(input.contact.as_str(), &identifier.key());
    let attempt = login_failures::check(app, &key, input.address.as_deref(), now).await?;
    // Who has no address shares its turns with all who have none.
    let whose = input.address.as_deref().unwrap_or_default();
    let judged = match authenticate(app, whose, &identifier, input.password, now).await {
        Err(error) => {
            if let Err(kept) = login_failures::release(app, &attempt, now).await {
                tracing::warn!(error = %kept, "An attempt to log in that was not judged counts as a failure");
            }
            return Err(error);
        }
        Ok(judged) => judged,
    };
    let Some(found) = judged else {
        login_failures::count(app, &attempt, now).await?;
        return Err(Error::unauthorized(format!("Invalid {} or password", input.contact.as_str())));
    };
    login_failures::forgive(app, &attempt, now).await?;

    let actor = match found.identity.actor_id(&input.actor_type) {
        Some(id) if input.actor_type == CUSTOMER => {
            let customer = live_account(app, id, &found, &identifier, now).await?;
            customer.map(|customer| customer.id.as_str().to_owned())
        }
        other => other.map(ToOwned::to_owned),
    };
    refuse_second_factor(app, &found).await?;
    let subject = Subject {
        actor_id: actor.as_deref().unwrap_or_default(),
        actor_type: &input.actor_type,
        identity: &found.identity,
        provider: input.contact.provider(),
        user_metadata: found.user_metadata.clone(),
        second_factor: None,
    };
    Ok(Output { token: session::issue(&app.shared.keys, options, subject, now) })
}

/// A password alone must not go around a second factor, and the challenge is made by Medusa's own login.
///
/// # Errors
/// 403 `mfa_required` for an identity with an enabled factor; or when the statement fails.
async fn refuse_second_factor(app: &App, found: &ProviderIdentity) -> Result<(), Error> {
    if !app.db.medusa_tables().mfa_factors {
        return Ok(());
    }
    let mut tx = app.db.read().await?;
    let is_enabled = auth_mfa_factor::has_enabled(&mut tx, &found.identity.id).await?;
    tx.commit().await?;
    if is_enabled { Err(Error::forbidden("mfa_required", "Multi-factor authentication is required")) } else { Ok(()) }
}

/// The credential, if there is one and the password is its own. Costs one hash in every case.
async fn authenticate(
    app: &App,
    whose: &str,
    identifier: &Identifier,
    password: SecretString,
    now: Timestamp,
) -> Result<Option<ProviderIdentity>, Error> {
    let mut tx = app.db.read().await?;
    let found = credential::find(&mut tx, identifier).await?;
    tx.commit().await?;
    let stored = found.as_ref().and_then(ProviderIdentity::password).map(ToOwned::to_owned);
    let (Some(found), Some(stored)) = (found, stored) else {
        app.hashes.verify_dummy(whose, password).await?;
        return Ok(None);
    };
    match app.hashes.verify(whose, password.clone(), stored).await? {
        Verdict::Mismatch => Ok(None),
        Verdict::Refused => {
            tracing::warn!(
                provider_identity.id = found.id,
                "A stored password hash is unreadable or asks for too much work; its login is refused"
            );
            Ok(None)
        }
        Verdict::Match { needs_rehash } => {
            if needs_rehash {
                rehash(app, whose, &found, password, now).await?;
            }
            normalise_phone(app, &found, identifier, now).await?;
            Ok(Some(found))
        }
    }
}

/// Rewrites a hash of other parameters. One that lost against a password change is dropped.
async fn rehash(
    app: &App,
    whose: &str,
    found: &ProviderIdentity,
    password: SecretString,
    now: Timestamp,
) -> Result<(), Error> {
    let hash = app.hashes.hash(whose, password, app.shared.env.bytes()).await?;
    let mut tx = app.db.begin().await?;
    if !provider_identity::update_password(&mut tx, found, &hash, now).await? {
        tracing::debug!(provider_identity.id = found.id, "The password changed while it was hashed anew");
    }
    Ok(tx.commit().await?)
}

/// A phone that an import stored in another form is rewritten to E.164, unless that form is taken.
async fn normalise_phone(
    app: &App,
    found: &ProviderIdentity,
    identifier: &Identifier,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(canonical) = identifier.canonical.as_ref().filter(|canonical| **canonical != found.entity_id) else {
        return Ok(());
    };
    if identifier.contact != ContactType::Phone {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    match provider_identity::update_entity_id(&mut tx, &found.id, canonical, now).await {
        Err(cr_db::DbError::NotUnique { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(tx.commit().await?),
    }
}

/// The customer behind a right password, if they may log in now. `None` when the customer is gone: then the token has no actor.
async fn live_account(
    app: &App,
    id: &str,
    found: &ProviderIdentity,
    identifier: &Identifier,
    now: Timestamp,
) -> Result<Option<Customer>, Error> {
    let mut tx = app.db.read().await?;
    let id = CustomerId::from_stored(id);
    let live = customer_session::find(&mut tx, &id, &found.identity.id, false).await?;
    tx.commit().await?;
    let Some(live) = live.filter(|live| live.customer.has_account) else { return Ok(None) };
    if live.is_deletion_active {
        return Err(session::deletion_pending(live.deletion_scheduled_at));
    }
    let customer = live.customer;
    let customer = adopt_verification::run(app, &customer).await?.unwrap_or(customer);
    if session::is_verified_enough(&app.shared.options, &customer, identifier.contact) {
        return Ok(Some(customer));
    }
    let (keys, options) = (&app.shared.keys, &app.shared.options);
    Err(session::verification_required(keys, options, &customer.id, &found.identity, identifier.contact, now))
}

/// 400 for a credential that `login.identifier` does not take.
pub fn not_enabled(contact: ContactType) -> Error {
    Error::not_allowed(format!("{} login is not enabled", contact.title()))
}
