//! Sending a code, whoever asks and whatever for: every limit of a send, the code, its message. In the caller's transaction.
//!
//! A decoy takes the same way as a code that goes out, so that the two cost the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use cr_db::models::customer::Customer;
use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;

use crate::ctx::Ctx;
use crate::delivery::message::MessageKind;
use crate::error::Error;
use crate::identifiers::PhoneNumber;
use crate::keys::Keys;
use crate::modules::auth::session;
use crate::modules::auth::token::OtpKind;
use crate::modules::otp_verification::guess;
use crate::modules::otp_verification::service::{Asker, NewOtp, OtpPurpose, PreparedOtp};
use crate::modules::rate_limit::channel_budget::{Recipient, take_send};
use crate::modules::rate_limit::{self, Counter};
use crate::options::{ContactType, OtpSection, Rate};
use crate::workflows::steps::send_notification::Notification;
use crate::workflows::steps::{generate_contact_change_otp, generate_otp, load_template, prepare_template_data};

/// Why nothing goes to a number, for the developer's log.
pub const NOT_LISTED: &str = "smsCountries does not list the number's country";

/// A customer and the contact that a code goes to.
pub struct Target {
    /// Whose code it is.
    pub customer: Customer,
    /// Where it goes: one of the customer's contacts, or the new one that they want.
    pub value: String,
}

/// One code that is asked for.
pub struct OtpSend<'a> {
    /// What for.
    pub purpose: OtpPurpose,
    /// Which routes take its token.
    pub kind: OtpKind,
    /// What kind of contact the code goes to.
    pub contact: ContactType,
    /// Who asked.
    pub asker: Asker,
    /// Holds the throttle.
    pub section: &'a OtpSection,
    /// The notification channel.
    pub channel: &'a str,
    /// The message that carries the code.
    pub message: MessageKind,
    /// `Err`: a decoy, and why, for the developer's log.
    pub target: Result<Target, &'static str>,
    /// What belongs to the code and stays secret, such as the new contact; sealed into its row.
    pub sealed: Option<&'a [u8]>,
    /// The client's address, as limits know it.
    pub address: Option<&'a str>,
    /// What the message's template may use beyond what every code's may.
    pub variables: BTreeMap<&'static str, String>,
}

impl<'a> OtpSend<'a> {
    /// The verification of a contact that stands in the customer's row, or a decoy of one.
    pub fn verification(
        contact: ContactType,
        section: &'a OtpSection,
        asker: Asker,
        target: Result<Target, &'static str>,
        address: Option<&'a str>,
    ) -> Self {
        let purpose = OtpPurpose::of_contact(contact);
        Self {
            purpose,
            kind: OtpKind::Verify,
            contact,
            asker,
            section,
            channel: &section.channel,
            message: load_template::run(purpose),
            target,
            sealed: None,
            address,
            variables: BTreeMap::new(),
        }
    }
}

/// What the client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentOtp {
    /// Goes with the code to the route that takes it.
    pub token: String,
    /// When the code dies.
    pub expires_at: Timestamp,
}

/// Counts, makes the code and enqueues the message. A number whose country `smsCountries` does not list gets a decoy: a caller
/// that may tell looks first.
///
/// # Errors
/// 429 over a limit, and then nothing of it was counted once the caller rolls back; or when a statement fails.
pub async fn send(cx: &mut Ctx, mut send: OtpSend<'_>) -> Result<SentOtp, Error> {
    if send.target.as_ref().is_ok_and(|target| !is_reachable(cx, send.contact, &target.value)) {
        send.target = Err(NOT_LISTED);
    }
    let shared = Arc::clone(&cx.shared);
    let subject = send.asker.subject(&shared.keys);
    let destination = match &send.target {
        Ok(target) => shared.keys.contact_hmac(send.contact.as_str(), &target.value),
        Err(_) => subject.clone(),
    };
    take_limits(cx, &send, &subject, &destination).await?;

    let nobody = CustomerId::generate(cx.now, cx.bytes());
    let new = NewOtp {
        customer_id: send.target.as_ref().map_or(&nobody, |target| &target.customer.id),
        purpose: send.purpose,
        kind: send.kind,
        origin: send.asker.origin(),
        subject: &subject,
        destination: &destination,
        sealed: send.sealed,
    };
    let PreparedOtp { otp, row } = match send.kind {
        OtpKind::ContactChange => generate_contact_change_otp::run(cx, &new)?,
        OtpKind::Verify | OtpKind::Deletion | OtpKind::Cancellation => generate_otp::run(cx, &new)?,
    };
    let customer = send.target.as_ref().ok().map(|target| &target.customer);
    let variables = prepare_template_data::run(&shared.options, customer, &otp, send.variables);
    let notification = Notification {
        kind: send.message,
        channel: send.channel,
        trigger_type: send.purpose.as_str(),
        variables,
        to: send.target.as_ref().map(|target| target.value.as_str()).map_err(|reason| *reason),
        receiver_id: customer.map(|customer| customer.id.as_str()),
        otp: &row,
    };
    notification.send(cx).await?;
    Ok(SentOtp { token: otp.token, expires_at: otp.expires_at })
}

