//! The publishable API key that everything below `/store` wants, where a Medusa made the database.

use cr_core::error::Error;
use cr_core::modules::auth::token::AuthClaims;

use crate::call::Call;
use crate::routes::Namespace;
use crate::state::{Access, LiveCustomer};

/// The header it comes in.
pub const HEADER: &str = "x-publishable-api-key";
/// No key (Medusa 2.11.2, `ensurePublishableApiKeyMiddleware`).
const MISSING: &str = "Publishable API key required in the request header: x-publishable-api-key. You can manage your keys \
                       in settings in the dashboard.";
/// A key that is unknown, secret or revoked; same source.
const REFUSED: &str = "A valid publishable key is required to proceed with the request";

/// The key of a request until somebody looks it up: by itself, or together with the customer who calls.
pub struct PublishableKey<'a> {
    access: &'a dyn Access,
    /// `None`: none is wanted, or it was looked up and is good.
    token: Option<&'a str>,
}

impl<'a> PublishableKey<'a> {
    /// What a request brings, where its path wants one. `namespace` is the path's.
    ///
    /// # Errors
    /// `not_allowed` in Medusa's words without one.
    pub fn of(call: &'a Call, namespace: Namespace) -> Result<Self, Error> {
        let http = &call.state.http;
        let is_wanted = namespace == Namespace::Store && http.publishable_key_required;
        let token = call.header(HEADER).filter(|token| !token.is_empty() && is_wanted);
        if is_wanted && token.is_none() {
            return Err(Error::not_allowed(MISSING));
        }
        Ok(Self { access: http.access.as_ref(), token })
    }

    /// Whether one is wanted that nobody has looked up yet.
    pub fn is_to_be_looked_up(&self) -> bool {
        self.token.is_some()
    }

    /// Looks the key up, unless it was.
    ///
    /// # Errors
    /// `not_allowed` in Medusa's words for one that is not good; what the database says when it cannot be asked.
    pub async fn check(&mut self) -> Result<(), Error> {
        match self.token.take() {
            Some(token) if !self.access.publishable_key(token).await? => Err(Error::not_allowed(REFUSED)),
            _ => Ok(()),
        }
    }

    /// The customer of these claims, and in the same statement the key, unless it was looked up.
    ///
    /// # Errors
    /// As [`PublishableKey::check`].
    pub async fn live_customer(&mut self, claims: &AuthClaims, with_addresses: bool) -> Result<LiveCustomer, Error> {
        let Some(token) = self.token.take() else { return self.access.live_customer(claims, with_addresses).await };
        let found = self.access.live_customer_with_key(claims, with_addresses, token).await?;
        found.ok_or_else(|| Error::not_allowed(REFUSED))
    }
}
