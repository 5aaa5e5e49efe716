//! Step `find-customer-by-email`: whose login a contact is. The plugin's name; it finds by phone too.

use cr_db::models::provider_identity::ProviderIdentity;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::credential::{self, Identifier};

/// The credential that logs in with the contact.
///
/// # Errors
/// When the statement fails.
pub async fn run(cx: &mut Ctx, identifier: &Identifier) -> Result<Option<ProviderIdentity>, Error> {
    cx.step("find-customer-by-email")?;
    credential::find(&mut cx.tx, identifier).await
}
