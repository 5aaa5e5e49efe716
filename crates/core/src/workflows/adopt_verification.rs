//! A contact that Medusa's own verification has confirmed is proven here, too. Asked wherever a missing proof would change the
//! answer, since Medusa tells nobody when it happens.

use cr_db::models::customer::{self, Customer};

use crate::app::App;
use crate::error::{Error, ErrorKind};
use crate::events::{self, Event};
use crate::modules::auth::session::is_verified;
use crate::modules::customer::{proof, verification};
use crate::options::ContactType;

/// Proves what Medusa has verified: the customer as it is then, or `None` where nothing changed. Costs nothing where Medusa keeps
/// no verifications, and a statement where a contact of the customer is unproven.
///
/// # Errors
/// When a statement fails.
pub async fn run(app: &App, customer: &Customer) -> Result<Option<Customer>, Error> {
    if !app.db.medusa_tables().verifications {
        return Ok(None);
    }
    let mut adopted: Option<Customer> = None;
    for contact in [ContactType::Email, ContactType::Phone] {
        let seen = adopted.as_ref().unwrap_or(customer);
        if !is_verified(seen, contact)
            && let Some(proven) = Box::pin(adopt(app, seen, contact)).await?
        {
            adopted = Some(proven);
        }
    }
    Ok(adopted)
}

/// Proves one contact, if Medusa has verified it.
async fn adopt(app: &App, seen: &Customer, contact: ContactType) -> Result<Option<Customer>, Error> {
    if verification::covers(&mut app.begin_read().await?, seen, contact).await? {
        prove(app, seen, contact).await
    } else {
        Ok(None)
    }
}

/// Proves one contact, if Medusa's word for it still holds under the locks. `None` when it does not, and when somebody else has
/// proven the contact here: the first proof wins.
async fn prove(app: &App, seen: &Customer, contact: ContactType) -> Result<Option<Customer>, Error> {
    let Some(value) = proof::contact_of(seen, contact) else { return Ok(None) };
    let mut cx = app.begin().await?;
    proof::hold(&mut cx, &seen.id, contact, value).await?;
    let present = customer::find(&mut cx.tx, &seen.id).await?;
    let Some(mut present) = present.filter(|present| proof::contact_of(present, contact) == Some(value)) else {
        return Ok(None);
    };
    if is_verified(&present, contact) {
        // What it rests on must be there before it is told.
        cx.tx.commit().await?;
        return Ok(Some(present));
    }
    if !verification::covers(&mut cx, &present, contact).await? {
        return Ok(None);
    }
    cx.step(match contact {
        ContactType::Email => "verify-email",
        ContactType::Phone => "verify-phone",
    })?;
    match proof::prove(&mut cx, &mut present, contact, value).await {
        Err(error) if error.kind == ErrorKind::Duplicate => {
            tracing::info!(
                customer.id = %seen.id,
                "Medusa has verified a contact of customer {} that another account has proven here", seen.id
            );
            return Ok(None);
        }
        other => other?,
    }
    events::emit(&mut cx, Event::verified(contact, seen.id.clone())).await?;
    cx.commit().await?;
    Ok(Some(present))
}
