//! The client for storefronts in Rust: every flow of a customer, and the four helpers of the npm package.
//!
//! Methods take the token that they need; a [`Client`] keeps none, so that one serves all visitors of a storefront. Whatever is
//! refused comes as [`Error::Refused`] with the server's own sentence.
//!
//! ```no_run
//! use customer_registration_client::{Client, Contact, Purpose, Whom};
//! use secrecy::SecretString;
//!
//! # async fn example() -> Result<(), customer_registration_client::Error> {
//! let shop = Client::new("http://127.0.0.1:9000", None)?;
//! let password = SecretString::from("correct horse 7".to_owned());
//! let registered = shop.register(Contact::Email("alice@example.com"), &password).await?.token;
//! let new = customer_registration_client::NewCustomer { email: Some("alice@example.com"), ..Default::default() };
//! let customer = shop.create_customer(&registered, &new).await?.customer;
//! let sent = shop.send_otp(Some(&registered), Purpose::Email, Whom::Customer(customer.id.as_str())).await?;
//! let code = "123456"; // what the customer reads in the message
//! let proven = shop.verify_otp(Some(&registered), &sent.token, code).await?;
//! let me = shop.me(&proven.token.unwrap_or_default()).await?;
//! assert_eq!(me.email_verified, Some(true));
//! # Ok(())
//! # }
//! ```

use std::sync::Once;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

mod account_deletion;
mod auth;
mod customers;
mod error;
pub mod helpers;

pub use auth::Contact;
pub use cr_types::{error::ErrorBody, http};
pub use customers::{NewCustomer, Page, Profile, Purpose, Whom};
pub use error::Error;

/// The end of a request, from connecting to the last byte. A login waits for a password hash, and for those before it.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Medusa's header for a storefront's key.
const KEY_HEADER: &str = "x-publishable-api-key";

/// One server, for any number of customers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    base: String,
    publishable_key: Option<String>,
}

impl Client {
    /// A client for the server at an address, such as `https://shop.example.com`; a path in it is kept. The key is `pk_…`, where
    /// the shop has one. Redirects are not followed: a token must not go where nobody named.
    ///
    /// # Errors
    /// [`Error::Address`] for what is no `http` or `https` address; [`Error::Unreachable`] when no HTTP client can be made.
    pub fn new(base_url: &str, publishable_key: Option<&str>) -> Result<Self, Error> {
        install_crypto();
        let http = reqwest::Client::builder()
            .user_agent(concat!("customer-registration-client/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(Error::unreachable)?;
        Self::with_http(http, base_url, publishable_key)
    }

    /// The same over an HTTP client of the caller's, with their own timeouts, proxies and certificates.
    ///
    /// # Errors
    /// [`Error::Address`] for what is no `http` or `https` address.
    pub fn with_http(http: reqwest::Client, base_url: &str, publishable_key: Option<&str>) -> Result<Self, Error> {
        let url = Url::parse(base_url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.filter(|url| url.query().is_none() && url.fragment().is_none());
        let url = url.ok_or_else(|| Error::Address(base_url.to_owned()))?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, publishable_key: publishable_key.map(ToOwned::to_owned) })
    }

    /// A request to a path below the base address, with key and token.
    fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.publishable_key {
            request = request.header(KEY_HEADER, key);
        }
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Posts a body and reads the answer.
    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        answer(self.request(Method::POST, path, token).json(body)).await
    }

    /// Reads an answer.
    async fn get<T: DeserializeOwned>(&self, path: &str, token: &str) -> Result<T, Error> {
        answer(self.request(Method::GET, path, Some(token))).await
    }
}

/// Sends, and reads either the answer or the refusal.
async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Error> {
    let response = request.send().await.map_err(Error::unreachable)?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let is_success = response.status().is_success();
    let bytes = response.bytes().await.map_err(Error::unreachable)?;
    if is_success {
        return serde_json::from_slice(&bytes).map_err(|_| Error::NotUnderstood { status });
    }
    match serde_json::from_slice::<ErrorBody>(&bytes) {
        Ok(body) => Err(Error::Refused { status, body: Box::new(body), retry_after }),
        Err(_) => Err(Error::NotUnderstood { status }),
    }
}

/// An object of the pairs that have a value.
fn object<const N: usize>(pairs: [(&str, Option<&str>); N]) -> Value {
    let given = pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
    Value::Object(given.collect())
}

/// Makes sure that TLS has its cryptography; what the process has installed already stays.
fn install_crypto() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // Another provider of the process's own serves as well.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    });
}
