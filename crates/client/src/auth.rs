//! Registration, login and refresh.

use cr_types::http::Token;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{Client, Error, object};

/// An e-mail or a phone number, as the customer typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact<'a> {
    /// An e-mail address.
    Email(&'a str),
    /// A phone number, in the international form where the shop has no default country.
    Phone(&'a str),
}

impl<'a> Contact<'a> {
    /// What it is called in a body, and its text.
    pub(crate) fn pair(self) -> (&'static str, Option<&'a str>) {
        match self {
            Self::Email(email) => ("email", Some(email)),
            Self::Phone(phone) => ("phone", Some(phone)),
        }
    }
}

impl Client {
    /// Registers a contact with a password: a token that makes the customer.
    ///
    /// # Errors
    /// 401 when an account has the contact; 400 for a bad contact or password; 429.
    pub async fn register(&self, contact: Contact<'_>, password: &SecretString) -> Result<Token, Error> {
        self.by_password("/auth/customer/emailpass/register", contact, password).await
    }

    /// Logs in: a token for everything below `/store`.
    ///
    /// # Errors
    /// 401 for an unknown contact, a wrong password, or (code `verification_required`, with a `token` in the details) an unproven
    /// contact; 403 for an account that is leaving; 429.
    pub async fn login(&self, contact: Contact<'_>, password: &SecretString) -> Result<Token, Error> {
        self.by_password("/auth/customer/emailpass", contact, password).await
    }

    /// A newer token for one that still counts.
    ///
    /// # Errors
    /// 401 for one that does not; as [`Client::login`] otherwise.
    pub async fn refresh(&self, token: &str) -> Result<Token, Error> {
        self.post("/auth/token/refresh", Some(token), &object([])).await
    }

    /// Posts contact and password.
    async fn by_password(&self, path: &str, contact: Contact<'_>, password: &SecretString) -> Result<Token, Error> {
        self.post(path, None, &object([contact.pair(), ("password", Some(password.expose_secret()))])).await
    }
}