/// Takes every limit of a send.
///
/// # Errors
/// 429 when one is used up; or when a statement fails.
async fn take_limits(cx: &mut Ctx, send: &OtpSend<'_>, subject: &str, destination: &str) -> Result<(), Error> {
    let shared = Arc::clone(&cx.shared);
    let limits = &shared.options.limits;
    let by_subject = guess::subject_of(send.purpose.as_str(), subject);
    let throttle = throttle(send.section);
    let destination = destination_subject(&shared.keys, &send.asker, destination);
    let address = rate_limit::address_subject(&shared.keys, send.address);
    let wrong_codes = Counter::new("wrongCodes", &by_subject, &limits.wrong_codes);
    let mut taken = vec![
        Counter::new("resend", &by_subject, &throttle),
        Counter::new("sendsPerSubject", &by_subject, &limits.sends_per_subject),
        Counter::new("sendsPerDestination", &destination, &limits.sends_per_destination),
    ];
    if let Some(address) = &address {
        taken.push(Counter::new("sendsPerAddress", address, &limits.sends_per_address));
    }
    // Only the identity's own request has a claim to the kept half of a channel's budget: to others, an account in good standing
    // must look like any other.
    let recipient = match &send.target {
        Ok(target) if matches!(send.asker, Asker::Bearer(_)) => session::recipient(&shared.options, &target.customer),
        Ok(_) => Recipient::Open,
        Err(_) => Recipient::Nobody,
    };
    refuse(take_send(cx, &[wrong_codes], &taken, send.channel, recipient).await?)
}

/// What `sendsPerDestination` counts by. Each kind of asker has its own counters, so that sends by a customer's id and sends by
/// a contact never show that they belong together; a contact that is named counts whether or not anybody has it.
fn destination_subject(keys: &Keys, asker: &Asker, destination: &str) -> String {
    match asker {
        Asker::Bearer(_) => format!("bearer:{destination}"),
        Asker::AnonymousId(_) => format!("anonymous id:{destination}"),
        Asker::AnonymousContact(contact, value) => {
            format!("anonymous contact:{}", keys.contact_hmac(contact.as_str(), value))
        }
    }
}

/// The throttle as a limit: one within its seconds; none where it is 0.
pub fn throttle(section: &OtpSection) -> Vec<Rate> {
    if section.resend_throttle_seconds <= 0 {
        return Vec::new();
    }
    vec![Rate { count: 1, seconds: section.resend_throttle_seconds }]
}

/// 429 with the seconds to wait, if there are any.
///
/// # Errors
/// Then.
pub fn refuse(seconds: Option<i64>) -> Result<(), Error> {
    match seconds {
        None => Ok(()),
        Some(seconds) => {
            let sentence = format!("Please wait {seconds} seconds before requesting another code");
            Err(Error::too_many_requests(sentence, seconds))
        }
    }
}

/// Whether text messages may go to a number (`limits.smsCountries`); an e-mail is always reachable.
pub fn is_reachable(cx: &Ctx, contact: ContactType, value: &str) -> bool {
    let countries = &cx.shared.options.limits.sms_countries;
    if contact == ContactType::Email || countries.is_empty() {
        return true;
    }
    PhoneNumber::parse(value, None).is_some_and(|phone| countries.contains(&phone.calling_code()))
}

/// 400 for a number whose country `smsCountries` does not list, told to its owner alone.
pub fn unreachable() -> Error {
    Error::not_allowed("Text messages to this country are not enabled")
}
