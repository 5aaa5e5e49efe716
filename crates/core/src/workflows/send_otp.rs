//! `POST /store/customers/otp/send`: a code to a contact, or for whoever may not know, something that looks the same.
//!
//! Without a bearer token of the customer's own identity the answer never tells whether anything was sent: unknown, no such
//! contact, verified already, all get a decoy, a row like any other whose code nobody has.

use std::collections::BTreeMap;
use std::sync::Arc;

use cr_db::models::customer::{self, Customer};
use cr_db::models::otp_verification::{self, OtpVerification};
use cr_db::models::provider_identity;
use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;

use crate::app::App;
use crate::ctx::Ctx;
use crate::delivery::message::{Message, MessageKind, enqueue, enqueue_nothing};
use crate::error::Error;
use crate::identifiers::PhoneNumber;
use crate::keys::Keys;
use crate::modules::auth::credential::Identifier;
use crate::modules::auth::session;
use crate::modules::auth::token::{AuthClaims, OtpKind};
use crate::modules::otp_verification::guess;
use crate::modules::otp_verification::service::{self, Asker, NewOtp, OtpPurpose};
use crate::modules::rate_limit::{self, Recipient};
use crate::options::{ContactType, OtpSection, Rate};
use crate::workflows::register::invalid_identifier;

/// Whom the request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A customer's id.
    Customer(String),
    /// An e-mail or a phone, as sent.
    Contact(ContactType, String),
}

/// What is asked for.
pub struct Input {
    /// Which contact to verify (`email_verification`, `phone_verification`).
    pub contact: ContactType,
    /// Whose.
    pub named: Named,
    /// The request's token, whosever it is.
    pub claims: Option<AuthClaims>,
    /// The client's address, as limits know it.
    pub address: Option<String>,
}

/// What the client gets.
pub struct Output {
    /// Goes to `otp/verify` with the code.
    pub token: String,
    /// When the code dies.
    pub expires_at: Timestamp,
}

/// Sends a code, or a decoy.
///
/// # Errors
/// 400 when the channel is not configured; 429 over a limit; with the identity's own bearer token also 404 and 400 that tell
/// what is missing.
pub async fn run(app: &App, input: Input) -> Result<Output, Error> {
    let section = section(&app.shared.options, input.contact)?.clone();
    let mut cx = app.begin().await?;
    cx.step("retrieve-customer")?;
    let asked = resolve(&mut cx, &input).await?;
    if let Some(live) = asked.recent(&mut cx, &section).await? {
        return Ok(live);
    }
    let output = send(&mut cx, &section, asked, input.address.as_deref()).await?;
    cx.commit().await?;
    Ok(output)
}

/// The section of a verification; step `resolve-channel-config`.
fn section(options: &crate::options::Options, contact: ContactType) -> Result<&OtpSection, Error> {
    options.verification(contact).ok_or_else(|| {
        let purpose = OtpPurpose::of_contact(contact).as_str();
        Error::not_allowed(format!("OTP channel configuration not found for {purpose}"))
    })
}

/// A request, looked up: who asked, and what of it can be sent.
pub struct Asked {
    contact: ContactType,
    asker: Asker,
    /// `None`: a decoy, and why, for the developer's log.
    target: Result<Target, &'static str>,
}

/// A customer and the contact that a code may go to.
struct Target {
    customer: Customer,
    value: String,
}

impl Asked {
    /// A verification that the customer's own identity asks for.
    pub fn own(customer: Customer, contact: ContactType, value: String) -> Self {
        Self { contact, asker: Asker::Bearer(customer.id.clone()), target: Ok(Target { customer, value }) }
    }

    /// The live code of a customer who asks again within the throttle: its token once more, and nothing is sent.
    async fn recent(&self, cx: &mut Ctx, section: &OtpSection) -> Result<Option<Output>, Error> {
        if !matches!(self.asker, Asker::Bearer(_)) {
            return Ok(None);
        }
        let subject = self.asker.subject(&cx.shared.keys);
        let purpose = OtpPurpose::of_contact(self.contact).as_str();
        let throttle = throttle(section);
        if rate_limit::peek(&mut cx.tx, "resend", &guess::subject_of(purpose, &subject), &throttle, cx.now)
            .await?
            .is_none()
        {
            return Ok(None);
        }
        let by_subject = guess::subject_of(purpose, &subject);
        let wrong_codes = cx.shared.options.limits.wrong_codes.clone();
        refuse(rate_limit::peek(&mut cx.tx, "wrongCodes", &by_subject, &wrong_codes, cx.now).await?)?;
        let live = otp_verification::find_live(&mut cx.tx, &subject, purpose).await?;
        let live = live.filter(|otp| self.is_of_present_contact(cx, otp));
        Ok(live.filter(|otp| otp.expires_at > cx.now && otp.kind.as_deref() == Some(OtpKind::Verify.as_str())).map(
            |otp| Output {
                token: service::sign(&cx.shared.keys, &otp.id, OtpKind::Verify, otp.expires_at),
                expires_at: otp.expires_at,
            },
        ))
    }
}

