//! `POST /admin/account-deletion-requests/{id}/cancel`, `/hold`, `/release`, `/run`: an administrator decides.

use cr_db::models::cr_audit::{self, AuditLine};
use cr_types::ids::generate;
use serde_json::json;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::events::{self, Event};
use crate::jobs::process_account_deletions;
use crate::modules::account_deletion_request::service::{
    AccountDeletionRequest, AccountDeletionRequestService, Decision,
};

/// Who decides.
pub struct Administrator<'a> {
    /// `user` or `api-key`.
    pub actor_type: &'a str,
    /// `user_…` or `apk_…`.
    pub actor_id: &'a str,
}

/// Does it, with a line in the audit. Of this, the customer and the job, whoever holds the row first wins.
///
/// # Errors
/// As [`AccountDeletionRequestService::decide`]; what the erasure says.
pub async fn run(
    app: &App,
    id: &str,
    decision: Decision,
    by: &Administrator<'_>,
) -> Result<AccountDeletionRequest, Error> {
    let mut cx = app.begin().await?;
    cx.step("decide-account-deletion-request")?;
    let mut request = AccountDeletionRequestService::decide(&mut cx, id, decision).await?;
    audit(&mut cx, &request, decision, by).await?;
    match decision {
        Decision::Run => {
            process_account_deletions::complete(&mut cx, &request).await?;
            request = AccountDeletionRequestService::retrieve(&mut cx, id).await?;
        }
        Decision::Cancel => {
            let (id, customer_id) = (request.id.clone(), request.customer_id.clone());
            events::emit(&mut cx, Event::AccountDeletionCancelled { id, customer_id }).await?;
        }
        Decision::Hold | Decision::Release => {}
    }
    cx.commit().await?;
    Ok(request)
}

/// Who decided what, about whom.
///
/// # Errors
/// When the statement fails.
async fn audit(
    cx: &mut Ctx,
    request: &AccountDeletionRequest,
    decision: Decision,
    by: &Administrator<'_>,
) -> Result<(), Error> {
    cx.step("write-audit")?;
    let line = AuditLine {
        id: &generate("craud", cx.now, cx.bytes()),
        actor_type: by.actor_type,
        actor_id: Some(by.actor_id),
        action: match decision {
            Decision::Cancel => "account_deletion.cancel",
            Decision::Hold => "account_deletion.hold",
            Decision::Release => "account_deletion.release",
            Decision::Run => "account_deletion.run",
        },
        subject_id: Some(request.customer_id.as_str()),
        details: Some(&json!({ "account_deletion_request_id": request.id })),
    };
    Ok(cr_audit::insert(&mut cx.tx, &line, cx.now).await?)
}
