//! `POST /store/customers/otp/verify`: a code that came back proves the contact that it was sent to, and no other.

use cr_db::models::auth_identity::AuthIdentity;
use cr_db::models::cr_limit;
use cr_db::models::customer::Customer;
use cr_db::models::customer_session::{self, Session};
use cr_db::models::otp_verification::{GuessedCode, OtpVerification};
use cr_db::models::provider_identity;
use cr_types::ids::AuthIdentityId;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind};
use crate::events::{self, Event};
use crate::modules::auth::login_failures;
use crate::modules::auth::session::{self, Subject, is_verified};
use crate::modules::auth::token::{AuthClaims, OtpKind};
use crate::modules::customer::{proof, verification, view};
use crate::modules::otp_verification::guess;
use crate::modules::otp_verification::service::OtpPurpose;
use crate::options::ContactType;

/// What came back.
pub struct Input {
    /// From `otp/send`.
    pub token: String,
    /// From the message.
    pub code: String,
    /// The request's token, whosever it is, and whether or not it counts still: one that does not is ignored.
    pub claims: Option<AuthClaims>,
}

/// What the client gets.
pub struct Output {
    /// Which contact is proven now.
    pub contact: ContactType,
    /// The customer: whole for the identity's own request, else id and flags alone.
    pub customer: Map<String, Value>,
    /// A login token, where the request came from the same identity and the customer may log in now.
    pub login: Option<String>,
}

/// Verifies.
///
/// # Errors
/// As [`guess::take`]; 403 for a token whose customer is about to be deleted; 400 when an anonymous code may not prove this contact; 422
/// when another account has proven it.
pub async fn run(app: &App, input: Input) -> Result<Output, Error> {
    let guessed = guess::take(app, &input.token, &input.code, OtpKind::Verify).await?;
    let contact = OtpPurpose::contact_of(&guessed.otp.purpose).ok_or_else(guess::no_longer_valid)?;
    let GuessedCode { otp, contact: value } = guessed;
    let value = value.ok_or_else(guess::no_longer_valid)?;
    let mut cx = app.begin().await?;
    cx.step("verify-otp")?;
    let session = lock_target(&mut cx, &otp, contact, &value, input.claims.as_ref()).await?;
    let claims = match input.claims {
        Some(claims) if session::is_acting(&mut cx.tx, &claims, &session).await? => Some(claims),
        _ => None,
    };
    let canonical = proof::canonical(&cx, contact, &value);
    let identifier = cx.shared.keys.contact_hmac(contact.as_str(), &canonical);
    let failures = login_failures::counters(&cx, &identifier);
    let has_failures = guess::consume(&mut cx, &otp, &failures).await?;
    let own = claims.as_ref().and_then(|claims| session::own_identity(&session, claims));
    let is_own = own.is_some();
    let Session { mut customer, is_deletion_active, addresses, .. } = session;
    if !is_own && otp.origin.as_deref() != Some("bearer") {
        check_anonymous(&mut cx, &customer, contact, &value).await?;
    }
    cx.step(match contact {
        ContactType::Email => "verify-email",
        ContactType::Phone => "verify-phone",
    })?;
    // A phone that an import wrote in another form is stored as E.164 from now on; an e-mail keeps its case.
    let stored = if contact == ContactType::Phone { &canonical } else { &value };
    proof::prove(&mut cx, &mut customer, contact, stored).await?;
    if has_failures {
        cr_limit::clear(&mut cx.tx, &failures).await?;
    }
    let login = match claims.zip(own).filter(|_| !is_deletion_active) {
        Some((claims, identity)) => login_token(&mut cx, &customer, contact, &claims, &identity).await?,
        None => None,
    };
    events::emit(&mut cx, Event::verified(contact, customer.id.clone())).await?;
    cx.commit().await?;
    let body = if is_own { view::body(&customer, &addresses) } else { flags(&customer) };
    Ok(Output { contact, customer: body, login })
}

/// Locks contact and customer, and makes sure that the customer still has the contact, which they had when the guess was counted, and
/// that the code went to it. Who asks comes with it.
async fn lock_target(
    cx: &mut Ctx,
    otp: &OtpVerification,
    contact: ContactType,
    value: &str,
    claims: Option<&AuthClaims>,
) -> Result<Session, Error> {
    proof::hold(cx, &otp.customer_id, contact, value).await?;
    // Without a token: an id that no identity has.
    let identity = claims.map(|claims| claims.auth_identity_id.clone()).unwrap_or_default();
    let identity = AuthIdentityId::from_stored(identity);
    let found = customer_session::find(&mut cx.tx, &otp.customer_id, &identity, claims.is_some()).await?;
    let session = found.ok_or_else(guess::no_longer_valid)?;
    let sent_to = otp.destination_hmac.as_deref().unwrap_or_default();
    let is_same = proof::contact_of(&session.customer, contact) == Some(value)
        && cx.shared.keys.contact_matches(contact.as_str(), value, sent_to);
    if is_same && session.customer.has_account { Ok(session) } else { Err(guess::no_longer_valid()) }
}

/// A code that somebody without the identity's token asked for proves a contact only while nothing of the account is proven, or
/// when the account logs in with that contact.
async fn check_anonymous(cx: &mut Ctx, customer: &Customer, contact: ContactType, value: &str) -> Result<(), Error> {
    let is_anything_proven = is_verified(customer, ContactType::Email)
        || is_verified(customer, ContactType::Phone)
        || session::is_older_than_demand(&cx.shared.options, customer)
        || verification::covers(cx, customer, ContactType::Email).await?
        || verification::covers(cx, customer, ContactType::Phone).await?;
    if !is_anything_proven {
        return Ok(());
    }
    let credentials = provider_identity::list_of_customer(&mut cx.tx, &customer.id).await?;
    let logs_in = cx.shared.options.login_identifier.takes(contact)
        && credentials.iter().any(|row| row.provider == contact.provider() && row.entity_id == value);
    if logs_in { Ok(()) } else { Err(Error::not_allowed("Log in to verify this contact")) }
}

/// A login token, if the customer, who is not leaving, may log in on this channel now.
async fn login_token(
    cx: &mut Ctx,
    customer: &Customer,
    contact: ContactType,
    claims: &AuthClaims,
    identity: &AuthIdentity,
) -> Result<Option<String>, Error> {
    if !cx.shared.options.login_identifier.takes(contact) {
        return Ok(None);
    }
    let has_mfa_factors = cx.medusa_tables.mfa_factors;
    let second_factor = match session::second_factor(&mut cx.tx, has_mfa_factors, identity, claims).await {
        Err(error) if error.kind == ErrorKind::Unauthenticated => return Ok(None),
        other => other?,
    };
    let subject = Subject {
        actor_id: customer.id.as_str(),
        actor_type: session::CUSTOMER,
        identity,
        provider: contact.provider(),
        user_metadata: Map::new(),
        second_factor,
    };
    Ok(Some(session::issue(&cx.shared.keys, &cx.shared.options, subject, cx.now)))
}

/// What the answer shows to whoever is not known to be the customer.
fn flags(customer: &Customer) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("id".to_owned(), json!(customer.id));
    body.insert("email_verified".to_owned(), json!(customer.is_email_verified()));
    body.insert("phone_verified".to_owned(), json!(customer.is_phone_verified()));
    body
}
