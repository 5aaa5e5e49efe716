//! What stands below `/admin`, and what an operator asks.

use http::Method;
use serde_json::{Value, json};

use super::Operation;
use super::schemas::{deletion_request, moment, nullable, nullable_moment, object, schema, text};

/// One a row of the table.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        list(),
        decision(
            "cancel",
            "Cancel a deletion on the customer's behalf",
            "A pending or confirmed request; the customer can log in again.",
        )
        .fails(400, "not_allowed", "A completed account deletion request cannot be cancelled"),
        decision(
            "hold",
            "Keep the job from a request",
            "A confirmed request that is not held. The account stays closed meanwhile.",
        )
        .fails(400, "not_allowed", "The account deletion request is held already")
        .fails(400, "not_allowed", "A cancelled account deletion request cannot be held"),
        decision("release", "Let the job have a held request again", "").fails(
            400,
            "not_allowed",
            "The account deletion request is not held",
        ),
        decision(
            "run",
            "Delete an account at once",
            "A confirmed request that is not held, whenever it is due. This cannot be undone.",
        )
        .fails(400, "not_allowed", "The account deletion request is held; release it first")
        .fails(400, "not_allowed", "The account of a cancelled account deletion request cannot be deleted"),
        messages(),
        end_sessions(),
        Operation {
            content_type: "text/html",
            ..Operation::new(
                Method::GET,
                "/health",
                "Whether the process answers",
                (json!({ "type": "string" }), json!("OK")),
            )
        },
        Operation::new(
            Method::GET,
            "/health/ready",
            "Whether the database answers",
            (object(json!({ "status": { "const": "ready" } }), &[]), json!({ "status": "ready" })),
        ),
    ]
}

/// `GET /admin/account-deletion-requests`.
fn list() -> Operation {
    let count = json!({ "type": "integer", "minimum": 0 });
    let rows = json!({ "type": "array", "items": schema("AccountDeletionRequest") });
    let properties = json!({ "requests": rows, "count": count, "offset": count, "limit": count });
    let example = json!({ "requests": [deletion_request()], "count": 1, "offset": 0, "limit": 20 });
    Operation::new(
        Method::GET,
        "/admin/account-deletion-requests",
        "Who is leaving",
        (object(properties, &[]), example),
    )
    .query("status", "Only these.", json!({ "enum": ["pending", "confirmed", "cancelled", "completed"] }))
    .query(
        "order",
        "Sorted by this; ties by id.",
        json!({ "enum": ["created_at", "updated_at", "customer_id"], "default": "created_at" }),
    )
    .query("order_direction", "Which way.", json!({ "enum": ["ASC", "DESC"], "default": "DESC" }))
    .query("limit", "So many at most.", json!({ "type": "integer", "minimum": 0, "maximum": 1000, "default": 20 }))
    .query("offset", "So many are left out.", json!({ "type": "integer", "minimum": 0, "default": 0 }))
    .query("fields", "Adds who each customer is.", json!({ "enum": ["*customer"] }))
    .fails(400, "invalid_data", "Invalid request: Value for field 'limit' too big, expected at most: '1000'")
}

/// One of the four deeds, by its word.
fn decision(word: &str, summary: &'static str, description: &'static str) -> Operation {
    let path = match word {
        "cancel" => "/admin/account-deletion-requests/{id}/cancel",
        "hold" => "/admin/account-deletion-requests/{id}/hold",
        "release" => "/admin/account-deletion-requests/{id}/release",
        _ => "/admin/account-deletion-requests/{id}/run",
    };
    let answer = object(json!({ "request": schema("AccountDeletionRequest") }), &[]);
    Operation::new(Method::POST, path, summary, (answer, json!({ "request": deletion_request() })))
        .about(description)
        .takes(object(json!({}), &[]), json!({}))
        .or_nothing()
        .fails(404, "not_found", NOT_FOUND)
        .fails(400, "invalid_data", "Invalid request: Unrecognized fields: 'force'")
}

/// The sentence for an id of no request.
const NOT_FOUND: &str = "Account deletion request with id: adr_01KDYF6QGE8QZ5T5W2Z7S9QK4V was not found";

/// `POST /admin/customers/{id}/end-sessions`.
fn end_sessions() -> Operation {
    let ended_at = moment("No session or token of before counts any more.");
    let customer = object(json!({ "id": text("`cus_…`"), "sessions_ended_at": ended_at }), &[]);
    let example = json!({ "id": "cus_01KDYF6QGE8QZ5T5W2Z7S9QK4V", "sessions_ended_at": "2026-01-02T03:04:05.678Z" });
    Operation::new(
        Method::POST,
        "/admin/customers/{id}/end-sessions",
        "Log a customer out everywhere",
        (object(json!({ "customer": customer }), &[]), json!({ "customer": example })),
    )
    .about("Every session and token ends, here and for what goes through to Medusa. The password stays.")
    .takes(object(json!({}), &[]), json!({}))
    .or_nothing()
    .fails(404, "not_found", "Customer with id: cus_01KDYF6QGE8QZ5T5W2Z7S9QK4V was not found")
    .fails(400, "invalid_data", "Invalid request: Unrecognized fields: 'force'")
}

/// `GET /admin/account-deletion-requests/{id}/messages`.
fn messages() -> Operation {
    let message = object(
        json!({
            "channel": text("`email`, `sms`, or another of the shop's."),
            "trigger_type": text("The purpose of the code, or the event."),
            "status": { "enum": ["pending", "sending", "delivered", "dead"] },
            "attempts": { "type": "integer", "minimum": 0 },
            "last_error": nullable("The kind of the last failure."),
            "created_at": moment("When it was written."),
            "delivered_at": nullable_moment("When it was taken over."),
        }),
        &[],
    );
    let answer: Value = object(
        json!({ "messages": { "type": "array", "items": message }, "count": { "type": "integer", "minimum": 0 } }),
        &[],
    );
    let example = json!({
        "messages": [{
            "channel": "email",
            "trigger_type": "account_deletion_request",
            "status": "delivered",
            "attempts": 1,
            "last_error": null,
            "created_at": "2026-01-02T03:04:05.678Z",
            "delivered_at": "2026-01-02T03:04:06.120Z",
        }],
        "count": 1,
    });
    Operation::new(
        Method::GET,
        "/admin/account-deletion-requests/{id}/messages",
        "How the messages to that customer fared",
        (answer, example),
    )
    .about("The newest first; never what they said or where they went. A deleted account has none any more.")
    .fails(404, "not_found", NOT_FOUND)
    .fails(400, "invalid_data", "Invalid request: Unrecognized fields: 'limit'")
}
