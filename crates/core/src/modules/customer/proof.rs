//! Proof wins: whoever receives a code on a contact owns it, and who only claimed it loses it.
//!
//! Everything happens in the proving transaction, under a lock on the contact, so that two customers who prove one number at
//! the same moment are decided one after the other.

use aws_lc_rs::digest;
use cr_db::models::auth_identity;
use cr_db::models::contact_claim::{self, Claimed, ContactClaims};
use cr_db::models::cr_audit::{self, AuditLine};
use cr_db::models::cr_proof::{self, Proof};
use cr_db::models::customer::{self, Customer};
use cr_db::models::provider_identity::{self, ProviderIdentity};
use cr_types::ids::{CustomerId, generate};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};
use crate::modules::auth::session::{is_older_than_demand, is_verified};
use crate::modules::customer::verification;
use crate::options::ContactType;
use crate::workflows::steps::{retrieve_customer, sync_phonepass_entity_id};

/// Takes the locks on contacts that a workflow is about to claim: before anything else is read, in one order for all.
///
/// # Errors
/// When a statement fails.
pub async fn lock(cx: &mut Ctx, contacts: &[(ContactType, &str)]) -> Result<(), Error> {
    let mut keys: Vec<i64> = contacts.iter().map(|(contact, value)| lock_key(cx, *contact, value)).collect();
    keys.sort_unstable();
    keys.dedup();
    Ok(cx.tx.lock(&keys).await?)
}

/// Takes the lock on a contact, then the one on a customer. Whether what was read before may be another's by now: not where there is
/// one writer.
///
/// # Errors
/// When the statement fails.
pub async fn hold(cx: &mut Ctx, id: &CustomerId, contact: ContactType, value: &str) -> Result<bool, Error> {
    if cx.tx.is_only_writer() {
        return Ok(false);
    }
    let key = lock_key(cx, contact, value);
    if !customer::lock_with_contact(&mut cx.tx, id, key).await? {
        // Should Medusa take a deletion back at this moment, what is read next is held all the same.
        cx.tx.lock(&[key]).await?;
        customer::lock(&mut cx.tx, id).await?;
    }
    Ok(true)
}

/// The form that all look-ups of a contact meet in: the e-mail folded, the phone as E.164. Medusa and imports store others.
pub fn canonical(cx: &Ctx, contact: ContactType, value: &str) -> String {
    Identifier::read(contact, value, cx.shared.options.default_country.as_deref()).key()
}

/// The first eight bytes of the hash of the contact in its canonical form. No key is in it: while a secret is replaced, replicas have
/// different ones, and must wait for each other all the same. It is stored nowhere.
fn lock_key(cx: &Ctx, contact: ContactType, value: &str) -> i64 {
    let text = format!("{}:{}", contact.as_str(), canonical(cx, contact, value));
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().first_chunk().map_or(0, |start| i64::from_be_bytes(*start))
}

/// Records that the customer's contact is proven to be `value`: takes it from unproven holders, sets column, flag and proof,
/// and brings the credential of that contact into line. The caller holds the lock on the contact and on the customer.
///
/// # Errors
/// 422 when somebody else has proven it.
pub async fn prove(cx: &mut Ctx, customer: &mut Customer, contact: ContactType, value: &str) -> Result<(), Error> {
    let logs_in_with_it = take_from_others(cx, &customer.id, contact, value).await?;
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
    let proof = Proof {
        customer_id: customer.id.clone(),
        channel: contact.as_str().to_owned(),
        value: value.to_owned(),
        proven_at: cx.now,
    };
    cr_proof::record(&mut cx.tx, customer, &proof, cx.now).await?;
    customer.updated_at = cx.now;
    cx.step("sync-phonepass-entity-id")?;
    if !logs_in_with_it {
        sync_phonepass_entity_id::run(cx, &customer.id, contact, value).await?;
    }
    verification::agree(cx, &customer.id, contact, Some(value)).await
}

/// A customer's contact, as stored.
pub fn contact_of(customer: &Customer, contact: ContactType) -> Option<&str> {
    match contact {
        ContactType::Email => customer.email.as_deref(),
        ContactType::Phone => customer.phone.as_deref(),
    }
}

