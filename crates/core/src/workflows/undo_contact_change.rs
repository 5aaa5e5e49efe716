//! `POST /store/customers/contact/undo`: "this was not me", said by whoever reads a contact that was proven before the change.
//!
//! Both channels become what they were before that change, whatever came after, and all sessions end.

use cr_db::DbError;
use cr_db::models::cr_audit::{self, AuditLine};
use cr_db::models::customer::{self, Customer};
use cr_db::models::{cr_proof, provider_identity};
use cr_types::ids::generate;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::events::{self, Event};
use crate::modules::auth::session;
use crate::modules::customer::proof;
use crate::modules::customer::undo::{Channel, Undo};
use crate::modules::customer::verification;
use crate::options::ContactType;

/// Both channels, in the order in which they are restored.
const CONTACTS: [ContactType; 2] = [ContactType::Email, ContactType::Phone];

/// Restores.
///
/// # Errors
/// 401 for a token that is none, or older than 72 hours; 400 when it was used, overruled by an earlier one, or an old contact is
/// somebody else's by now.
pub async fn run(app: &App, token: &str) -> Result<(), Error> {
    let now = app.shared.env.clock.now();
    let undo =
        Undo::open(&app.shared.keys, token, now).ok_or_else(|| Error::unauthorized("Invalid or expired token"))?;
    let mut cx = app.begin().await?;
    cx.step("verify-undo-token")?;
    let mut customer = lock_customer(&mut cx, &undo).await?;
    if !undo.consume(&mut cx).await? {
        return Err(over());
    }
    cx.step("update-contact")?;
    for contact in CONTACTS {
        restore(&mut cx, &mut customer, contact, undo.channel(contact)).await?;
    }
    session::end_all(&mut cx, &customer.id).await?;
    audit(&mut cx, &customer).await?;
    let changed: Vec<ContactType> =
        CONTACTS.into_iter().filter(|contact| undo.channel(*contact).value.is_some()).collect();
    for contact in changed {
        events::emit(&mut cx, Event::CustomerContactChanged { id: customer.id.clone(), contact }).await?;
    }
    cx.commit().await
}

/// 400: the link has no effect any more.
fn over() -> Error {
    Error::not_allowed("This change cannot be undone any more")
}

/// The customer, under the locks of the old contacts and of the row.
async fn lock_customer(cx: &mut Ctx, undo: &Undo) -> Result<Customer, Error> {
    let old: Vec<(ContactType, &str)> =
        CONTACTS.into_iter().filter_map(|contact| Some((contact, undo.channel(contact).value.as_deref()?))).collect();
    proof::lock(cx, &old).await?;
    customer::lock(&mut cx.tx, &undo.customer_id).await?;
    let found = customer::find(&mut cx.tx, &undo.customer_id).await?.filter(|customer| customer.has_account);
    found.ok_or_else(over)
}

/// Makes one channel what it was.
async fn restore(cx: &mut Ctx, customer: &mut Customer, contact: ContactType, before: &Channel) -> Result<(), Error> {
    match &before.value {
        Some(value) if before.proven => {
            if proof::is_proven_elsewhere(cx, Some(&customer.id), contact, value).await? {
                return Err(over());
            }
            proof::prove(cx, customer, contact, value).await?;
        }
        value => restore_unproven(cx, customer, contact, value.clone()).await?,
    }
    restore_credential(cx, customer, contact, before).await
}

/// A channel that was not proven, or not there: the column alone.
async fn restore_unproven(
    cx: &mut Ctx,
    customer: &mut Customer,
    contact: ContactType,
    value: Option<String>,
) -> Result<(), Error> {
    cr_proof::delete(&mut cx.tx, &customer.id, contact.as_str()).await?;
    verification::agree(cx, &customer.id, contact, None).await?;
    match contact {
        ContactType::Email => {
            customer.email = value;
            customer.email_proof = None;
            customer.email_flag = false;
        }
        ContactType::Phone => {
            customer.phone = value;
            customer.phone_proof = None;
            customer.phone_flag = false;
        }
    }
    match customer::update_contacts(&mut cx.tx, customer, cx.now).await {
        Err(DbError::NotUnique { .. }) => Err(over()),
        other => Ok(other?),
    }
}

/// The credential of a channel: under its old name, or gone where there was none. One whose identity another actor shares stays,
/// since it is not only this account's.
async fn restore_credential(
    cx: &mut Ctx,
    customer: &Customer,
    contact: ContactType,
    before: &Channel,
) -> Result<(), Error> {
    let credentials = provider_identity::list_of_customer(&mut cx.tx, &customer.id).await?;
    for row in credentials.iter().filter(|row| row.provider == contact.provider()) {
        match &before.entity_id {
            Some(old) if *old == row.entity_id => {}
            Some(old) => match provider_identity::update_entity_id(&mut cx.tx, &row.id, old, cx.now).await {
                Err(DbError::NotUnique { .. }) => return Err(over()),
                other => other?,
            },
            None if row.identity.is_shared() => {}
            None => provider_identity::delete(&mut cx.tx, &row.id).await?,
        }
    }
    Ok(())
}

/// A line that says what happened, without a contact.
async fn audit(cx: &mut Ctx, customer: &Customer) -> Result<(), Error> {
    let id = generate("craud", cx.now, cx.bytes());
    let line = AuditLine {
        id: &id,
        actor_type: "customer",
        actor_id: Some(customer.id.as_str()),
        action: "contact.change_undone",
        subject_id: Some(customer.id.as_str()),
        details: None,
    };
    cr_audit::insert(&mut cx.tx, &line, cx.now).await?;
    Ok(())
}
