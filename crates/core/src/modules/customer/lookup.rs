//! Whom a contact that somebody names stands for, where the answer must not tell.

use cr_db::models::contact_holder::{self, ContactHolders};
use cr_db::models::customer::Customer;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};
use crate::modules::auth::session::is_verified;
use crate::modules::customer::proof;
use crate::options::ContactType;

/// All live accounts that hold a contact, oldest first, and whose logins it is.
///
/// # Errors
/// When the statement fails.
pub async fn holders(cx: &mut Ctx, identifier: &Identifier) -> Result<ContactHolders, Error> {
    let canonical = identifier.key();
    Ok(match identifier.contact {
        ContactType::Email => contact_holder::find_by_email(&mut cx.tx, &canonical).await?,
        ContactType::Phone => contact_holder::find_by_phone(&mut cx.tx, &identifier.raw, &canonical).await?,
    })
}

/// Whether [`holders`] would find this account, as far as its row alone tells.
pub fn is_held_by(customer: &Customer, identifier: &Identifier) -> bool {
    let canonical = identifier.key();
    proof::contact_of(customer, identifier.contact).is_some_and(|stored| match identifier.contact {
        ContactType::Email => stored.to_ascii_lowercase() == canonical,
        ContactType::Phone => stored == identifier.raw || stored == canonical,
    })
}

/// The one account that a code for this contact may go to: the only one that has proven it or logs in with it. Where several
/// have, because Medusa keeps the case of e-mails, the one whose contact is written like that. `Err`: why nobody may get one, for
/// the developer's log.
///
/// # Errors
/// That reason.
pub fn choose(identifier: &Identifier, found: ContactHolders) -> Result<Customer, &'static str> {
    let logins = found.logins;
    let logs_in = credential::choose(logins, identifier, |login| &login.entity_id).and_then(|login| login.customer_id);
    if found.accounts.is_empty() {
        return Err("no account has that contact");
    }
    let contact = identifier.contact;
    let holds = |customer: &Customer| is_verified(customer, contact) || logs_in.as_ref() == Some(&customer.id);
    let mut holders: Vec<Customer> = found.accounts.into_iter().filter(holds).collect();
    if holders.len() > 1 {
        holders.retain(|customer| proof::contact_of(customer, contact) == Some(identifier.raw.as_str()));
    }
    match (holders.pop(), holders.is_empty()) {
        (Some(customer), true) => Ok(customer),
        (Some(_), false) => Err("several accounts hold that contact"),
        (None, _) => Err("the contact is neither proven nor logged in with"),
    }
}

#[cfg(test)]
mod tests {
    use cr_types::ids::CustomerId;
    use cr_types::timestamp::Timestamp;

    use super::*;

    #[test]
    fn an_account_is_held_by_what_its_row_has() {
        let now = Timestamp::from_millis(0).unwrap();
        let customer = |email: Option<&str>, phone: Option<&str>| Customer {
            id: CustomerId::from_stored("cus_1"),
            company_name: None,
            first_name: None,
            last_name: None,
            email: email.map(ToOwned::to_owned),
            phone: phone.map(ToOwned::to_owned),
            has_account: true,
            metadata: None,
            email_flag: false,
            phone_flag: false,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            email_proof: None,
            phone_proof: None,
        };
        let (email, phone) = (ContactType::Email, ContactType::Phone);
        for (contact, typed, stored, expected) in [
            (email, "Ann@Shop.test", "aNN@shop.test", true),
            (email, " ann@shop.test ", "ann@shop.test", true),
            (email, "ann@shop.test", "bob@shop.test", false),
            (email, "not an e-mail", "Not an e-mail", true),
            (phone, "+1 (415) 555-2671", "+14155552671", true),
            (phone, "(415) 555-2671", "(415) 555-2671", true),
            (phone, "(415) 555-2671", "415-555-2671", false),
            (phone, "+14155552671", "+14155552672", false),
        ] {
            let holder = match contact {
                ContactType::Email => customer(Some(stored), None),
                ContactType::Phone => customer(None, Some(stored)),
            };
            let identifier = Identifier::read(contact, typed, Some("US"));
            assert_eq!(is_held_by(&holder, &identifier), expected, "{typed} {stored}");
            assert!(!is_held_by(&customer(None, None), &identifier), "{typed}");
        }
    }
}
