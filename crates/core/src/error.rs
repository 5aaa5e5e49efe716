//! The one error of the product, in Medusa's kinds. Only `server/respond.rs` knows what status each becomes.

use std::error::Error as StdError;
use std::fmt;

use cr_db::DbError;
use serde_json::{Map, Value};

/// What a failure means to the caller. The names are Medusa's error types; `Forbidden` and below are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong.
    InvalidData,
    /// The request is understood and refused.
    NotAllowed,
    /// Credentials are missing or wrong.
    Unauthorized,
    /// The guard's `401`, whose body is a message alone.
    Unauthenticated,
    /// Something named does not exist.
    NotFound,
    /// Something exists already.
    Duplicate,
    /// Another request won; the same request may be sent again.
    Conflict,
    /// Refused with 403, a code and details.
    Forbidden,
    /// The body is larger than `http.bodyLimit`.
    TooLarge,
    /// A limit is reached; carries when to come back.
    TooManyRequests,
    /// Too busy or without a database; carries when to come back.
    Unavailable,
    /// The upstream cannot be reached.
    BadGateway,
    /// The upstream did not answer in time.
    GatewayTimeout,
    /// A fault of ours; the cause goes to the log, a general sentence to the client.
    Internal,
}

/// A failure: what the client reads, and for the log what caused it.
#[derive(Debug)]
pub struct Error {
    /// What it means.
    pub kind: ErrorKind,
    /// The sentence for the client.
    pub message: String,
    /// What a program may branch on, such as `otp_locked`.
    pub code: Option<&'static str>,
    /// Further keys of the body, in order.
    pub details: Map<String, Value>,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<i64>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Medusa's sentence for a lost race (error-handler of 2.11.2).
const CONFLICT: &str =
    "The request conflicted with another request. You may retry the request with the provided Idempotency-Key.";

impl Error {
    /// Nothing but kind and sentence; the rest is added by the methods below.
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, details: Map::new(), retry_after: None, source: None }
    }

    /// 400 `invalid_data`.
    pub fn invalid_data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidData, message)
    }

    /// 400 `not_allowed`.
    pub fn not_allowed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotAllowed, message)
    }

    /// 401 `unauthorized`.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthorized, message)
    }

    /// The guard's 401, `{"message":"Unauthorized"}`.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorKind::Unauthenticated, "Unauthorized")
    }

    /// 404 `not_found`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// 422 `duplicate_error`.
    pub fn duplicate(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Duplicate, message)
    }

    /// 409 with Medusa's fixed sentence.
    pub fn conflict() -> Self {
        Self::new(ErrorKind::Conflict, CONFLICT)
    }

    /// 403 `not_allowed` with a code.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, message).code(code)
    }

    /// 413 `invalid_data`; the unit is bytes.
    pub fn too_large(limit: usize) -> Self {
        Self::new(ErrorKind::TooLarge, format!("The request body is larger than {limit} bytes"))
    }

    /// 429 `too_many_requests`; the unit is seconds.
    pub fn too_many_requests(message: impl Into<String>, retry_after: i64) -> Self {
        Self { retry_after: Some(retry_after.max(1)), ..Self::new(ErrorKind::TooManyRequests, message) }
    }

    /// 503 `unavailable`; the unit is seconds.
    pub fn unavailable(message: impl Into<String>, retry_after: i64) -> Self {
        Self { retry_after: Some(retry_after.max(1)), ..Self::new(ErrorKind::Unavailable, message) }
    }

    /// 502 `unexpected_state`.
    pub fn bad_gateway(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadGateway, message)
    }

    /// 504 `unexpected_state`.
    pub fn gateway_timeout(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::GatewayTimeout, message)
    }

    /// 500 with a general sentence; the text given is for the log.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(cause.into()), ..Self::new(ErrorKind::Internal, "An unknown error occurred.") }
    }

    /// The same failure with what caused it, for the log.
    #[must_use]
    pub fn because(self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(cause.into()), ..self }
    }

    /// The same failure with a code.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The same failure with one more key in its body.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<DbError> for Error {
    /// A unique rule that no workflow named is a lost race; the rest is ours.
    fn from(error: DbError) -> Self {
        let mut mapped = match &error {
            DbError::Busy(_) | DbError::NotUnique { .. } => Self::conflict(),
            DbError::Unavailable(_) => Self::unavailable("The database cannot be reached at the moment", 1),
            DbError::Inconsistent(_) | DbError::Driver(_) | DbError::Migration(_) => {
                return Self::internal(error);
            }
        };
        mapped.source = Some(Box::new(error));
        mapped
    }
}
