//! Erasing a customer: the identities, what we keep of them, and the row itself by `account_deletion_request.erasure`.

use cr_db::models::auth_identity::{self, AuthIdentity};
use cr_db::models::customer::{self, Customer};
use cr_db::models::{belongings, cr_reset_token, customer_address, customer_group_customer, provider_identity};
use cr_types::ids::{AuthIdentityId, CustomerId};
use serde_json::Value;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};
use crate::modules::auth::login_failures;
use crate::modules::customer::{proof, undo, verification};
use crate::modules::otp_verification::service::{Asker, OtpPurpose};
use crate::modules::{otp_verification::guess, rate_limit};
use crate::options::{ContactType, Erasure};

/// Every purpose that codes are counted by.
const PURPOSES: [OtpPurpose; 4] = [
    OtpPurpose::EmailVerification,
    OtpPurpose::PhoneVerification,
    OtpPurpose::AccountDeletionRequest,
    OtpPurpose::AccountDeletionCancel,
];

/// Erases a customer in the caller's transaction. Referral links stay: they hold ids alone. So do lines of the audit.
///
/// # Errors
/// When a statement fails.
pub async fn run(cx: &mut Ctx, id: &CustomerId) -> Result<(), Error> {
    cx.step("delete-auth-identities")?;
    // Customer, then identities: the order of everybody who holds both.
    customer::lock(&mut cx.tx, id).await?;
    for identity in auth_identity::list_of_customer(&mut cx.tx, id).await? {
        delete_identity(cx, &identity.id).await?;
    }
    let customer = customer::find_even_deleted(&mut cx.tx, id).await?;
    if let Some(customer) = customer.as_ref().filter(|customer| customer.deleted_at.is_some()) {
        delete_orphans(cx, customer).await?;
    }
    cx.step("delete-customer")?;
    // What a send counts, then codes, then what a guess and a login count: the order in which these hold them.
    if let Some(customer) = &customer {
        forget_sends(cx, customer).await?;
    }
    belongings::delete(&mut cx.tx, id, &undo::state_key(id), cx.now).await?;
    if let Some(customer) = &customer {
        forget_attempts(cx, customer).await?;
    }
    match cx.shared.options.erasure {
        Erasure::Anonymize => {
            customer_address::delete_of_customer(&mut cx.tx, id).await?;
            if cx.medusa_tables.customer_groups {
                customer_group_customer::delete_of_customer(&mut cx.tx, id).await?;
            }
            customer::anonymize(&mut cx.tx, id, cx.now).await?;
        }
        Erasure::Soft => {
            customer_address::soft_delete_of_customer(&mut cx.tx, id, cx.now).await?;
            customer::soft_delete(&mut cx.tx, id, cx.now).await?;
        }
        Erasure::Hard => customer::delete(&mut cx.tx, id).await?,
    }
    Ok(())
}

/// Deletes an identity with its credentials, and by Medusa's foreign key with its verifications. One that another actor shares stays.
async fn delete_identity(cx: &mut Ctx, id: &AuthIdentityId) -> Result<(), Error> {
    // Medusa may have made an administrator of it since it was listed.
    match auth_identity::lock(&mut cx.tx, id).await? {
        Some(identity) if identity.is_shared() => leave_to_others(cx, identity).await,
        Some(identity) => Ok(auth_identity::delete(&mut cx.tx, &identity.id).await?),
        None => Ok(()),
    }
}

/// Takes the customer from an identity that another actor shares, with the customer's phone, and the verifications of whatever it does
/// not log in with any more.
async fn leave_to_others(cx: &mut Ctx, mut identity: AuthIdentity) -> Result<(), Error> {
    cr_reset_token::delete(&mut cx.tx, &identity.id).await?;
    identity.app_metadata.shift_remove("customer_id");
    auth_identity::update_app_metadata(&mut cx.tx, &identity, cx.now).await?;
    for credential in provider_identity::list_of_identity(&mut cx.tx, &identity.id).await? {
        if credential.provider == ContactType::Phone.provider() {
            provider_identity::delete(&mut cx.tx, &credential.id).await?;
        }
    }
    verification::erase_left(cx, &identity.id).await
}

