//! `POST /store/customers/otp/verify`.

use cr_core::error::Error;
use cr_core::options::ContactType;
use cr_core::workflows::verify_otp;
use cr_types::http::Verified;

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Proves a contact: 200 `{"verified","customer","email_verified" or "phone_verified","token","needs_login"}`.
///
/// # Errors
/// As [`verify_otp::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let token = body.string("token");
    let code = body.string("code");
    body.finish()?;
    let claims = call.auth.as_ref().map(|auth| auth.claims.clone());
    let output = verify_otp::run(call.app(), verify_otp::Input { token, code, claims }).await?;
    Reply::json(&Verified {
        verified: true,
        customer: output.customer,
        email_verified: (output.contact == ContactType::Email).then_some(true),
        phone_verified: (output.contact == ContactType::Phone).then_some(true),
        needs_login: output.login.is_none(),
        token: output.login,
    })
}
