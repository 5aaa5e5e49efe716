//! What every request can reach: the product, the HTTP settings, and the five questions that only the database answers.

use std::pin::Pin;

use cr_core::app::App;
use cr_core::error::Error;
use cr_core::keys::Keys;
use cr_core::modules::auth::token::AuthClaims;
use cr_core::modules::customer::Session;
use cr_core::providers::notification::local::LocalInbox;
use cr_types::timestamp::Timestamp;

use crate::client_address::TrustedProxies;
use crate::gateway::Gateway;
use crate::middlewares::cors::Cors;
use crate::routes::Routes;

/// The running server. One a process; a test makes its own.
pub struct ServerState {
    /// The product.
    pub app: App,
    /// Everything about HTTP that is fixed at start.
    pub http: Http,
}

/// Settings and seams of the HTTP side.
pub struct Http {
    /// `http.storeCors`, for `/store`.
    pub store_cors: Cors,
    /// `http.adminCors`, for `/admin`.
    pub admin_cors: Cors,
    /// `http.authCors`, for `/auth`.
    pub auth_cors: Cors,
    /// What `http.publishableKey` comes to on this database; see [`PublishableKeyRule`](crate::config::PublishableKeyRule).
    pub publishable_key_required: bool,
    /// `http.trustProxy`.
    pub trusted_proxies: TrustedProxies,
    /// `http.bodyLimit`, in bytes, inclusive.
    pub body_limit: usize,
    /// Who may come in.
    pub access: Box<dyn Access>,
    /// The table.
    pub routes: Routes,
    /// `admin.path`.
    pub admin_path: String,
    /// The way to a Medusa behind this server.
    pub gateway: Option<Gateway>,
    /// What the `local` provider keeps, in development.
    pub inbox: Option<LocalInbox>,
}

impl ServerState {
    /// The present, for what is decided before a workflow begins.
    pub fn now(&self) -> Timestamp {
        self.app.shared.env.clock.now()
    }

    /// Signs tokens and seals the session cookie.
    pub fn keys(&self) -> &Keys {
        &self.app.shared.keys
    }

    /// Whether `NODE_ENV` is `production`.
    pub fn production(&self) -> bool {
        self.app.shared.options.production
    }
}

/// What an [`Access`] function returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The questions about a caller that need data. One implementation asks the database, the router's own tests have
/// another.
pub trait Access: Send + Sync {
    /// Whether this is a publishable API key that is not revoked.
    ///
    /// # Errors
    /// When the database cannot be asked.
    fn publishable_key<'a>(&'a self, token: &'a str) -> Answer<'a, bool>;

    /// The id (`apk_…`) of the secret API key with this token, if it exists and is not revoked.
    ///
    /// # Errors
    /// When the database cannot be asked.
    fn secret_key<'a>(&'a self, token: &'a str) -> Answer<'a, Option<String>>;

    /// Whether the customer of these claims may act now. Called for claims of the actor type `customer` whose `actor_id`
    /// is not empty, from a bearer token or a session alike. The addresses come with the customer where they are asked for.
    ///
    /// # Errors
    /// When the database cannot be asked.
    fn live_customer<'a>(&'a self, claims: &'a AuthClaims, with_addresses: bool) -> Answer<'a, LiveCustomer>;

    /// Both questions in one: as [`Access::live_customer`], or `None` when the publishable key is none or revoked, whoever asks.
    ///
    /// # Errors
    /// When the database cannot be asked.
    fn live_customer_with_key<'a>(
        &'a self,
        claims: &'a AuthClaims,
        with_addresses: bool,
        token: &'a str,
    ) -> Answer<'a, Option<LiveCustomer>>;

    /// Whether the administrator of these claims may act now: lives, and the token's sessions were not ended. Called for claims of
    /// the actor type `user` whose `actor_id` is not empty, from a bearer token or a session alike.
    ///
    /// # Errors
    /// When the database cannot be asked.
    fn is_live_user<'a>(&'a self, claims: &'a AuthClaims) -> Answer<'a, bool>;
}

/// What became of a token's customer.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveCustomer {
    /// Lives, has an account, and the token is not older than the identity's `cr_not_before`.
    Live(Box<Session>),
    /// No such account any more, or the token's sessions were ended.
    Gone,
    /// Lives, but an account deletion is confirmed and not yet run.
    DeletionPending(Box<Session>),
}

impl From<Session> for LiveCustomer {
    fn from(session: Session) -> Self {
        let live = if session.is_deletion_active { Self::DeletionPending } else { Self::Live };
        live(Box::new(session))
    }
}
