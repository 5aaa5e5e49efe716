//! The publishable API key that everything below `/store` wants, where a Medusa made the database.

use cr_core::error::Error;

use crate::call::Call;

/// The header it comes in.
pub const HEADER: &str = "x-publishable-api-key";
/// No key (Medusa 2.11.2, `ensurePublishableApiKeyMiddleware`).
const MISSING: &str = "Publishable API key required in the request header: x-publishable-api-key. You can manage your keys \
                       in settings in the dashboard.";
/// A key that is unknown, secret or revoked; same source.
const REFUSED: &str = "A valid publishable key is required to proceed with the request";

/// Lets a request through that brings a good key, or needs none.
///
/// # Errors
/// `not_allowed` in Medusa's words; what the database says when it cannot be asked.
pub async fn check(call: &Call) -> Result<(), Error> {
    if !call.state.http.publishable_key_required {
        return Ok(());
    }
    let token = call.header(HEADER).filter(|token| !token.is_empty()).ok_or_else(|| Error::not_allowed(MISSING))?;
    if call.state.http.access.publishable_key(token).await? {
        return Ok(());
    }
    Err(Error::not_allowed(REFUSED))
}
