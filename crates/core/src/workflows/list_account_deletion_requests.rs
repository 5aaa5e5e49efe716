//! `GET /admin/account-deletion-requests`.

use std::collections::BTreeMap;

use cr_db::models::account_deletion_request::AccountDeletionRequest;
use cr_db::models::customer;

use crate::app::App;
use crate::error::Error;
use crate::modules::account_deletion_request::service::{AccountDeletionRequestService, ListConfig};

pub use cr_db::models::customer::CustomerName;

/// What a list says.
pub struct Page {
    /// The rows asked for.
    pub requests: Vec<AccountDeletionRequest>,
    /// Who their customers are, by id, where that was asked for. A customer whose row is gone is not in it.
    pub customers: Option<BTreeMap<String, CustomerName>>,
    /// How many rows there are in all; of more than 10,000, how many there were some seconds ago.
    pub count: i64,
}

/// A page of requests and how many there are in all.
///
/// # Errors
/// When a statement fails.
pub async fn run(app: &App, status: Option<&str>, config: ListConfig, with_customers: bool) -> Result<Page, Error> {
    let mut cx = app.begin_read().await?;
    let (requests, count) = AccountDeletionRequestService::list_for_admin(&mut cx, status, config).await?;
    let mut customers = None;
    if with_customers {
        let ids: Vec<&str> = requests.iter().map(|request| request.customer_id.as_str()).collect();
        let names = customer::list_names(&mut cx.tx, &ids).await?;
        customers = Some(names.into_iter().map(|name| (name.id.to_string(), name)).collect());
    }
    Ok(Page { requests, customers, count })
}
