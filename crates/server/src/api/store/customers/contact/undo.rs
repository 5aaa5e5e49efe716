//! `POST /store/customers/contact/undo`.

use cr_core::error::Error;
use cr_core::workflows::undo_contact_change;
use cr_types::http::Restored;

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Takes a change of contact back: 200 `{"restored":true}`.
///
/// # Errors
/// As [`undo_contact_change::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let token = body.string("token");
    body.finish()?;
    undo_contact_change::run(call.app(), &token).await?;
    Reply::json(&Restored { restored: true })
}
