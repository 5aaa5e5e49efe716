//! Proof wins: whoever receives a code on a contact owns it, and who only claimed it loses it.
//!
//! Everything happens in the proving transaction, under a lock on the contact, so that two customers who prove one number at
//! the same moment are decided one after the other.

use cr_db::models::auth_identity;
use cr_db::models::cr_audit::{self, AuditLine};
use cr_db::models::cr_proof::{self, Proof};
use cr_db::models::customer::{self, Customer};
use cr_db::models::provider_identity::{self, NewProviderIdentity, ProviderIdentity};
use cr_types::ids::{CustomerId, generate};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};
use crate::modules::auth::session::{is_older_than_demand, is_verified};
use crate::options::ContactType;

/// Takes the locks on contacts that a workflow is about to claim: before anything else is read, in one order for all.
///
/// # Errors
/// When a statement fails.
pub async fn lock(cx: &mut Ctx, contacts: &[(ContactType, &str)]) -> Result<(), Error> {
    let mut keys: Vec<i64> = contacts.iter().map(|(contact, value)| lock_key(cx, *contact, value)).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        cx.tx.lock(key).await?;
    }
    Ok(())
}

/// The first eight bytes of the contact's keyed hash.
fn lock_key(cx: &Ctx, contact: ContactType, value: &str) -> i64 {
    let hash = cx.shared.keys.contact_hmac(contact.as_str(), value);
    let start = hash.get(..16).unwrap_or("0");
    u64::from_str_radix(start, 16).unwrap_or(0).cast_signed()
}

/// Records that the customer's contact is proven to be `value`: takes it from unproven holders, sets column, flag and proof,
/// and brings the credential of that contact into line. The caller holds the lock on the contact and on the customer.
///
/// # Errors
/// 422 when somebody else has proven it.
pub async fn prove(cx: &mut Ctx, customer: &mut Customer, contact: ContactType, value: &str) -> Result<(), Error> {
    take_from_others(cx, &customer.id, contact, value).await?;
    match contact {
        ContactType::Email => {
            customer.email = Some(value.to_owned());
            customer.email_proof = Some(value.to_owned());
            customer.email_flag = true;
        }
        ContactType::Phone => {
            customer.phone = Some(value.to_owned());
            customer.phone_proof = Some(value.to_owned());
            customer.phone_flag = true;
        }
    }
    customer.email_flag = customer.is_email_verified();
    customer.phone_flag = customer.is_phone_verified();
    customer::update_contacts(&mut cx.tx, customer, cx.now).await?;
    customer.updated_at = cx.now;
    let proof = Proof {
        customer_id: customer.id.clone(),
        channel: contact.as_str().to_owned(),
        value: value.to_owned(),
        proven_at: cx.now,
    };
    cr_proof::replace(&mut cx.tx, &proof).await?;
    sync_credential(cx, &customer.id, contact, value).await
}

/// Whether somebody other than `own` has proven a contact, or logs in with it by a right that needs no proof.
///
/// # Errors
/// When a statement fails.
pub async fn is_proven_elsewhere(
    cx: &mut Ctx,
    own: Option<&CustomerId>,
    contact: ContactType,
    value: &str,
) -> Result<bool, Error> {
    for proof in cr_proof::list(&mut cx.tx, contact.as_str(), value).await? {
        if Some(&proof.customer_id) == own {
            continue;
        }
        let holder = customer::find(&mut cx.tx, &proof.customer_id).await?;
        if holder.is_some_and(|holder| holder.has_account && is_verified(&holder, contact)) {
            return Ok(true);
        }
    }
    if contact == ContactType::Email {
        // What Medusa or an import wrote may hold upper case, and so does its proof.
        let holders = customer::list_accounts_by_email(&mut cx.tx, value).await?;
        return Ok(holders.iter().any(|holder| Some(&holder.id) != own && is_verified(holder, contact)));
    }
    Ok(false)
}

/// Proof wins: every account that holds the value unproven loses it.
///
/// # Errors
/// 422 when another account has proven it; or when a statement fails.
async fn take_from_others(cx: &mut Ctx, own: &CustomerId, contact: ContactType, value: &str) -> Result<(), Error> {
    if is_proven_elsewhere(cx, Some(own), contact, value).await? {
        return Err(taken(contact));
    }
    let identifier = Identifier { contact, raw: value.to_owned(), canonical: Some(value.to_owned()) };
    for held in credential::list(&mut cx.tx, &identifier).await? {
        if held.identity.customer_id().as_ref() != Some(own) {
            take_credential(cx, &held, contact).await?;
        }
    }
    if contact == ContactType::Email {
        for mut holder in customer::list_accounts_by_email(&mut cx.tx, value).await? {
            if holder.id != *own {
                take_column(cx, &mut holder, contact).await?;
            }
        }
    }
    Ok(())
}

