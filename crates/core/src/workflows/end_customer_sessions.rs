//! `POST /admin/customers/{id}/end-sessions`: an administrator logs a customer out everywhere.

use cr_db::models::cr_audit::{self, AuditLine};
use cr_db::models::customer;
use cr_types::ids::{CustomerId, generate};
use cr_types::timestamp::Timestamp;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::session;
use crate::workflows::decide_account_deletion::Administrator;
use crate::workflows::steps::retrieve_customer;

/// Ends every session and token that the customer has got until now, with a line in the audit; gives the moment. Whoever knows the
/// password can log in again at once. Asked for twice, it ends what came in between.
///
/// # Errors
/// 404 for a customer that is not there, or is deleted; or when a statement fails.
pub async fn run(app: &App, id: &CustomerId, by: &Administrator<'_>) -> Result<Timestamp, Error> {
    let mut cx = app.begin().await?;
    cx.step("end-customer-sessions")?;
    // Held first, as by whoever proves a contact: an identity that is being made right now is either seen here or made after.
    customer::lock(&mut cx.tx, id).await?;
    if customer::find(&mut cx.tx, id).await?.is_none() {
        return Err(retrieve_customer::not_found(id));
    }
    session::end_all(&mut cx, id).await?;
    audit(&mut cx, id, by).await?;
    let now = cx.now;
    cx.commit().await?;
    Ok(now)
}

/// Who ended whose sessions.
///
/// # Errors
/// When the statement fails.
async fn audit(cx: &mut Ctx, id: &CustomerId, by: &Administrator<'_>) -> Result<(), Error> {
    cx.step("write-audit")?;
    let line = AuditLine {
        id: &generate("craud", cx.now, cx.bytes()),
        actor_type: by.actor_type,
        actor_id: Some(by.actor_id),
        action: "customer.end_sessions",
        subject_id: Some(id.as_str()),
        details: None,
    };
    Ok(cr_audit::insert(&mut cx.tx, &line, cx.now).await?)
}
