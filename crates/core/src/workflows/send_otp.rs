//! `POST /store/customers/otp/send`: a code to a contact, or for whoever may not know, something that looks the same.
//!
//! Without a bearer token of the customer's own identity the answer never tells whether anything was sent: unknown, no such
//! contact, verified already, all get a decoy, a row like any other whose code nobody has.

use std::sync::Arc;

use cr_db::models::customer::{self, Customer};
use cr_db::models::customer_session::Session;
use cr_db::models::otp_verification::{self, OtpVerification};
use cr_types::ids::CustomerId;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind};
use crate::modules::auth::credential::Identifier;
use crate::modules::auth::session;
use crate::modules::auth::token::{AuthClaims, OtpKind};
use crate::modules::customer::{lookup, proof};
use crate::modules::otp_verification::guess;
use crate::modules::otp_verification::sending::{
    self, NOT_LISTED, OtpSend, SentOtp, Target, is_reachable, refuse, throttle, unreachable,
};
use crate::modules::otp_verification::service::{self, Asker, OtpPurpose};
use crate::modules::rate_limit::{self, Counter};
use crate::options::{ContactType, OtpSection};
use crate::workflows::register::invalid_identifier;
use crate::workflows::steps::{resolve_channel_config, retrieve_customer};

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
    /// The request's token, whosever it is, and whether or not it counts still: one that does not is ignored.
    pub claims: Option<AuthClaims>,
    /// The customer that the token was found to count for, where it was looked up already: not again, so that the answer is to what was so
    /// then. Whoever changed or lost the contact since gets a code that proves nothing.
    pub session: Option<Box<Session>>,
    /// The client's address, as limits know it.
    pub address: Option<String>,
}

/// Sends a code, or a decoy.
///
/// # Errors
/// 400 when the channel is not configured; 403 for a token whose customer is about to be deleted; 429 over a limit; with the identity's
/// own bearer token also 404 and 400 that tell what is missing.
pub async fn run(app: &App, input: Input) -> Result<SentOtp, Error> {
    let section = resolve_channel_config::run(&app.shared.options, OtpPurpose::of_contact(input.contact))?.clone();
    let mut cx = app.begin().await?;
    cx.step("retrieve-customer")?;
    let asked = resolve(&mut cx, &input).await?;
    let own = asked.own_contact(&cx);
    let Asked { contact, asker, target } = asked;
    let send = OtpSend::verification(contact, &section, asker, target, input.address.as_deref());
    match (sending::send(&mut cx, send).await, own) {
        (Ok(output), _) => {
            cx.commit().await?;
            Ok(output)
        }
        // Rare, and so kept out of the future of each request.
        (Err(error), Some(own)) if error.kind == ErrorKind::TooManyRequests => {
            cx.tx.roll_back().await?;
            Box::pin(own.recent(app, contact, &section)).await?.ok_or(error)
        }
        (Err(error), _) => Err(error),
    }
}

/// A request, looked up: who asked, and what of it can be sent.
struct Asked {
    contact: ContactType,
    asker: Asker,
    /// `Err`: a decoy, and why, for the developer's log.
    target: Result<Target, &'static str>,
}

impl Asked {
    /// A verification that the customer's own identity asks for.
    fn own(customer: Customer, contact: ContactType, value: String) -> Self {
        Self { contact, asker: Asker::Bearer(customer.id.clone()), target: Ok(Target { customer, value }) }
    }

    /// For the customer's own identity: what it asks about.
    fn own_contact(&self, cx: &Ctx) -> Option<OwnContact> {
        match (&self.asker, &self.target) {
            (asker @ Asker::Bearer(_), Ok(target)) => {
                Some(OwnContact { subject: asker.subject(&cx.shared.keys), value: target.value.clone() })
            }
            _ => None,
        }
    }
}

/// A contact of the customer who asks.
struct OwnContact {
    /// [`Asker::subject`].
    subject: String,
    /// As the customer has it now.
    value: String,
}

impl OwnContact {
    /// The live code of a customer who asks again within the throttle: its token once more, and nothing is sent. `None` when it is another
    /// limit that refused a new one.
    ///
    /// # Errors
    /// 429 when no guess is left at its codes; or when a statement fails.
    async fn recent(&self, app: &App, contact: ContactType, section: &OtpSection) -> Result<Option<SentOtp>, Error> {
        let mut cx = app.begin().await?;
        let purpose = OtpPurpose::of_contact(contact).as_str();
        let by_subject = guess::subject_of(purpose, &self.subject);
        let (shared, throttle) = (Arc::clone(&cx.shared), throttle(section));
        let counters = [
            Counter::new("resend", &by_subject, &throttle),
            Counter::new("wrongCodes", &by_subject, &shared.options.limits.wrong_codes),
        ];
        let waiting = rate_limit::peek(&mut cx.tx, &counters, cx.now).await?;
        let [Some(_), wrong_codes] = waiting[..] else { return Ok(None) };
        refuse(wrong_codes)?;
        let live = otp_verification::find_live(&mut cx.tx, &self.subject, purpose).await?;
        // What it rests on must be there before it is told.
        cx.tx.commit().await?;
        let is_good = |otp: &OtpVerification| {
            let sent_to = otp.destination_hmac.as_deref().unwrap_or_default();
            otp.expires_at > cx.now
                && otp.kind.as_deref() == Some(OtpKind::Verify.as_str())
                && shared.keys.contact_matches(contact.as_str(), &self.value, sent_to)
        };
        Ok(live.filter(is_good).map(|otp| SentOtp {
            token: service::sign(&shared.keys, &otp.id, OtpKind::Verify, otp.expires_at),
            expires_at: otp.expires_at,
        }))
    }
}

