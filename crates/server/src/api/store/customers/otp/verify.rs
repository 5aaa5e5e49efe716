//! `POST /store/customers/otp/verify`.

use cr_core::error::Error;
use cr_core::options::ContactType;
use cr_core::workflows::verify_otp;
use serde_json::json;

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
    let flag = match output.contact {
        ContactType::Email => "email_verified",
        ContactType::Phone => "phone_verified",
    };
    let needs_login = output.login.is_none();
    Reply::json(&json!({
        "verified": true,
        "customer": output.customer,
        flag: true,
        "token": output.login,
        "needs_login": needs_login,
    }))
}
