//! `POST /store/customers`: the customer of a registration, once.

use cr_db::DbError;
use cr_db::models::auth_identity::{self, AuthIdentity};
use cr_db::models::customer::{self, Customer, NewCustomer};
use cr_db::models::provider_identity;
use cr_types::http::Verification;
use cr_types::ids::CustomerId;
use serde_json::{Map, Value};

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind};
use crate::events::{self, Event};
use crate::modules::auth::credential::Identifier;
use crate::modules::auth::session::{self, CUSTOMER};
use crate::modules::auth::token::AuthClaims;
use crate::modules::customer::{proof, view};
use crate::modules::customer_registration::service::CustomerRegistrationService;
use crate::modules::otp_verification::sending::{self, OtpSend, Target};
use crate::modules::otp_verification::service::{Asker, OtpPurpose};
use crate::modules::referral_link::code;
use crate::modules::referral_link::service::ReferralLinkModuleService;
use crate::options::{ContactType, Identifier as Identifies};
use crate::workflows::register::invalid_identifier;
use crate::workflows::steps::sync_phonepass_entity_id;

/// What the body says.
pub struct Input {
    /// The registration's token.
    pub claims: AuthClaims,
    /// As sent.
    pub email: Option<String>,
    /// As sent.
    pub phone: Option<String>,
    /// As sent.
    pub company_name: Option<String>,
    /// As sent.
    pub first_name: Option<String>,
    /// As sent.
    pub last_name: Option<String>,
    /// As sent; a `referral_code` in it is taken out, and read where the body itself has none.
    pub metadata: Option<Map<String, Value>>,
    /// Whose friend it is: a referral code, or a customer's id.
    pub referral_code: Option<String>,
    /// The client's address, as limits know it.
    pub address: Option<String>,
}

/// What the client gets.
pub struct Output {
    /// The customer.
    pub customer: Map<String, Value>,
    /// Codes that were sent; `None` where no section asks for it.
    pub verifications: Option<Vec<Verification>>,
}

/// Creates the customer, links the identity, and sends what `autoSendOnRegistration` asks for: one transaction.
///
/// # Errors
/// 400 for a contact that is missing, none, or not the registered one; 401 for a token whose identity is gone; 422 when an
/// account has the contact or the token has made its customer already.
pub async fn run(app: &App, mut input: Input) -> Result<Output, Error> {
    if !input.claims.actor_id.is_empty() {
        return Err(Error::invalid_data("Request already authenticated as a customer."));
    }
    let mut referrer = match referral_code(&mut input)? {
        Some(code) => Some(code::resolve(app, &code, input.address.as_deref()).await?),
        None => None,
    };
    let mut cx = app.begin().await?;
    CustomerRegistrationService::before_registration(app, &mut cx, &mut input).await?;
    if let Some(code) = referral_code(&mut input)? {
        referrer = Some(code::resolve_trusted(&mut cx, &code).await?);
    }
    let email = contact(app, ContactType::Email, input.email.as_deref())?;
    let phone = contact(app, ContactType::Phone, input.phone.as_deref())?;
    let claimed: Vec<(ContactType, &str)> = [(ContactType::Email, &email), (ContactType::Phone, &phone)]
        .into_iter()
        .filter_map(|(contact, value)| Some((contact, value.as_deref()?)))
        .collect();
    proof::lock(&mut cx, &claimed).await?;
    cx.step("validate-customer-account-creation")?;
    let mut identity = lock_identity(&mut cx, &input.claims).await?;
    check_registered(&mut cx, &identity, email.as_deref(), phone.as_deref()).await?;
    check_free(&mut cx, email.as_deref(), phone.as_deref()).await?;

    cx.step("create-customers")?;
    let customer = insert(&mut cx, &input, email, phone).await?;
    cx.step("set-auth-app-metadata")?;
    identity.app_metadata.insert("customer_id".to_owned(), Value::from(customer.id.as_str()));
    auth_identity::update_app_metadata(&mut cx.tx, &identity, cx.now).await?;
    if !cx.shared.options.require_verification {
        for (contact, value) in contacts(&customer) {
            claim_unverified(&mut cx, &customer.id, contact, &value).await?;
        }
    }
    if let Some(referrer) = referrer {
        cx.step("create-referral-link")?;
        ReferralLinkModuleService::create(&mut cx, &customer.id, &referrer).await?;
    }
    CustomerRegistrationService::after_registration(app, &mut cx, &customer).await?;
    let body = view::body(&customer, &[]);
    events::emit(&mut cx, Event::CustomerCreated { id: customer.id.clone() }).await?;
    let verifications = auto_send(&mut cx, customer, input.address.as_deref()).await?;
    cx.commit().await?;
    Ok(Output { customer: body, verifications })
}

