//! Which credential a body of `/auth` names, for all doors alike.

use cr_core::error::Error;
use cr_core::modules::auth::session::CUSTOMER;
use cr_core::options::{ContactType, Identifier, Options};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::routes::OWNED_PROVIDERS;

/// What a login names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Which of the two.
    pub contact: ContactType,
    /// As sent.
    pub text: String,
}

/// Refuses a provider that `http.authMethodsPerActor` does not give to this actor.
///
/// # Errors
/// 400, Medusa's sentence (2.11.2).
pub fn check_allowed(call: &Call) -> Result<(), Error> {
    let (actor, provider) = (call.param("actor_type"), call.param("auth_provider"));
    let methods = &call.app().shared.options.auth_methods_per_actor;
    match methods.iter().find(|(listed, _)| listed == actor) {
        Some((_, allowed)) if !allowed.iter().any(|allowed| allowed == provider) => Err(Error::not_allowed(format!(
            "The actor type {actor} is not allowed to use the auth provider {provider}"
        ))),
        _ => Ok(()),
    }
}

/// Whether the path names an auth provider that there is.
pub fn is_known(call: &Call) -> bool {
    OWNED_PROVIDERS.contains(&call.param("auth_provider"))
}

/// Refuses an auth provider that there is none of.
///
/// # Errors
/// 401, Medusa's sentence with its line breaks (2.11.2).
pub fn check_known(call: &Call) -> Result<(), Error> {
    if is_known(call) {
        return Ok(());
    }
    let provider = call.param("auth_provider");
    Err(Error::unauthorized(format!(
        "\nUnable to retrieve the auth provider with id: {provider}\nPlease make sure that the provider is registered in the \
         container and it is configured correctly in your project configuration file."
    )))
}

/// The keys of the body, and those of the query string that the body lacks.
pub fn body_and_query(call: &Call) -> Map<String, Value> {
    let mut merged = call.query.clone();
    if let Value::Object(body) = &call.body {
        merged.extend(body.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    merged
}

/// The password, checked before anything else.
///
/// # Errors
/// 401, Medusa's sentence, when it is missing, empty or no string.
pub fn password(input: &Map<String, Value>) -> Result<SecretString, Error> {
    text(input, "password").map(SecretString::from).ok_or_else(|| Error::unauthorized("Password should be a string"))
}

/// The one credential that a login names: `email`, `phone`, or `email_or_phone` alone.
///
/// # Errors
/// 401 when there is none, as Medusa says it; 400 when there are several.
pub fn of_login(call: &Call, input: &Map<String, Value>) -> Result<Named, Error> {
    let contact = provider_contact(call);
    if call.param("actor_type") != CUSTOMER {
        return of_contact(input, contact);
    }
    let missing = match call.app().shared.options.login_identifier {
        Identifier::Email => "Email should be a string",
        Identifier::Phone => "Phone should be a string",
        Identifier::Both => "Email or phone should be a string",
    };
    one_of(input, &["email", "phone", "email_or_phone"], contact)?.ok_or_else(|| Error::unauthorized(missing))
}

/// The credential of one contact's key, as registration and the doors of other actors take it.
///
/// # Errors
/// 401, Medusa's sentence, when it is missing, empty or no string.
pub fn of_contact(input: &Map<String, Value>, contact: ContactType) -> Result<Named, Error> {
    let missing = || Error::unauthorized(format!("{} should be a string", contact.title()));
    Ok(Named { contact, text: text(input, contact.as_str()).ok_or_else(missing)? })
}

/// The one credential that a reset names; `identifier` is of the door's own provider. An empty text names nobody, and is not
/// refused (Medusa 2.11.2).
///
/// # Errors
/// 400 when there is none or several.
pub fn of_reset(call: &Call, input: &Map<String, Value>) -> Result<Named, Error> {
    const KEYS: [&str; 4] = ["identifier", "email", "phone", "email_or_phone"];
    let contact = provider_contact(call);
    if let Some(named) = one_of(input, &KEYS, contact)? {
        return Ok(named);
    }
    if KEYS.iter().any(|key| input.get(*key).is_some_and(Value::is_string)) {
        return Ok(Named { contact, text: String::new() });
    }
    Err(exactly_one(&KEYS))
}

/// Which contact registers: the options decide for customers, the door for others.
///
/// # Errors
/// 400 at a door whose contact registrations do not take.
pub fn registered_contact(call: &Call) -> Result<ContactType, Error> {
    let door = provider_contact(call);
    let contact = of_registration(&call.app().shared.options);
    if door == ContactType::Phone && contact != door {
        return Err(Error::not_allowed("Phone registration is not enabled"));
    }
    Ok(if call.param("actor_type") == CUSTOMER { contact } else { door })
}

/// In `both` the phone comes with the customer, so that nobody blocks a number that is not theirs.
fn of_registration(options: &Options) -> ContactType {
    match options.registration_identifier {
        Identifier::Phone => ContactType::Phone,
        Identifier::Email | Identifier::Both => ContactType::Email,
    }
}

/// The contact that the path's provider logs in with.
pub fn provider_contact(call: &Call) -> ContactType {
    if call.param("auth_provider") == ContactType::Phone.provider() { ContactType::Phone } else { ContactType::Email }
}

/// The value of exactly one of these keys; `None` when none holds a non-empty text.
fn one_of(input: &Map<String, Value>, keys: &[&'static str], identifier: ContactType) -> Result<Option<Named>, Error> {
    let mut given = keys.iter().filter_map(|key| Some((*key, text(input, key)?)));
    let Some((key, text)) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(exactly_one(keys));
    }
    let contact = match key {
        "email" => ContactType::Email,
        "phone" => ContactType::Phone,
        "identifier" => identifier,
        _ if text.contains('@') => ContactType::Email,
        _ => ContactType::Phone,
    };
    Ok(Some(Named { contact, text }))
}

/// 400 that lists the keys of which one is needed.
fn exactly_one(keys: &[&str]) -> Error {
    Error::invalid_data(format!("Provide exactly one of: {}", keys.join(", ")))
}

/// A non-empty text.
fn text(input: &Map<String, Value>, key: &str) -> Option<String> {
    input.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}