/// Somebody else's credential on the contact: refused when it counts as proven, else deleted with what hangs on it.
async fn take_credential(cx: &mut Ctx, held: &ProviderIdentity, contact: ContactType) -> Result<(), Error> {
    let Some(identity) = auth_identity::lock(&mut cx.tx, &held.identity.id).await? else {
        // A soft-deleted identity holds the contact by the unique index alone.
        provider_identity::delete(&mut cx.tx, &held.id).await?;
        return Ok(());
    };
    if held.is_deleted {
        provider_identity::delete(&mut cx.tx, &held.id).await?;
        return Ok(());
    }
    if identity.is_shared() {
        return Err(taken(contact));
    }
    let holder = match identity.customer_id() {
        Some(id) => customer::find(&mut cx.tx, &id).await?,
        None => None,
    };
    if let Some(holder) = &holder
        && is_older_than_demand(&cx.shared.options, holder)
    {
        return Err(taken(contact));
    }
    provider_identity::delete(&mut cx.tx, &held.id).await?;
    if provider_identity::list_of_identity(&mut cx.tx, &identity.id).await?.is_empty() {
        auth_identity::delete(&mut cx.tx, &identity.id).await?;
    }
    let Some(mut holder) = holder else { return Ok(()) };
    take_column(cx, &mut holder, contact).await?;
    if auth_identity::list_of_customer(&mut cx.tx, &holder.id).await?.is_empty() {
        customer::soft_delete(&mut cx.tx, &holder.id, cx.now).await?;
    }
    Ok(())
}

/// Nulls an unproven holder's column, with an audit line.
async fn take_column(cx: &mut Ctx, holder: &mut Customer, contact: ContactType) -> Result<(), Error> {
    match contact {
        ContactType::Email => {
            holder.email = None;
            holder.email_flag = false;
        }
        ContactType::Phone => {
            holder.phone = None;
            holder.phone_flag = false;
        }
    }
    customer::update_contacts(&mut cx.tx, holder, cx.now).await?;
    cr_proof::delete(&mut cx.tx, &holder.id, contact.as_str()).await?;
    let details = serde_json::json!({ "contact_type": contact.as_str() });
    let id = generate("craud", cx.now, cx.bytes());
    let line = AuditLine {
        id: &id,
        actor_type: "rule",
        actor_id: None,
        action: "contact.lost_to_proof",
        subject_id: Some(holder.id.as_str()),
        details: Some(&details),
    };
    cr_audit::insert(&mut cx.tx, &line, cx.now).await?;
    Ok(())
}

/// Step `sync-phonepass-entity-id`, for both contacts: the credential of a proven contact names it. One that exists is always
/// moved; a missing one is made when logins take the contact, under the password that the account has.
///
/// # Errors
/// When a statement fails.
pub async fn sync_credential(cx: &mut Ctx, own: &CustomerId, contact: ContactType, value: &str) -> Result<(), Error> {
    cx.step("sync-phonepass-entity-id")?;
    let credentials = provider_identity::list_of_customer(&mut cx.tx, own).await?;
    let exists = credentials.iter().any(|row| row.provider == contact.provider());
    let elsewhere = credentials.iter().find(|row| row.provider == contact.provider() && row.entity_id != value);
    if let Some(row) = elsewhere {
        provider_identity::update_entity_id(&mut cx.tx, &row.id, value, cx.now).await?;
    }
    if exists {
        return Ok(());
    }
    if !cx.shared.options.login_identifier.takes(contact) {
        return Ok(());
    }
    let Some(source) = credentials.iter().find(|row| row.provider == contact.other().provider()) else {
        return Ok(());
    };
    let Some(password) = source.password() else { return Ok(()) };
    let id = generate("", cx.now, cx.bytes());
    let new = NewProviderIdentity {
        id: &id,
        entity_id: value,
        provider: contact.provider(),
        auth_identity_id: &source.identity.id,
        password,
    };
    provider_identity::insert(&mut cx.tx, &new, cx.now).await?;
    Ok(())
}

/// 422, Medusa's sentence for an e-mail that an account has.
pub fn taken(contact: ContactType) -> Error {
    Error::duplicate(format!("Customer with this {} already has an account", contact.as_str()))
}
