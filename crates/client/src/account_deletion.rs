//! The end of an account, and the way back.

use cr_types::http::{CodeSent, DeletionCancelled, DeletionConfirmed};

use crate::customers::came_back;
use crate::{Client, Contact, Error, object};

impl Client {
    /// Sends a code that confirms the wish to go. The reason has 1000 characters at most.
    ///
    /// # Errors
    /// 400 when nothing of the account is proven, or a request is active already; 401; 429.
    pub async fn request_account_deletion(&self, token: &str, reason: Option<&str>) -> Result<CodeSent, Error> {
        self.post("/store/customers/account-deletion/request", Some(token), &object([("reason", reason)])).await
    }

    /// Confirms the wish by the code that came: the account goes in some days, and cannot log in until then.
    ///
    /// # Errors
    /// As [`Client::verify_otp`].
    pub async fn confirm_account_deletion(&self, otp_token: &str, code: &str) -> Result<DeletionConfirmed, Error> {
        self.post("/store/customers/account-deletion/confirm", None, &came_back(otp_token, code)).await
    }

    /// Sends a code that takes the wish back; the answer is the same for everybody.
    ///
    /// # Errors
    /// 400 for bad input; 429.
    pub async fn request_account_deletion_cancel(&self, contact: Contact<'_>) -> Result<CodeSent, Error> {
        self.post("/store/customers/account-deletion/cancel-request", None, &object([contact.pair()])).await
    }

    /// Takes the wish back by the code that came.
    ///
    /// # Errors
    /// As [`Client::verify_otp`]; 400 when no request is active any more.
    pub async fn cancel_account_deletion(&self, otp_token: &str, code: &str) -> Result<DeletionCancelled, Error> {
        self.post("/store/customers/account-deletion/cancel-confirm", None, &came_back(otp_token, code)).await
    }
}