impl Asked {
    /// Whether a live code went to the contact that the customer has now.
    fn is_of_present_contact(&self, cx: &Ctx, otp: &OtpVerification) -> bool {
        let sent_to = otp.destination_hmac.as_deref().unwrap_or_default();
        let keys = &cx.shared.keys;
        self.target.as_ref().is_ok_and(|target| keys.contact_matches(self.contact.as_str(), &target.value, sent_to))
    }
}

/// Counts, makes the code and enqueues the message, in the caller's transaction.
///
/// # Errors
/// 429 over a limit, and then nothing of it was counted once the caller rolls back; or when a statement fails.
pub async fn send(cx: &mut Ctx, section: &OtpSection, asked: Asked, address: Option<&str>) -> Result<Output, Error> {
    let shared = Arc::clone(&cx.shared);
    let purpose = OtpPurpose::of_contact(asked.contact);
    let subject = asked.asker.subject(&shared.keys);
    let destination = match &asked.target {
        Ok(target) => shared.keys.contact_hmac(asked.contact.as_str(), &target.value),
        Err(_) => subject.clone(),
    };
    let count = Sending { purpose, subject: &subject, destination: &destination, section, address, asked: &asked };
    count.take_limits(cx).await?;

    cx.step("generate-otp")?;
    let nobody = CustomerId::generate(cx.now, cx.bytes());
    let new = NewOtp {
        customer_id: asked.target.as_ref().map_or(&nobody, |target| &target.customer.id),
        purpose,
        kind: OtpKind::Verify,
        origin: asked.asker.origin(),
        subject: &subject,
        destination: &destination,
    };
    let otp = service::generate(cx, &new).await?;
    cx.step("send-notification")?;
    let message = message(cx, section, &asked, &otp);
    match &asked.target {
        Ok(_) => enqueue(cx, message).await?,
        Err(reason) => {
            if !shared.options.production {
                tracing::info!(otp.id = %otp.id, "Nothing was sent for {}: {reason}", otp.id);
            }
            enqueue_nothing(cx, message).await?;
        }
    }
    Ok(Output { token: otp.token, expires_at: otp.expires_at })
}

/// Steps `prepare-template-data` and `load-template`: what the message holds. A decoy's is made of nobody's data.
fn message(cx: &Ctx, section: &OtpSection, asked: &Asked, otp: &service::GeneratedOtp) -> Message {
    let kind = match asked.contact {
        ContactType::Email => MessageKind::EmailVerification,
        ContactType::Phone => MessageKind::PhoneVerification,
    };
    let mut variables = BTreeMap::from([
        ("otp", otp.code.clone()),
        ("code", otp.code.clone()),
        ("expires_at", otp.expires_at.to_string()),
        ("expiry_minutes", cx.shared.options.otp_expiry_minutes.to_string()),
    ]);
    let (to, receiver_id) = match &asked.target {
        Ok(target) => {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            variables.insert("customer_name", text(&target.customer.first_name));
            variables.insert("email", text(&target.customer.email));
            variables.insert("phone", text(&target.customer.phone));
            (target.value.clone(), Some(target.customer.id.as_str().to_owned()))
        }
        Err(_) => ("nobody".to_owned(), None),
    };
    Message {
        kind,
        channel: section.channel.clone(),
        to,
        variables,
        trigger_type: OtpPurpose::of_contact(asked.contact).as_str().to_owned(),
        receiver_id,
        expires_at: Some(otp.expires_at),
        idempotency_key: otp.id.as_str().to_owned(),
    }
}

/// One send as its limits see it.
struct Sending<'a> {
    purpose: OtpPurpose,
    subject: &'a str,
    destination: &'a str,
    section: &'a OtpSection,
    address: Option<&'a str>,
    asked: &'a Asked,
}

