//! The four helpers of the npm package `customer-registration/helpers`, under their names: a password is reset by e-mail or phone.
//! Their options are a [`Client`].
//!
//! ```
//! use customer_registration_client::helpers::{AccountLookup, create_request_password_reset};
//! use customer_registration_client::Client;
//!
//! let shop = Client::new("http://127.0.0.1:9000", Some("pk_1")).unwrap();
//! let request = create_request_password_reset(shop);
//! // Nothing is sent until it is awaited.
//! let asked = request(AccountLookup::EmailOrPhone("alice@example.com".to_owned()));
//! drop(asked);
//! ```

use cr_types::http::PasswordReset;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::{Client, Error, object};

/// Names an account in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountLookup {
    /// An e-mail, under Medusa's own name for it.
    Identifier(String),
    /// An e-mail.
    Email(String),
    /// A phone.
    Phone(String),
    /// An e-mail where it holds an `@`, else a phone.
    EmailOrPhone(String),
}

impl AccountLookup {
    /// What it is called in a body, and its text.
    fn pair(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Identifier(text) => ("identifier", Some(text)),
            Self::Email(text) => ("email", Some(text)),
            Self::Phone(text) => ("phone", Some(text)),
            Self::EmailOrPhone(text) => ("email_or_phone", Some(text)),
        }
    }
}

/// A new password, by the token of the link. No secret is in its `Debug`.
#[derive(Clone, Debug)]
pub struct CompletePasswordReset {
    /// Whose; must be who the token is for.
    pub account: AccountLookup,
    /// The new one.
    pub password: SecretString,
    /// Travels in a header, never in a URL.
    pub token: SecretString,
}

/// Asks for a link to set a new password; the same answer for every account and for none.
///
/// # Errors
/// 400 for bad input, or a channel that nobody logs in by; 429.
pub async fn request_password_reset(input: AccountLookup, options: &Client) -> Result<(), Error> {
    let _nothing: Value =
        options.post("/auth/customer/emailpass/reset-password", None, &object([input.pair()])).await?;
    Ok(())
}

/// Sets a new password with the token of the link.
///
/// # Errors
/// [`Error::Input`] without token or password; 401 `Invalid token`; 400 for a password against the policy.
pub async fn complete_password_reset(input: CompletePasswordReset, options: &Client) -> Result<PasswordReset, Error> {
    let (password, token) = (input.password.expose_secret(), input.token.expose_secret());
    if token.is_empty() {
        return Err(Error::Input("Field 'token' is required"));
    }
    if password.is_empty() {
        return Err(Error::Input("Field 'password' is required"));
    }
    let body = object([input.account.pair(), ("password", Some(password))]);
    options.post("/auth/customer/emailpass/update", Some(token), &body).await
}

/// [`request_password_reset`] with its options bound.
pub fn create_request_password_reset(options: Client) -> impl AsyncFn(AccountLookup) -> Result<(), Error> {
    async move |input| request_password_reset(input, &options).await
}

/// [`complete_password_reset`] with its options bound.
pub fn create_complete_password_reset(
    options: Client,
) -> impl AsyncFn(CompletePasswordReset) -> Result<PasswordReset, Error> {
    async move |input| complete_password_reset(input, &options).await
}
