//! Step `determine-contact-method`: which of a customer's contacts a code goes to, over which channel.

use cr_db::models::customer::Customer;

use crate::error::Error;
use crate::modules::auth::session::is_verified;
use crate::modules::customer::proof::contact_of;
use crate::options::{ContactType, Options, OtpSection};

/// A contact and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactMethod {
    /// E-mail or phone.
    pub contact: ContactType,
    /// The customer's value.
    pub value: String,
    /// The notification channel.
    pub channel: String,
}

/// Where a code about the account itself goes: by the section's channel to the contact that it stands for (`email`: the
/// e-mail; anything else: the phone), if that is proven; else to the other one, if that is, over its verification's channel.
///
/// # Errors
/// 400 when nothing of the customer is proven.
pub fn run(options: &Options, section: &OtpSection, customer: &Customer) -> Result<ContactMethod, Error> {
    let first = contact_of_channel(&section.channel);
    for contact in [first, first.other()] {
        let Some(value) = contact_of(customer, contact).filter(|_| is_verified(customer, contact)) else { continue };
        let channel = if contact == first { section.channel.clone() } else { channel_of(options, contact) };
        return Ok(ContactMethod { contact, value: value.to_owned(), channel });
    }
    Err(Error::invalid_data("Verify your email or your phone first"))
}

/// Which contact a channel carries messages to: the plugin's rule.
pub fn contact_of_channel(channel: &str) -> ContactType {
    if channel == "email" { ContactType::Email } else { ContactType::Phone }
}

/// The channel that reaches a contact: its verification's, else Medusa's usual word.
pub fn channel_of(options: &Options, contact: ContactType) -> String {
    let usual = match contact {
        ContactType::Email => "email",
        ContactType::Phone => "sms",
    };
    options.verification(contact).map_or(usual, |section| &section.channel).to_owned()
}
