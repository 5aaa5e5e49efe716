//! Whom a contact that somebody names stands for, where the answer must not tell.

use cr_db::models::customer::{self, Customer};
use cr_types::ids::CustomerId;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};
use crate::modules::auth::session::is_verified;
use crate::modules::customer::proof;
use crate::options::ContactType;

/// All live accounts that hold a contact, oldest first. `value` is its canonical form.
///
/// # Errors
/// When the statement fails.
pub async fn holders(cx: &mut Ctx, identifier: &Identifier, value: &str) -> Result<Vec<Customer>, Error> {
    Ok(match identifier.contact {
        ContactType::Email => customer::list_accounts_by_email(&mut cx.tx, value).await?,
        ContactType::Phone => customer::list_accounts_by_phone(&mut cx.tx, &identifier.raw, value).await?,
    })
}

/// The one account that a code for this contact may go to: the only one that has proven it or logs in with it. Where several
/// have, because Medusa keeps the case of e-mails, the one whose contact is written like that. `Err`: why nobody may get one, for
/// the developer's log. Does the same statements whoever holds it.
///
/// # Errors
/// When a statement fails.
pub async fn choose(
    cx: &mut Ctx,
    identifier: &Identifier,
    found: Vec<Customer>,
) -> Result<Result<Customer, &'static str>, Error> {
    let logs_in = login_holder(cx, identifier).await?;
    if found.is_empty() {
        return Ok(Err("no account has that contact"));
    }
    let contact = identifier.contact;
    let holds = |customer: &Customer| is_verified(customer, contact) || logs_in.as_ref() == Some(&customer.id);
    let mut holders: Vec<Customer> = found.into_iter().filter(holds).collect();
    if holders.len() > 1 {
        holders.retain(|customer| proof::contact_of(customer, contact) == Some(identifier.raw.as_str()));
    }
    Ok(match (holders.pop(), holders.is_empty()) {
        (Some(customer), true) => Ok(customer),
        (Some(_), false) => Err("several accounts hold that contact"),
        (None, _) => Err("the contact is neither proven nor logged in with"),
    })
}

/// Whose login a contact is.
async fn login_holder(cx: &mut Ctx, identifier: &Identifier) -> Result<Option<CustomerId>, Error> {
    let found = credential::find(&mut cx.tx, identifier).await?;
    Ok(found.and_then(|row| row.identity.customer_id()))
}