impl Sending<'_> {
    /// Takes every limit of a send, the narrow ones first, so that the row that all sends share is held last.
    async fn take_limits(&self, cx: &mut Ctx) -> Result<(), Error> {
        let shared = Arc::clone(&cx.shared);
        let limits = &shared.options.limits;
        let by_subject = guess::subject_of(self.purpose.as_str(), self.subject);
        let refused = rate_limit::peek(&mut cx.tx, "wrongCodes", &by_subject, &limits.wrong_codes, cx.now).await?;
        refuse(refused)?;
        for (name, subject, limit) in [
            ("resend", by_subject.as_str(), &throttle(self.section)),
            ("sendsPerSubject", by_subject.as_str(), &limits.sends_per_subject),
            ("sendsPerDestination", &self.destination_subject(&shared.keys), &limits.sends_per_destination),
        ] {
            refuse(rate_limit::take(&mut cx.tx, name, subject, limit, cx.now).await?)?;
        }
        if let Some(address) = rate_limit::address_subject(&shared.keys, self.address) {
            refuse(
                rate_limit::take(&mut cx.tx, "sendsPerAddress", &address, &limits.sends_per_address, cx.now).await?,
            )?;
        }
        self.take_channel(cx).await
    }

    /// What `sendsPerDestination` counts by. Each kind of asker has its own counters, so that sends by a customer's id and sends
    /// by a contact never show that they belong together; a contact that is named counts whether or not anybody has it.
    fn destination_subject(&self, keys: &Keys) -> String {
        match &self.asked.asker {
            Asker::Bearer(_) => format!("bearer:{}", self.destination),
            Asker::AnonymousId(_) => format!("anonymous id:{}", self.destination),
            Asker::AnonymousContact(contact, value) => {
                format!("anonymous contact:{}", keys.contact_hmac(contact.as_str(), value))
            }
        }
    }

    /// The budget of the channel. Only the identity's own request has a claim to the kept half: to others, an account in good
    /// standing must look like any other.
    async fn take_channel(&self, cx: &mut Ctx) -> Result<(), Error> {
        let shared = Arc::clone(&cx.shared);
        let recipient = match &self.asked.target {
            Ok(target) if matches!(self.asked.asker, Asker::Bearer(_)) => {
                session::recipient(&shared.options, &target.customer)
            }
            Ok(_) => Recipient::Open,
            Err(_) => Recipient::Nobody,
        };
        let limits = &shared.options.limits.sends_per_channel;
        refuse(rate_limit::take_from_channel(&mut cx.tx, limits, &self.section.channel, recipient, cx.now).await?)
    }
}

/// The throttle as a limit: one within its seconds; none where it is 0.
fn throttle(section: &OtpSection) -> Vec<Rate> {
    if section.resend_throttle_seconds <= 0 {
        return Vec::new();
    }
    vec![Rate { count: 1, seconds: section.resend_throttle_seconds }]
}

/// 429 with the seconds to wait, if there are any.
///
/// # Errors
/// Then.
fn refuse(seconds: Option<i64>) -> Result<(), Error> {
    match seconds {
        None => Ok(()),
        Some(seconds) => {
            let sentence = format!("Please wait {seconds} seconds before requesting another code");
            Err(Error::too_many_requests(sentence, seconds))
        }
    }
}

/// Finds who is meant and whether a code may go there.
async fn resolve(cx: &mut Ctx, input: &Input) -> Result<Asked, Error> {
    let own = own_customer(cx, input.claims.as_ref()).await?;
    match &input.named {
        Named::Customer(id) => {
            let id = CustomerId::from_stored(id.clone());
            let found = customer::find(&mut cx.tx, &id).await?.filter(|customer| customer.has_account);
            if own.as_ref() == Some(&id) {
                let customer =
                    found.ok_or_else(|| Error::not_found(format!("Customer with id: {id} was not found")))?;
                return own_target(cx, input.contact, customer);
            }
            let target = found.ok_or("no customer has that id").and_then(|it| may_receive(cx, it, input.contact));
            Ok(Asked { contact: input.contact, asker: Asker::AnonymousId(id.as_str().to_owned()), target })
        }
        Named::Contact(contact, text) => by_contact(cx, input, own, *contact, text).await,
    }
}

