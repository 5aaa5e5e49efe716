//! `AccountDeletionRequestService`: the plugin's service over its table.

use cr_db::models::account_deletion_request::{self, ActiveRequest, NewConfirmedRequest};
use cr_types::ids::{CustomerId, generate};
use cr_types::timestamp::Timestamp;

use crate::ctx::Ctx;
use crate::error::Error;

pub use cr_db::models::account_deletion_request::{AccountDeletionRequest, Decision, OrderBy};

/// A page of the admin's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListConfig {
    /// What it is sorted by.
    pub order: OrderBy,
    /// The greatest first.
    pub descending: bool,
    /// Rows at most.
    pub limit: i64,
    /// Rows left out.
    pub offset: i64,
}

/// The plugin's service. Every method works in the caller's transaction.
pub struct AccountDeletionRequestService;

impl AccountDeletionRequestService {
    /// Makes a confirmed request that is due at a moment.
    ///
    /// # Errors
    /// 400 when the customer has an active one already; or when the statement fails.
    pub async fn create_confirmed(
        cx: &mut Ctx,
        customer: &CustomerId,
        deletion_scheduled_at: Timestamp,
        reason: Option<&str>,
    ) -> Result<AccountDeletionRequest, Error> {
        let id = generate("adr", cx.now, cx.bytes());
        let new = NewConfirmedRequest { id: &id, customer_id: customer, reason, deletion_scheduled_at };
        account_deletion_request::insert_confirmed(&mut cx.tx, &new, cx.now).await?.ok_or_else(already_active)
    }

    /// Cancels the customer's active request. Of this and the job, whoever holds the row first wins.
    ///
    /// # Errors
    /// 400 when nothing can be cancelled any more; or when the statement fails.
    pub async fn cancel_request(cx: &mut Ctx, customer: &CustomerId) -> Result<AccountDeletionRequest, Error> {
        account_deletion_request::cancel(&mut cx.tx, customer, cx.now)
            .await?
            .ok_or_else(|| Error::not_allowed("No active account deletion request"))
    }

    /// The customer's pending or confirmed request.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn get_active_by_customer_id(
        cx: &mut Ctx,
        customer: &CustomerId,
    ) -> Result<Option<ActiveRequest>, Error> {
        Ok(account_deletion_request::find_active(&mut cx.tx, customer).await?)
    }

    /// Whether the customer has a request that the Node plugin left unconfirmed.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn has_pending_request(cx: &mut Ctx, customer: &CustomerId) -> Result<bool, Error> {
        let Some(active) = Self::get_active_by_customer_id(cx, customer).await? else { return Ok(false) };
        let request = account_deletion_request::find(&mut cx.tx, &active.id).await?;
        Ok(request.is_some_and(|request| request.status == "pending"))
    }

    /// Whether the customer has a pending or confirmed request.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn has_active_request(cx: &mut Ctx, customer: &CustomerId) -> Result<bool, Error> {
        Ok(Self::get_active_by_customer_id(cx, customer).await?.is_some())
    }

    /// A page of requests, of one status or of all, and how many there are in all; of more than 10,000, how many there were some
    /// seconds ago.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn list_for_admin(
        cx: &mut Ctx,
        status: Option<&str>,
        config: ListConfig,
    ) -> Result<(Vec<AccountDeletionRequest>, i64), Error> {
        let ListConfig { order, descending, limit, offset } = config;
        let page = account_deletion_request::list(&mut cx.tx, status, order, descending, limit, offset).await?;
        let counts = &cx.shared.large_counts;
        if let Some(count) = counts.get(status, cx.now) {
            return Ok((page, count));
        }
        let count = account_deletion_request::count(&mut cx.tx, status).await?;
        counts.keep(status, count, cx.now);
        Ok((page, count))
    }

    /// Up to `limit` confirmed requests that are due and not held, locked until the transaction ends; those after `after`.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn list_due_for_deletion(
        cx: &mut Ctx,
        after: (Timestamp, &str),
        limit: i64,
    ) -> Result<Vec<AccountDeletionRequest>, Error> {
        Ok(account_deletion_request::lock_due(&mut cx.tx, cx.now, after, limit).await?)
    }

    /// Does what an administrator decided; [`Decision::Run`] holds the row, and the caller erases.
    ///
    /// # Errors
    /// 404 for an id of no request, 400 with the reason when its state does not allow it; or when a statement fails.
    pub async fn decide(cx: &mut Ctx, id: &str, decision: Decision) -> Result<AccountDeletionRequest, Error> {
        if let Some(request) = account_deletion_request::decide(&mut cx.tx, id, decision, cx.now).await? {
            return Ok(request);
        }
        Err(refusal(&Self::retrieve(cx, id).await?, decision))
    }

    /// One request.
    ///
    /// # Errors
    /// 404 for an id of no request; or when the statement fails.
    pub async fn retrieve(cx: &mut Ctx, id: &str) -> Result<AccountDeletionRequest, Error> {
        account_deletion_request::find(&mut cx.tx, id)
            .await?
            .ok_or_else(|| Error::not_found(format!("Account deletion request with id: {id} was not found")))
    }

    /// Marks a confirmed request as done and forgets its reason; false when it is something else by now.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn mark_completed(cx: &mut Ctx, id: &str) -> Result<bool, Error> {
        Ok(account_deletion_request::mark_completed(&mut cx.tx, id, cx.now).await?)
    }
}

/// 400 for a second request.
pub fn already_active() -> Error {
    Error::not_allowed("An account deletion request is already active")
}

/// Why a request is not what a decision asks for.
fn refusal(request: &AccountDeletionRequest, decision: Decision) -> Error {
    let (status, held) = (&request.status, request.held_at.is_some());
    Error::not_allowed(match decision {
        Decision::Cancel => format!("A {status} account deletion request cannot be cancelled"),
        Decision::Hold if held => "The account deletion request is held already".to_owned(),
        Decision::Hold => format!("A {status} account deletion request cannot be held"),
        Decision::Release => "The account deletion request is not held".to_owned(),
        Decision::Run if held => "The account deletion request is held; release it first".to_owned(),
        Decision::Run => format!("The account of a {status} account deletion request cannot be deleted"),
    })
}