/// The referral code of the body, else the one in its metadata, where it does not stay.
///
/// # Errors
/// 400 when the one in the metadata is no text.
fn referral_code(input: &mut Input) -> Result<Option<String>, Error> {
    let of_metadata = input.metadata.as_mut().and_then(|metadata| metadata.shift_remove("referral_code"));
    let of_metadata = match of_metadata {
        None | Some(Value::Null) => None,
        Some(Value::String(code)) => Some(code),
        Some(_) => return Err(code::invalid()),
    };
    Ok(input.referral_code.take().or(of_metadata).filter(|code| !code.is_empty()))
}

/// A contact of the body in its stored form; an empty text is none.
fn contact(app: &App, contact: ContactType, text: Option<&str>) -> Result<Option<String>, Error> {
    let options = &app.shared.options;
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        if options.registration_identifier.takes(contact) {
            return Err(Error::invalid_data(format!("{} is required to create a customer", contact.title())));
        }
        return Ok(None);
    };
    match Identifier::read(contact, text, options.default_country.as_deref()).canonical {
        Some(value) => Ok(Some(value)),
        None => Err(invalid_identifier(contact)),
    }
}

/// The registration's identity, held until the end, so that twenty parallel requests make one customer.
async fn lock_identity(cx: &mut Ctx, claims: &AuthClaims) -> Result<AuthIdentity, Error> {
    let id = cr_types::ids::AuthIdentityId::from_stored(claims.auth_identity_id.clone());
    let identity = auth_identity::lock(&mut cx.tx, &id).await?.ok_or_else(Error::unauthenticated)?;
    if identity.not_before().is_some_and(|not_before| claims.iat < not_before) {
        return Err(Error::unauthenticated());
    }
    if identity.actor_id(CUSTOMER).is_some() {
        return Err(proof::taken(ContactType::Email));
    }
    Ok(identity)
}

/// The contact that the identity was registered with must be the customer's.
async fn check_registered(
    cx: &mut Ctx,
    identity: &AuthIdentity,
    email: Option<&str>,
    phone: Option<&str>,
) -> Result<(), Error> {
    let credentials = provider_identity::list_of_identity(&mut cx.tx, &identity.id).await?;
    let required = match cx.shared.options.registration_identifier {
        Identifies::Phone => ContactType::Phone,
        Identifies::Email | Identifies::Both => ContactType::Email,
    };
    let holds = |contact: ContactType| credentials.iter().any(|row| row.provider == contact.provider());
    if !holds(required) && holds(required.other()) {
        // An identity that was made at another actor's door does not open this one.
        return Err(Error::invalid_data(format!("Register with the {} first", required.as_str())));
    }
    for (contact, given) in [(ContactType::Email, email), (ContactType::Phone, phone)] {
        let registered = credentials.iter().find(|row| row.provider == contact.provider());
        let Some(registered) = registered else { continue };
        let country = cx.shared.options.default_country.clone();
        let canonical = Identifier::read(contact, &registered.entity_id, country.as_deref()).key();
        if given != Some(canonical.as_str()) {
            let name = contact.as_str();
            return Err(Error::invalid_data(format!("The {name} must be the one that was registered")));
        }
    }
    Ok(())
}

