//! `GET /admin/account-deletion-requests`.

pub mod id;

use cr_core::error::Error;
use cr_core::modules::account_deletion_request::service::{AccountDeletionRequest, ListConfig, OrderBy};
use cr_core::workflows::list_account_deletion_requests::{self, CustomerName, Page};
use serde_json::{Value, json};

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// The states that a request can be asked for by.
const STATUSES: [&str; 4] = ["pending", "confirmed", "cancelled", "completed"];
/// What a list can be sorted by.
const ORDERS: [&str; 3] = ["created_at", "updated_at", "customer_id"];

/// A page of requests: 200 `{"requests":[every column],"count","offset","limit"}`; with `?fields=*customer` each request has a
/// `customer` besides.
///
/// # Errors
/// 400 for a query in Medusa's words; as [`list_account_deletion_requests::run`].
pub async fn get(call: Call) -> Result<Reply, Error> {
    let mut query = Object::query(&call.query);
    let status = query.optional_one_of("status", &STATUSES);
    let order = query.optional_one_of("order", &ORDERS);
    let direction = query.optional_one_of("order_direction", &["ASC", "DESC"]);
    let limit = query.query_integer("limit", 20, 0, 1000);
    let offset = query.query_integer("offset", 0, 0, i64::MAX);
    let fields = query.optional_one_of("fields", &["*customer"]);
    query.finish()?;
    let order = match order {
        Some("updated_at") => OrderBy::UpdatedAt,
        Some("customer_id") => OrderBy::CustomerId,
        _ => OrderBy::CreatedAt,
    };
    let config = ListConfig { order, descending: direction != Some("ASC"), limit, offset };
    let page = list_account_deletion_requests::run(call.app(), status, config, fields.is_some()).await?;
    let requests: Vec<Value> = page.requests.iter().map(|request| with_customer(request, &page)).collect();
    Reply::json(&json!({ "requests": requests, "count": page.count, "offset": offset, "limit": limit }))
}

/// A row, and who that is where it was asked for: null once the customer's row is gone.
fn with_customer(request: &AccountDeletionRequest, page: &Page) -> Value {
    let mut row = shown(request);
    if let (Some(customers), Some(row)) = (&page.customers, row.as_object_mut()) {
        let customer = customers.get(request.customer_id.as_str()).map_or(Value::Null, named);
        row.insert("customer".to_owned(), customer);
    }
    row
}

/// Who a customer is.
fn named(customer: &CustomerName) -> Value {
    json!({
        "id": customer.id,
        "email": customer.email,
        "phone": customer.phone,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
    })
}

/// A row with every column, in the order of the plugin's model.
pub fn shown(request: &AccountDeletionRequest) -> Value {
    json!({
        "id": request.id,
        "customer_id": request.customer_id,
        "reason": request.reason,
        "deletion_scheduled_at": request.deletion_scheduled_at,
        "status": request.status,
        "cancelled_at": request.cancelled_at,
        "held_at": request.held_at,
        "created_at": request.created_at,
        "updated_at": request.updated_at,
        "deleted_at": request.deleted_at,
    })
}
