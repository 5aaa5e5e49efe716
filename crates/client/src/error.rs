//! What can go wrong, by what a storefront can do about it.

use cr_types::error::ErrorBody;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address given is none.
    #[error("`{0}` is no http:// or https:// address")]
    Address(String),
    /// No answer came: no connection, or not in time. The request may have been carried out all the same.
    #[error("the server cannot be reached")]
    Unreachable(#[source] Box<reqwest::Error>),
    /// The server said no, in a sentence for a person.
    #[error("{}", body.message)]
    Refused {
        /// The HTTP status.
        status: u16,
        /// `code`, `type`, `message` and details.
        body: Box<ErrorBody>,
        /// Seconds to wait before another try, where the server said so.
        retry_after: Option<u64>,
    },
    /// Something answered that is no such server: a proxy's error page, an answer of another shape.
    #[error("the answer ({status}) is not this server's")]
    NotUnderstood {
        /// The HTTP status.
        status: u16,
    },
    /// The input cannot be right and was not sent.
    #[error("{0}")]
    Input(&'static str),
}

impl Error {
    /// The HTTP status, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } | Self::NotUnderstood { status } => Some(*status),
            Self::Address(_) | Self::Unreachable(_) | Self::Input(_) => None,
        }
    }

    /// What a program may branch on, such as `verification_required` or `otp_locked`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => body.code.as_deref(),
            _ => None,
        }
    }

    /// No answer; the URL is left out, since what is logged must not tell who was asked for.
    pub(crate) fn unreachable(error: reqwest::Error) -> Self {
        Self::Unreachable(Box::new(error.without_url()))
    }
}
