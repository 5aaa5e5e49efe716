//! Notices: messages that nobody asked for, to contacts that were proven. They are drawn from no budget of sends, since only
//! somebody with the account's secret, or with a code, can cause one.

use std::collections::BTreeMap;

use cr_db::models::customer::Customer;
use cr_types::ids;

use crate::ctx::Ctx;
use crate::delivery::message::{Message, MessageKind, enqueue};
use crate::error::Error;
use crate::modules::auth::session::is_verified;
use crate::modules::customer::proof::contact_of;
use crate::modules::otp_verification::sending::is_reachable;
use crate::options::{ContactType, Options};
use crate::workflows::steps::determine_contact_method::channel_of;
use crate::workflows::steps::prepare_template_data::add_customer;

/// Sends a notice to every contact of the customer that is proven now; none where the notice is disabled.
///
/// # Errors
/// As [`to_contact`].
pub async fn to_proven_contacts(
    cx: &mut Ctx,
    customer: &Customer,
    kind: MessageKind,
    trigger_type: &str,
    variables: BTreeMap<&'static str, String>,
) -> Result<(), Error> {
    for contact in [ContactType::Email, ContactType::Phone] {
        if !is_verified(customer, contact) {
            continue;
        }
        if let Some(value) = contact_of(customer, contact) {
            to_contact(cx, customer, contact, value, kind, trigger_type, variables.clone()).await?;
        }
    }
    Ok(())
}

/// Sends a notice about the customer to one contact, which need not be theirs any more; none where the notice is disabled
/// or `smsCountries` does not list the number's country. `trigger_type` is the event that caused it.
///
/// # Errors
/// When the template does not render, or a statement fails.
pub async fn to_contact(
    cx: &mut Ctx,
    customer: &Customer,
    contact: ContactType,
    to: &str,
    kind: MessageKind,
    trigger_type: &str,
    variables: BTreeMap<&'static str, String>,
) -> Result<(), Error> {
    if is_disabled(&cx.shared.options, kind) || !is_reachable(cx, contact, to) {
        return Ok(());
    }
    let mut variables = variables;
    add_customer(&mut variables, customer);
    let message = Message {
        kind,
        channel: channel_of(&cx.shared.options, contact),
        to: to.to_owned(),
        variables,
        trigger_type: trigger_type.to_owned(),
        receiver_id: Some(customer.id.as_str().to_owned()),
        expires_at: None,
        idempotency_key: ids::generate("notice", cx.now, cx.bytes()),
    };
    enqueue(cx, message).await
}

/// Whether the operator has switched this notice off.
fn is_disabled(options: &Options, kind: MessageKind) -> bool {
    match kind {
        MessageKind::ContactChangeNotice => options.contact_change_notice.disable,
        MessageKind::PasswordChangedNotice => options.password_changed_notice.disable,
        _ => false,
    }
}
