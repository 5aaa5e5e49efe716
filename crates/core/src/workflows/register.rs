//! `POST /auth/{actor}/{provider}/register`: credentials for somebody who is not a customer yet.
//!
//! Registering again makes the credential anew, so that whoever was there first without finishing is out: their tokens die
//! with the identity, and so does their password.

use cr_db::DbError;
use cr_db::models::auth_identity;
use cr_db::models::provider_identity::{self, NewProviderIdentity};
use cr_types::ids::{AuthIdentityId, generate};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Map;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};
use crate::modules::auth::session::{self, Subject};
use crate::modules::rate_limit;
use crate::options::ContactType;
use crate::password::check_policy;

/// Who registers, with what.
pub struct Input {
    /// `customer` or any other actor word.
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
    /// Medusa's registration token: an identity without an actor.
    pub token: String,
}

/// Registers.
///
/// # Errors
/// 400 for an identifier or a password that is none; 401 when an account has the identifier; 429 and 503 under load.
pub async fn run(app: &App, input: Input) -> Result<Output, Error> {
    let options = &app.shared.options;
    let identifier = Identifier::read(input.contact, &input.identifier, options.default_country.as_deref());
    let Some(entity_id) = identifier.canonical.clone() else { return Err(invalid_identifier(input.contact)) };
    check_policy(input.password.expose_secret(), &options.password)?;
    count_registration(app, input.address.as_deref()).await?;
    // Who has no address shares its turns with all who have none.
    let whose = input.address.as_deref().unwrap_or_default();
    let hash = app.hashes.hash(whose, input.password, app.shared.env.bytes()).await?;

    let mut cx = app.begin().await?;
    cx.step("release-unclaimed-identity")?;
    release(&mut cx, &identifier).await?;
    cx.step("create-auth-identity")?;
    let id = AuthIdentityId::generate(cx.now, cx.bytes());
    auth_identity::insert(&mut cx.tx, &id, None, cx.now).await?;
    let row = generate("", cx.now, cx.bytes());
    let new = NewProviderIdentity {
        id: &row,
        entity_id: &entity_id,
        provider: input.contact.provider(),
        auth_identity_id: &id,
        password: &hash,
    };
    match provider_identity::insert(&mut cx.tx, &new, cx.now).await {
        Err(DbError::NotUnique { .. }) => return Err(Error::duplicate(exists(input.contact))),
        other => other?,
    }
    let identity = auth_identity::AuthIdentity { id, app_metadata: Map::new() };
    let subject = Subject {
        actor_id: "",
        actor_type: &input.actor_type,
        identity: &identity,
        provider: input.contact.provider(),
        user_metadata: Map::new(),
        second_factor: None,
    };
    let token = session::issue(&cx.shared.keys, options, subject, cx.now);
    cx.commit().await?;
    Ok(Output { token })
}

/// Counts before any hashing, and commits: a registration that fails later was still one.
async fn count_registration(app: &App, address: Option<&str>) -> Result<(), Error> {
    let limit = &app.shared.options.limits.registrations_per_address;
    let Some(subject) = rate_limit::address_subject(&app.shared.keys, address).filter(|_| !limit.is_empty()) else {
        return Ok(());
    };
    let now = app.shared.env.clock.now();
    // Of several rates some may have room for what another refuses, which is taken back then.
    let mut tx = if limit.len() > 1 { app.db.begin().await? } else { app.db.single().await? };
    rate_limit::take_or_refuse(&mut tx, "registrationsPerAddress", &subject, limit, now).await?;
    Ok(tx.commit().await?)
}

/// Deletes for good what holds the identifier without being anybody's.
async fn release(cx: &mut Ctx, identifier: &Identifier) -> Result<(), Error> {
    for held in credential::list(&mut cx.tx, identifier).await? {
        let locked = auth_identity::lock(&mut cx.tx, &held.identity.id).await?;
        if !held.is_deleted && locked.as_ref().is_some_and(auth_identity::AuthIdentity::is_claimed) {
            return Err(Error::unauthorized(exists(identifier.contact)));
        }
        if locked.is_some_and(|identity| identity.is_claimed()) {
            provider_identity::delete(&mut cx.tx, &held.id).await?;
        } else {
            auth_identity::delete(&mut cx.tx, &held.identity.id).await?;
        }
    }
    Ok(())
}

/// Medusa's sentence (2.11.2), and the same for a phone.
fn exists(contact: ContactType) -> String {
    format!("Identity with {} already exists", contact.as_str())
}

/// 400 for a text that is no e-mail or no phone.
pub fn invalid_identifier(contact: ContactType) -> Error {
    match contact {
        ContactType::Email => Error::invalid_data("Invalid request: Invalid email"),
        ContactType::Phone => Error::invalid_data(
            "Invalid request: Invalid phone. Send it in the international form, such as +15551234567",
        ),
    }
}
