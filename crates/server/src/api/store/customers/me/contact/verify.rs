//! `POST /store/customers/me/contact/verify`.

use cr_core::error::Error;
use cr_core::workflows::update_contact;
use cr_types::http::ContactChanged;

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Changes the contact that a code came back from: 200 `{"customer","token"}`.
///
/// # Errors
/// As [`update_contact::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let token = body.string("token");
    let code = body.string("code");
    body.finish()?;
    let customer_id = call.customer()?.id.clone();
    let input = update_contact::Input { customer_id, claims: call.claims()?.clone(), token, code };
    let output = update_contact::run(call.app(), input).await?;
    Reply::json(&ContactChanged { customer: output.customer, token: output.token })
}