/// The customer of the identity that the request's token names, if the token counts.
async fn own_customer(cx: &mut Ctx, claims: Option<&AuthClaims>) -> Result<Option<CustomerId>, Error> {
    let Some(claims) = claims.filter(|claims| claims.actor_type == session::CUSTOMER) else { return Ok(None) };
    match session::live_identity(&mut cx.tx, claims).await {
        Ok(identity) => Ok(identity.customer_id()),
        Err(error) if error.kind == crate::error::ErrorKind::Unauthenticated => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whom a named contact means: the one account that may get a code there, else a decoy.
///
/// # Errors
/// 400 for a contact of the other kind or of no valid form; or when a statement fails.
async fn by_contact(
    cx: &mut Ctx,
    input: &Input,
    own: Option<CustomerId>,
    contact: ContactType,
    text: &str,
) -> Result<Asked, Error> {
    if contact != input.contact {
        let purpose = OtpPurpose::of_contact(input.contact).as_str();
        return Err(Error::invalid_data(format!("Send `{}` or `customer_id` for {purpose}", input.contact.as_str())));
    }
    let country = cx.shared.options.default_country.clone();
    let identifier = Identifier::read(contact, text, country.as_deref());
    let Some(value) = identifier.canonical.clone() else { return Err(invalid_identifier(contact)) };
    let mut found = match contact {
        ContactType::Email => customer::list_accounts_by_email(&mut cx.tx, &value).await?,
        ContactType::Phone => customer::list_accounts_by_phone(&mut cx.tx, &identifier.raw, &value).await?,
    };
    if let Some(mine) = found.iter().position(|customer| Some(&customer.id) == own.as_ref()) {
        return own_target(cx, contact, found.swap_remove(mine));
    }
    let logs_in = login_holder(cx, &identifier).await?;
    let target = match found.len() {
        0 => Err("no account has that contact"),
        1 => {
            let customer = found.swap_remove(0);
            if session::is_verified(&customer, contact) || logs_in.as_ref() == Some(&customer.id) {
                may_receive(cx, customer, contact)
            } else {
                Err("the contact is neither proven nor logged in with")
            }
        }
        _ => Err("several accounts hold that contact"),
    };
    Ok(Asked { contact, asker: Asker::AnonymousContact(contact, value), target })
}

/// Whose login a contact is.
async fn login_holder(cx: &mut Ctx, identifier: &Identifier) -> Result<Option<CustomerId>, Error> {
    let found = crate::modules::auth::credential::find(&mut cx.tx, identifier).await?;
    Ok(found.and_then(|row: provider_identity::ProviderIdentity| row.identity.customer_id()))
}

/// For the customer's own identity: the truth about what is missing.
fn own_target(cx: &Ctx, contact: ContactType, customer: Customer) -> Result<Asked, Error> {
    let Some(value) = contact_of(&customer, contact) else {
        return Err(Error::invalid_data(format!("Customer has no {}", contact.as_str())));
    };
    if session::is_verified(&customer, contact) {
        return Err(Error::not_allowed(format!("{} is already verified", contact.title())));
    }
    if !is_reachable(cx, contact, &value) {
        return Err(Error::not_allowed("Text messages to this country are not enabled"));
    }
    Ok(Asked::own(customer, contact, value))
}

/// For everybody else: whether a code goes out, and if not, why, for the developer's log alone.
fn may_receive(cx: &Ctx, customer: Customer, contact: ContactType) -> Result<Target, &'static str> {
    let value = contact_of(&customer, contact).ok_or("the customer has no such contact")?;
    if session::is_verified(&customer, contact) {
        return Err("the contact is verified already");
    }
    if !is_reachable(cx, contact, &value) {
        return Err("smsCountries does not list the number's country");
    }
    Ok(Target { customer, value })
}

/// A customer's contact, if there is one.
fn contact_of(customer: &Customer, contact: ContactType) -> Option<String> {
    match contact {
        ContactType::Email => customer.email.clone(),
        ContactType::Phone => customer.phone.clone(),
    }
}

/// Whether text messages may go to a number (`limits.smsCountries`); an e-mail is always reachable.
pub(crate) fn is_reachable(cx: &Ctx, contact: ContactType, value: &str) -> bool {
    let countries = &cx.shared.options.limits.sms_countries;
    if contact == ContactType::Email || countries.is_empty() {
        return true;
    }
    PhoneNumber::parse(value, None).is_some_and(|phone| countries.contains(&phone.calling_code()))
}