/// Deletes what still logs in with the contacts of a customer whom Medusa's admin deleted: Medusa takes the customer out of the
/// identity, where `customer_id` is null from then on, and keeps e-mail and password. What was never a customer's stays as it is.
async fn delete_orphans(cx: &mut Ctx, customer: &Customer) -> Result<(), Error> {
    let country = cx.shared.options.default_country.clone();
    for contact in [ContactType::Email, ContactType::Phone] {
        let Some(value) = proof::contact_of(customer, contact) else { continue };
        let identifier = Identifier::read(contact, value, country.as_deref());
        for held in credential::list(&mut cx.tx, &identifier).await? {
            let Some(identity) = auth_identity::lock(&mut cx.tx, &held.identity.id).await? else { continue };
            if !identity.is_claimed() {
                auth_identity::delete(&mut cx.tx, &identity.id).await?;
            } else if identity.app_metadata.get("customer_id").is_some_and(Value::is_null) {
                leave_to_others(cx, identity).await?;
            }
        }
    }
    Ok(())
}

/// The contacts that a customer has, in their canonical form.
fn contacts(cx: &Ctx, customer: &Customer) -> Vec<(ContactType, String)> {
    [ContactType::Email, ContactType::Phone]
        .into_iter()
        .filter_map(|contact| Some((contact, proof::canonical(cx, contact, proof::contact_of(customer, contact)?))))
        .collect()
}

/// What codes of the customer are counted by, whoever asked for them and for whatever.
fn subjects_of_codes(cx: &Ctx, customer: &Customer) -> Vec<String> {
    let mut askers = vec![Asker::Bearer(customer.id.clone()), Asker::AnonymousId(customer.id.as_str().to_owned())];
    askers.extend(contacts(cx, customer).into_iter().map(|(contact, value)| Asker::AnonymousContact(contact, value)));
    let subjects = askers.iter().map(|asker| asker.subject(&cx.shared.keys));
    subjects.flat_map(|subject| PURPOSES.map(|purpose| guess::subject_of(purpose.as_str(), &subject))).collect()
}

/// Deletes every counter of sends that is keyed by the customer's id or contacts, a limit after the other, as a send takes them.
async fn forget_sends(cx: &mut Ctx, customer: &Customer) -> Result<(), Error> {
    let of_codes = subjects_of_codes(cx, customer);
    for name in ["resend", "sendsPerSubject"] {
        let subjects: Vec<(&str, String)> = of_codes.iter().map(|subject| (name, subject.clone())).collect();
        rate_limit::forget(cx, &subjects).await?;
    }
    let mut subjects = Vec::new();
    for (contact, value) in contacts(cx, customer) {
        let hmac = cx.shared.keys.contact_hmac(contact.as_str(), &value);
        for origin in ["bearer", "anonymous id", "anonymous contact"] {
            subjects.push(("sendsPerDestination", format!("{origin}:{hmac}")));
        }
    }
    rate_limit::forget(cx, &subjects).await
}

/// Deletes every other counter that is keyed by the customer's id or contacts, those of guesses first, as a code that is right takes them.
async fn forget_attempts(cx: &mut Ctx, customer: &Customer) -> Result<(), Error> {
    let of_codes: Vec<(&str, String)> =
        subjects_of_codes(cx, customer).into_iter().map(|subject| ("wrongCodes", subject)).collect();
    rate_limit::forget(cx, &of_codes).await?;
    let keys = &cx.shared.keys;
    let known: Vec<String> = contacts(cx, customer)
        .into_iter()
        .map(|(contact, value)| keys.contact_hmac(contact.as_str(), &value))
        .collect();
    let mut subjects: Vec<(&str, String)> = Vec::new();
    for hmac in &known {
        subjects.extend([("resets", hmac.clone()), ("loginFailures", hmac.clone())]);
    }
    subjects.push(("passwordChanges", customer.id.as_str().to_owned()));
    rate_limit::forget(cx, &subjects).await?;
    for identifier in &known {
        login_failures::forget_addresses(cx, identifier).await?;
    }
    Ok(())
}