/// An e-mail that another account has, or a phone that another has proven or logs in with, is taken.
async fn check_free(cx: &mut Ctx, email: Option<&str>, phone: Option<&str>) -> Result<(), Error> {
    if let Some(email) = email
        && !customer::list_accounts_by_email(&mut cx.tx, email).await?.is_empty()
    {
        return Err(proof::taken(ContactType::Email));
    }
    if let Some(phone) = phone
        && proof::is_proven_elsewhere(cx, None, ContactType::Phone, phone).await?
    {
        return Err(proof::taken(ContactType::Phone));
    }
    Ok(())
}

/// Writes the row, flags false whatever the request said.
///
/// # Errors
/// When the statement fails.
async fn insert(cx: &mut Ctx, input: &Input, email: Option<String>, phone: Option<String>) -> Result<Customer, Error> {
    let id = CustomerId::generate(cx.now, cx.bytes());
    let metadata = input.metadata.clone().map(Value::Object);
    let new = NewCustomer {
        id: &id,
        company_name: input.company_name.as_deref(),
        first_name: input.first_name.as_deref(),
        last_name: input.last_name.as_deref(),
        email: email.as_deref(),
        phone: phone.as_deref(),
        metadata: metadata.as_ref(),
    };
    match customer::insert_account(&mut cx.tx, &new, cx.now).await {
        Err(DbError::NotUnique { .. }) => Err(proof::taken(ContactType::Email)),
        other => Ok(other?),
    }
}

/// The contacts that a customer has.
fn contacts(customer: &Customer) -> Vec<(ContactType, String)> {
    [(ContactType::Email, &customer.email), (ContactType::Phone, &customer.phone)]
        .into_iter()
        .filter_map(|(contact, value)| Some((contact, value.clone()?)))
        .collect()
}

/// Where verification is not asked, a contact logs in from the start; one that another logs in with is taken.
async fn claim_unverified(cx: &mut Ctx, id: &CustomerId, contact: ContactType, value: &str) -> Result<(), Error> {
    proof::release_unclaimed(cx, id, contact, value).await?;
    cx.step("sync-phonepass-entity-id")?;
    sync_phonepass_entity_id::run(cx, id, contact, value).await
}

/// Sends the codes that the sections ask for. A limit that is used up does not undo the registration: its code is left out.
async fn auto_send(
    cx: &mut Ctx,
    customer: Customer,
    address: Option<&str>,
) -> Result<Option<Vec<Verification>>, Error> {
    let shared = std::sync::Arc::clone(&cx.shared);
    let mut sent = None;
    for (contact, value) in contacts(&customer) {
        let section = shared.options.verification(contact).filter(|section| section.auto_send_on_registration);
        let Some(section) = section else { continue };
        let list = sent.get_or_insert_with(Vec::new);
        if session::is_verified(&customer, contact) || !sending::is_reachable(cx, contact, &value) {
            continue;
        }
        let asker = Asker::Bearer(customer.id.clone());
        let target = Ok(Target { customer: customer.clone(), value });
        cx.tx.begin_part().await?;
        let sent = sending::send(cx, OtpSend::verification(contact, section, asker, target, address)).await;
        match sent {
            Ok(_) => cx.tx.end_part().await?,
            // What the narrower limits counted goes with it: a send that is refused was never one.
            Err(_) => cx.tx.roll_back_part().await?,
        }
        match sent {
            Ok(output) => list.push(Verification {
                kind: OtpPurpose::of_contact(contact).as_str().to_owned(),
                token: output.token,
                expires_at: output.expires_at,
            }),
            Err(error) if error.kind == ErrorKind::TooManyRequests => {
                tracing::info!(customer.id = %customer.id, "No code was sent to {}: a limit is used up", customer.id);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