/// [`prove`] for the contact that stands in the row, under its locks.
///
/// # Errors
/// 404 without such a customer; 400 when it has no such contact, 409 when it has another by the time it is locked; as [`prove`].
pub async fn prove_present(cx: &mut Ctx, id: &CustomerId, contact: ContactType) -> Result<Customer, Error> {
    let seen = customer::find(&mut cx.tx, id).await?.ok_or_else(|| retrieve_customer::not_found(id))?;
    let missing = || Error::invalid_data(format!("Customer has no {}", contact.as_str()));
    let value = contact_of(&seen, contact).ok_or_else(missing)?.to_owned();
    let mut customer = seen;
    if hold(cx, id, contact, &value).await? {
        customer = customer::find(&mut cx.tx, id).await?.ok_or_else(|| retrieve_customer::not_found(id))?;
    }
    if contact_of(&customer, contact) != Some(&value) {
        return Err(Error::conflict());
    }
    prove(cx, &mut customer, contact, &value).await?;
    Ok(customer)
}

/// Whether somebody other than `own` has proven a contact, or logs in with it by a right that needs no proof. For nobody's contact as
/// many are looked up as for one that somebody has without having proven it, so that the answer's duration does not tell them apart.
///
/// # Errors
/// When a statement fails.
pub async fn is_proven_elsewhere(
    cx: &mut Ctx,
    own: Option<&CustomerId>,
    contact: ContactType,
    value: &str,
) -> Result<bool, Error> {
    let claims = Claims::find(cx, contact, value).await?;
    let mut asked = Asked::default();
    let answer = claims.are_proven_elsewhere(cx, own, &mut asked).await?;
    // Who registers is told of a login by `register` itself.
    if !answer && own.is_some() {
        asked.fill_up(cx).await?;
    }
    Ok(answer)
}

/// What there is on a contact besides what is the customer's own: one statement, where [`Claims::find`] takes one a table.
///
/// # Errors
/// When the statement fails.
async fn look(cx: &mut Ctx, own: &CustomerId, contact: ContactType, value: &str) -> Result<ContactClaims, Error> {
    let claimed = Claimed { canonical: &canonical(cx, contact, value), value, customer: own };
    Ok(match contact {
        ContactType::Email => contact_claim::look_at_email(&mut cx.tx, claimed).await?,
        ContactType::Phone => contact_claim::look_at_phone(&mut cx.tx, claimed).await?,
    })
}

/// Everything that stands against a contact, or for it: who has proven it, has it in their row, logs in with it. Held by the lock on
/// the contact.
struct Claims {
    contact: ContactType,
    canonical: String,
    proofs: Vec<Proof>,
    /// E-mail alone: what Medusa or an import wrote may hold upper case, and so does its proof.
    accounts: Vec<Customer>,
    credentials: Vec<ProviderIdentity>,
}

impl Claims {
    /// Reads them: one statement a table.
    ///
    /// # Errors
    /// When a statement fails.
    async fn find(cx: &mut Ctx, contact: ContactType, value: &str) -> Result<Self, Error> {
        let canonical = canonical(cx, contact, value);
        let proofs = list_proofs(cx, contact, value, &canonical).await?;
        let accounts = match contact {
            ContactType::Email => customer::list_accounts_by_email(&mut cx.tx, &canonical).await?,
            ContactType::Phone => Vec::new(),
        };
        let identifier = Identifier { contact, raw: value.to_owned(), canonical: Some(canonical.clone()) };
        let credentials = credential::list(&mut cx.tx, &identifier).await?;
        Ok(Self { contact, canonical, proofs, accounts, credentials })
    }

    /// As [`is_proven_elsewhere`]; counts how often somebody is looked up for it.
    async fn are_proven_elsewhere(
        &self,
        cx: &mut Ctx,
        own: Option<&CustomerId>,
        asked: &mut Asked,
    ) -> Result<bool, Error> {
        for proof in self.proofs.iter().filter(|proof| Some(&proof.customer_id) != own) {
            let holder = asked.customer(cx, &proof.customer_id).await?;
            if holder.is_some_and(|holder| holder.has_account && is_verified(&holder, self.contact)) {
                return Ok(true);
            }
        }
        for holder in self.accounts.iter().filter(|holder| Some(&holder.id) != own) {
            if is_verified(holder, self.contact) || asked.covers(cx, holder, self.contact).await? {
                return Ok(true);
            }
        }
        self.are_logins_of_right(cx, own, asked).await
    }

