//! `POST /auth/token/refresh`.

use cr_core::error::Error;
use cr_core::workflows::refresh_token;
use cr_types::http::Token;

use crate::call::Call;
use crate::respond::Reply;

/// A newer token for one that counts: 200 `{"token"}`.
///
/// # Errors
/// As [`refresh_token::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let output = refresh_token::run(call.app(), call.claims()?).await?;
    Reply::json(&Token { token: output.token })
}
