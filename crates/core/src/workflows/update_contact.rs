//! `POST /store/customers/me/contact/verify`: the code came back from the new contact, so it is the customer's.

use std::collections::BTreeMap;

use cr_db::models::auth_identity::AuthIdentity;
use cr_db::models::cr_limit;
use cr_db::models::customer::{self, Customer};
use cr_db::models::otp_verification::OtpVerification;
use cr_types::ids::CustomerId;
use serde_json::{Map, Value};

use crate::app::App;
use crate::ctx::Ctx;
use crate::delivery::message::MessageKind;
use crate::delivery::notice;
use crate::error::Error;
use crate::events::{self, Event};
use crate::modules::auth::login_failures;
use crate::modules::auth::session::{self, CUSTOMER, Subject};
use crate::modules::auth::token::{AuthClaims, OtpKind};
use crate::modules::customer::undo::Undo;
use crate::modules::customer::{proof, view};
use crate::modules::otp_verification::guess;
use crate::modules::otp_verification::service::{OtpPurpose, OtpVerificationService};
use crate::options::ContactType;

/// What came back.
pub struct Input {
    /// Whose account; their own token says so.
    pub customer_id: CustomerId,
    /// The request's token.
    pub claims: AuthClaims,
    /// From `me/contact`.
    pub token: String,
    /// From the message.
    pub code: String,
}

/// What the client gets.
pub struct Output {
    /// The customer with the new contact.
    pub customer: Map<String, Value>,
    /// A fresh login token.
    pub token: String,
}

/// Changes or adds the contact: column, proof, flag and credential, notices to what was proven before, in one transaction.
///
/// # Errors
/// 401 for a token of another customer; as [`guess::take`]; 422 when another account has proven the contact meanwhile.
pub async fn run(app: &App, input: Input) -> Result<Output, Error> {
    check_owner(app, &input).await?;
    let otp = guess::take(app, &input.token, &input.code, OtpKind::ContactChange).await?.otp;
    let (contact, value) = content(app, &otp)?;
    let mut cx = app.begin().await?;
    cx.step("verify-otp")?;
    let mut customer = lock_customer(&mut cx, &input.customer_id, contact, &value).await?;
    let identifier = cx.shared.keys.contact_hmac(contact.as_str(), &proof::canonical(&cx, contact, &value));
    let failures = login_failures::counters(&cx, &identifier);
    let has_failures = guess::consume(&mut cx, &otp, &failures).await?;
    let before = customer.clone();
    let undo = Undo::of(&mut cx, &customer).await?;
    cx.step("update-contact")?;
    proof::prove(&mut cx, &mut customer, contact, &value).await?;
    if has_failures {
        cr_limit::clear(&mut cx.tx, &failures).await?;
    }
    cx.step("send-notification")?;
    let event = Event::CustomerContactChanged { id: customer.id.clone(), contact };
    tell(&mut cx, &before, contact, &undo, event.name()).await?;
    events::emit(&mut cx, event).await?;
    let addresses = cr_db::models::customer_address::list(&mut cx.tx, &customer.id).await?;
    let identity = session::live_identity(&mut cx.tx, &input.claims).await?;
    let second_factor =
        session::second_factor(&mut cx.tx, app.db.medusa_tables().mfa_factors, &identity, &input.claims).await?;
    let token = token(&cx, &customer, &identity, &input.claims, second_factor);
    cx.commit().await?;
    Ok(Output { customer: view::body(&customer, &addresses), token })
}

/// Before a guess is counted: a token of somebody else's is none of this customer's.
async fn check_owner(app: &App, input: &Input) -> Result<(), Error> {
    let mut cx = app.begin_read().await?;
    let (owner, ..) = OtpVerificationService::decode_contact_change_token(&mut cx, &input.token).await?;
    if owner == input.customer_id {
        return Ok(());
    }
    Err(Error::unauthorized("Token does not belong to this customer"))
}

/// Which contact a code was made for, and its value.
fn content(app: &App, otp: &OtpVerification) -> Result<(ContactType, String), Error> {
    let contact = OtpPurpose::contact_of(&otp.purpose).ok_or_else(guess::no_longer_valid)?;
    let plain = guess::open_sealed(&app.shared.keys, otp).ok_or_else(guess::no_longer_valid)?;
    Ok((contact, String::from_utf8(plain).map_err(Error::internal)?))
}

/// The customer, under the locks of the new contact and of the row.
async fn lock_customer(cx: &mut Ctx, id: &CustomerId, contact: ContactType, value: &str) -> Result<Customer, Error> {
    proof::hold(cx, id, contact, value).await?;
    let found = customer::find(&mut cx.tx, id).await?.filter(|customer| customer.has_account);
    found.ok_or_else(Error::unauthenticated)
}

/// Tells every contact that was proven before the change, each with the way back.
async fn tell(
    cx: &mut Ctx,
    before: &Customer,
    contact: ContactType,
    undo: &Undo,
    trigger_type: &str,
) -> Result<(), Error> {
    let word = match contact {
        ContactType::Email => "e-mail address",
        ContactType::Phone => "phone number",
    };
    let mut variables = BTreeMap::from([("channel", word.to_owned())]);
    if let Some(base) = cx.shared.options.storefront_url.clone() {
        variables.insert("undo_url", format!("{base}/undo-contact-change?token={}", undo.seal(cx)?));
    }
    notice::to_proven_contacts(cx, before, MessageKind::ContactChangeNotice, trigger_type, variables).await
}

/// A fresh login token for the identity of the request.
fn token(
    cx: &Ctx,
    customer: &Customer,
    identity: &AuthIdentity,
    claims: &AuthClaims,
    second_factor: Option<Value>,
) -> String {
    let subject = Subject {
        actor_id: customer.id.as_str(),
        actor_type: CUSTOMER,
        identity,
        provider: claims.auth_provider.as_deref().unwrap_or("emailpass"),
        user_metadata: Map::new(),
        second_factor,
    };
    session::issue(&cx.shared.keys, &cx.shared.options, subject, cx.now)
}