/// Finds who is meant and whether a code may go there.
async fn resolve(cx: &mut Ctx, input: &Input) -> Result<Asked, Error> {
    let looked_up;
    let (session, claims) = match (input.session.as_deref(), input.claims.as_ref()) {
        (Some(session), _) if session.is_deletion_active => {
            return Err(session::deletion_pending(session.deletion_scheduled_at));
        }
        (None, Some(claims)) if !claims.actor_id.is_empty() => {
            looked_up = session::acting_customer(&mut cx.tx, claims).await?;
            (looked_up.as_ref(), looked_up.as_ref().map(|_| claims))
        }
        given => given,
    };
    let known = session.zip(claims).filter(|(session, claims)| session::own_identity(session, claims).is_some());
    let known = known.map(|(session, _)| &session.customer);
    let own = match known {
        Some(customer) => Some(customer.id.clone()),
        None => own_customer(cx, claims).await?,
    };
    match &input.named {
        Named::Customer(id) => {
            let id = CustomerId::from_stored(id.clone());
            if let Some(customer) = known.filter(|customer| customer.id == id) {
                return own_target(cx, input.contact, customer.clone());
            }
            let found = customer::find(&mut cx.tx, &id).await?.filter(|customer| customer.has_account);
            if own.as_ref() == Some(&id) {
                let customer = found.ok_or_else(|| retrieve_customer::not_found(&id))?;
                return own_target(cx, input.contact, customer);
            }
            let target = found.ok_or("no customer has that id").and_then(|it| may_receive(cx, it, input.contact));
            Ok(Asked { contact: input.contact, asker: Asker::AnonymousId(id.as_str().to_owned()), target })
        }
        Named::Contact(contact, text) => {
            let identifier = identifier_of(cx, input.contact, *contact, text)?;
            match known.filter(|customer| lookup::is_held_by(customer, &identifier)) {
                Some(customer) => own_target(cx, *contact, customer.clone()),
                None => by_contact(cx, identifier, own).await,
            }
        }
    }
}

/// The customer of the identity that the request's token names, if the token counts.
async fn own_customer(cx: &mut Ctx, claims: Option<&AuthClaims>) -> Result<Option<CustomerId>, Error> {
    let Some(claims) = claims.filter(|claims| claims.actor_type == session::CUSTOMER) else { return Ok(None) };
    match session::live_identity(&mut cx.tx, claims).await {
        Ok(identity) => Ok(identity.customer_id()),
        Err(error) if error.kind == ErrorKind::Unauthenticated => Ok(None),
        Err(error) => Err(error),
    }
}

/// A contact that is named, of the kind that is to be verified.
///
/// # Errors
/// 400 for one of the other kind or of no valid form.
fn identifier_of(cx: &Ctx, wanted: ContactType, contact: ContactType, text: &str) -> Result<Identifier, Error> {
    if contact != wanted {
        let purpose = OtpPurpose::of_contact(wanted).as_str();
        return Err(Error::invalid_data(format!("Send `{}` or `customer_id` for {purpose}", wanted.as_str())));
    }
    let identifier = Identifier::read(contact, text, cx.shared.options.default_country.as_deref());
    if identifier.canonical.is_none() { Err(invalid_identifier(contact)) } else { Ok(identifier) }
}

/// Whom a named contact means: the one account that may get a code there, else a decoy.
///
/// # Errors
/// When a statement fails.
async fn by_contact(cx: &mut Ctx, identifier: Identifier, own: Option<CustomerId>) -> Result<Asked, Error> {
    let contact = identifier.contact;
    let mut found = lookup::holders(cx, &identifier).await?;
    if let Some(mine) = found.accounts.iter().position(|customer| Some(&customer.id) == own.as_ref()) {
        return own_target(cx, contact, found.accounts.swap_remove(mine));
    }
    let target = lookup::choose(&identifier, found).and_then(|customer| may_receive(cx, customer, contact));
    Ok(Asked { contact, asker: Asker::AnonymousContact(contact, identifier.key()), target })
}

/// For the customer's own identity: the truth about what is missing.
fn own_target(cx: &Ctx, contact: ContactType, customer: Customer) -> Result<Asked, Error> {
    let Some(value) = proof::contact_of(&customer, contact).map(ToOwned::to_owned) else {
        return Err(Error::invalid_data(format!("Customer has no {}", contact.as_str())));
    };
    if session::is_verified(&customer, contact) {
        return Err(Error::not_allowed(format!("{} is already verified", contact.title())));
    }
    if !is_reachable(cx, contact, &value) {
        return Err(unreachable());
    }
    Ok(Asked::own(customer, contact, value))
}

/// For everybody else: whether a code goes out, and if not, why, for the developer's log alone.
fn may_receive(cx: &Ctx, customer: Customer, contact: ContactType) -> Result<Target, &'static str> {
    let value =
        proof::contact_of(&customer, contact).map(ToOwned::to_owned).ok_or("the customer has no such contact")?;
    if session::is_verified(&customer, contact) {
        return Err("the contact is verified already");
    }
    if !is_reachable(cx, contact, &value) {
        return Err(NOT_LISTED);
    }
    Ok(Target { customer, value })
}