    /// Whether somebody else logs in with the contact by a right that needs no proof of ours: an older account, an identity that
    /// another actor shares, or Medusa's own verification.
    async fn are_logins_of_right(
        &self,
        cx: &mut Ctx,
        own: Option<&CustomerId>,
        asked: &mut Asked,
    ) -> Result<bool, Error> {
        for held in &self.credentials {
            let holder = held.identity.customer_id();
            if held.is_deleted || (own.is_some() && holder.as_ref() == own) {
                continue;
            }
            if held.identity.is_shared() {
                return Ok(true);
            }
            let Some(holder) = holder else { continue };
            if let Some(account) = self.accounts.iter().find(|account| account.id == holder) {
                // What else there may be has been asked about accounts already.
                if is_older_than_demand(&cx.shared.options, account) {
                    return Ok(true);
                }
                continue;
            }
            let Some(found) = asked.customer(cx, &holder).await? else { continue };
            if is_older_than_demand(&cx.shared.options, &found) || asked.covers(cx, &found, self.contact).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// How often somebody was looked up. Whoever asks for a contact must not learn from the time it takes whether anybody has it without
/// having proven it.
#[derive(Default)]
struct Asked {
    customers: usize,
    verifications: usize,
}

impl Asked {
    /// Customers that are looked up for each contact: by its proof and by its credential, where an account has been deleted softly.
    const CUSTOMERS: usize = 2;

    /// A live customer.
    async fn customer(&mut self, cx: &mut Ctx, id: &CustomerId) -> Result<Option<Customer>, Error> {
        self.customers += 1;
        Ok(customer::find(&mut cx.tx, id).await?)
    }

    /// As [`verification::covers`].
    async fn covers(&mut self, cx: &mut Ctx, holder: &Customer, contact: ContactType) -> Result<bool, Error> {
        self.verifications += 1;
        verification::covers(cx, holder, contact).await
    }

    /// Looks nobody up until it was as often as for somebody.
    async fn fill_up(&mut self, cx: &mut Ctx) -> Result<(), Error> {
        let nobody = CustomerId::generate(cx.now, cx.bytes());
        while self.customers < Self::CUSTOMERS {
            self.customer(cx, &nobody).await?;
        }
        if self.verifications == 0 {
            verification::look_for_nobody(cx, &nobody).await?;
        }
        Ok(())
    }
}

/// The proofs of a contact in its canonical form and as it is stored, where that differs.
async fn list_proofs(cx: &mut Ctx, contact: ContactType, value: &str, canonical: &str) -> Result<Vec<Proof>, Error> {
    let mut proofs = cr_proof::list(&mut cx.tx, contact.as_str(), canonical).await?;
    if value != canonical {
        proofs.extend(cr_proof::list(&mut cx.tx, contact.as_str(), value).await?);
    }
    Ok(proofs)
}

/// Proof wins: every account that holds the value unproven loses it. The answer is whether `own` logs in with it already.
///
/// # Errors
/// 422 when another account has proven it; or when a statement fails.
async fn take_from_others(cx: &mut Ctx, own: &CustomerId, contact: ContactType, value: &str) -> Result<bool, Error> {
    let seen = look(cx, own, contact, value).await?;
    if !seen.has_others {
        return Ok(seen.is_own_login);
    }
    let claims = Claims::find(cx, contact, value).await?;
    if claims.are_proven_elsewhere(cx, Some(own), &mut Asked::default()).await? {
        return Err(taken(contact));
    }
    for stale in claims.proofs.iter().filter(|proof| proof.customer_id != *own) {
        // Their column holds another value by now; should somebody write this one back, it is not theirs any more.
        cr_proof::delete(&mut cx.tx, &stale.customer_id, contact.as_str()).await?;
    }
    for held in claims.credentials.iter().filter(|held| held.identity.customer_id().as_ref() != Some(own)) {
        take_credential(cx, held, contact, &claims.canonical).await?;
    }
    for holder in claims.accounts.iter().filter(|holder| holder.id != *own) {
        // What went with a credential is gone by now.
        if let Some(mut holder) = lock_holder(cx, &holder.id).await?
            && holder.email.as_deref().is_some_and(|email| canonical(cx, contact, email) == claims.canonical)
        {
            take_column(cx, &mut holder, contact, &claims.canonical).await?;
        }
    }
    Ok(seen.is_own_login)
}

/// Another customer, held until the end, so that what they prove at the same moment is seen or waits.
async fn lock_holder(cx: &mut Ctx, id: &CustomerId) -> Result<Option<Customer>, Error> {
    customer::lock(&mut cx.tx, id).await?;
    Ok(customer::find(&mut cx.tx, id).await?)
}

/// Frees a contact that an identity holds without being anybody's: a registration that was never finished.
///
/// # Errors
/// 422 when somebody else logs in with it; or when a statement fails.
pub async fn release_unclaimed(cx: &mut Ctx, own: &CustomerId, contact: ContactType, value: &str) -> Result<(), Error> {
    let canonical = canonical(cx, contact, value);
    let identifier = Identifier { contact, raw: value.to_owned(), canonical: Some(canonical) };
    for held in credential::list(&mut cx.tx, &identifier).await? {
        if held.identity.customer_id().as_ref() == Some(own) {
            continue;
        }
        match auth_identity::lock(&mut cx.tx, &held.identity.id).await? {
            Some(identity) if identity.is_claimed() && !held.is_deleted => return Err(taken(contact)),
            Some(identity) if !identity.is_claimed() => auth_identity::delete(&mut cx.tx, &identity.id).await?,
            // One that has moved on meanwhile is in nobody's way any more.
            _ => drop(provider_identity::delete_as_seen(&mut cx.tx, &held).await?),
        }
    }
    Ok(())
}

/// Somebody else's credential on the contact: refused when it counts as proven, else deleted with what hangs on it.
async fn take_credential(
    cx: &mut Ctx,
    held: &ProviderIdentity,
    contact: ContactType,
    value: &str,
) -> Result<(), Error> {
    // Customer, then identity: the order of everybody who holds both.
    let holder_id = held.identity.customer_id().filter(|_| !held.is_deleted);
    let holder = match &holder_id {
        Some(id) => lock_holder(cx, id).await?,
        None => None,
    };
    let identity = auth_identity::lock(&mut cx.tx, &held.identity.id).await?;
    let Some(identity) = identity.filter(|_| !held.is_deleted) else {
        // What is soft-deleted holds the contact by the unique index alone.
        provider_identity::delete_as_seen(&mut cx.tx, held).await?;
        return Ok(());
    };
    if identity.is_shared() {
        return Err(taken(contact));
    }
    if identity.customer_id().is_some_and(|id| Some(id) != holder_id) {
        // It became somebody's since it was seen: who asks again meets them.
        return Err(Error::conflict());
    }
    if let Some(holder) = &holder
        && is_older_than_demand(&cx.shared.options, holder)
    {
        return Err(taken(contact));
    }
    if !provider_identity::delete_as_seen(&mut cx.tx, held).await? {
        // Until the holder was locked, they moved it to another contact: that one is theirs.
        return Ok(());
    }
    if provider_identity::list_of_identity(&mut cx.tx, &identity.id).await?.is_empty() {
        auth_identity::delete(&mut cx.tx, &identity.id).await?;
    }
    let Some(mut holder) = holder else { return Ok(()) };
    take_column(cx, &mut holder, contact, value).await?;
    if auth_identity::list_of_customer(&mut cx.tx, &holder.id).await?.is_empty() {
        customer::soft_delete(&mut cx.tx, &holder.id, cx.now).await?;
    }
    Ok(())
}

/// Nulls an unproven holder's column where it holds the value, and writes an audit line of the loss. Another value, that an
/// admin has written meanwhile and a code may have proven, stays.
async fn take_column(cx: &mut Ctx, holder: &mut Customer, contact: ContactType, value: &str) -> Result<(), Error> {
    let column = match contact {
        ContactType::Email => &mut holder.email,
        ContactType::Phone => &mut holder.phone,
    };
    let country = cx.shared.options.default_country.as_deref();
    if column.as_deref().is_some_and(|text| Identifier::read(contact, text, country).key() == value) {
        *column = None;
        match contact {
            ContactType::Email => holder.email_flag = false,
            ContactType::Phone => holder.phone_flag = false,
        }
        customer::update_contacts(&mut cx.tx, holder, cx.now).await?;
        cr_proof::delete(&mut cx.tx, &holder.id, contact.as_str()).await?;
        verification::agree(cx, &holder.id, contact, None).await?;
    }
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

/// Takes a channel away altogether: proof, flag, credential, and the column in `customer`, which the caller writes.
///
/// # Errors
/// When a statement fails.
pub async fn clear(cx: &mut Ctx, customer: &mut Customer, contact: ContactType) -> Result<(), Error> {
    cr_proof::delete(&mut cx.tx, &customer.id, contact.as_str()).await?;
    verification::agree(cx, &customer.id, contact, None).await?;
    match contact {
        ContactType::Email => {
            customer.email = None;
            customer.email_proof = None;
            customer.email_flag = false;
        }
        ContactType::Phone => {
            customer.phone = None;
            customer.phone_proof = None;
            customer.phone_flag = false;
        }
    }
    for credential in provider_identity::list_of_customer(&mut cx.tx, &customer.id).await? {
        if credential.provider == contact.provider() && !credential.identity.is_shared() {
            provider_identity::delete(&mut cx.tx, &credential.id).await?;
        }
    }
    Ok(())
}

/// 422, Medusa's sentence for an e-mail that an account has.
pub fn taken(contact: ContactType) -> Error {
    Error::duplicate(format!("Customer with this {} already has an account", contact.as_str()))
}
