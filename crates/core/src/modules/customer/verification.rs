//! Medusa's own verification of contacts (`auth_verification`, since 2.16) beside our proofs: what one side has found out holds on
//! the other, and what a customer lost here is not verified there any more.

use cr_db::models::auth_verification::{self, NewVerification};
use cr_db::models::customer::Customer;
use cr_db::models::provider_identity;
use cr_types::ids::{AuthIdentityId, CustomerId, generate};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::customer::proof;
use crate::options::ContactType;

/// What our rows name as the provider of their code.
const CODE_PROVIDER: &str = "customer-registration";

/// Words for a kind of contact. They are a shop's own choice in `authVerificationsPerActor`: `email` and `phone_number` are those
/// of Medusa's documentation (2.21.2), `phone` is that of its customer.
fn entity_types(contact: ContactType) -> &'static [&'static str] {
    match contact {
        ContactType::Email => &["email"],
        ContactType::Phone => &["phone_number", "phone"],
    }
}

/// Whether Medusa has verified the contact that a customer has now. False where Medusa keeps no verifications.
///
/// # Errors
/// When the statement fails.
pub async fn covers(cx: &mut Ctx, customer: &Customer, contact: ContactType) -> Result<bool, Error> {
    let Some(value) = proof::contact_of(customer, contact).filter(|_| cx.medusa_tables.verifications) else {
        return Ok(false);
    };
    let present = proof::canonical(cx, contact, value);
    let verified = auth_verification::list_verified(&mut cx.tx, &customer.id).await?;
    Ok(verified.iter().any(|row| {
        entity_types(contact).contains(&row.entity_type.as_str())
            && proof::canonical(cx, contact, &row.entity_id) == present
    }))
}

/// What [`covers`] asks about somebody, of an id that nobody has.
///
/// # Errors
/// When the statement fails.
pub async fn look_for_nobody(cx: &mut Ctx, nobody: &CustomerId) -> Result<(), Error> {
    if cx.medusa_tables.verifications {
        auth_verification::list_verified(&mut cx.tx, nobody).await?;
    }
    Ok(())
}

/// Makes Medusa's rows say what is proven here: this value of a contact, or none. The credentials are in line already.
///
/// # Errors
/// When a statement fails.
pub async fn agree(
    cx: &mut Ctx,
    customer: &CustomerId,
    contact: ContactType,
    proven: Option<&str>,
) -> Result<(), Error> {
    if !cx.medusa_tables.verifications {
        return Ok(());
    }
    for entity_type in entity_types(contact) {
        auth_verification::forget_but(&mut cx.tx, customer, entity_type, proven.unwrap_or_default()).await?;
    }
    let Some(proven) = proven else { return Ok(()) };
    for credential in provider_identity::list_of_customer(&mut cx.tx, customer).await? {
        if credential.provider != contact.provider() || credential.entity_id != proven {
            continue;
        }
        for entity_type in entity_types(contact) {
            let id = generate("authver", cx.now, cx.bytes());
            let new = NewVerification {
                id: &id,
                identity: &credential.identity.id,
                entity_id: &credential.entity_id,
                entity_type,
                code_provider: CODE_PROVIDER,
            };
            auth_verification::confirm(&mut cx.tx, new, cx.now).await?;
        }
    }
    Ok(())
}

/// Leaves nothing in Medusa's rows of contacts that an identity does not log in with any more.
///
/// # Errors
/// When the statement fails.
pub async fn erase_left(cx: &mut Ctx, identity: &AuthIdentityId) -> Result<(), Error> {
    if cx.medusa_tables.verifications {
        auth_verification::delete_left(&mut cx.tx, identity).await?;
    }
    Ok(())
}
