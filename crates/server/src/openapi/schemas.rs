//! The bodies that several routes share.

use serde_json::{Map, Value, json};

/// A reference to one of [`all`].
pub(super) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object with these properties and no other; `optional` ones may be missing.
#[expect(clippy::needless_pass_by_value, reason = "callers write the properties in place")]
pub(super) fn object(properties: Value, optional: &[&str]) -> Value {
    let names: Vec<&String> = properties.as_object().map(|map| map.keys().collect()).unwrap_or_default();
    let required: Vec<&&String> = names.iter().filter(|name| !optional.contains(&name.as_str())).collect();
    let mut made = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (false, Some(made)) = (required.is_empty(), made.as_object_mut()) {
        made.insert("required".to_owned(), json!(required));
    }
    made
}

/// A text.
pub(super) fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

/// A text or null.
pub(super) fn nullable(description: &str) -> Value {
    json!({ "type": ["string", "null"], "description": description })
}

/// A moment.
pub(super) fn moment(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

/// A moment or null.
pub(super) fn nullable_moment(description: &str) -> Value {
    json!({ "type": ["string", "null"], "format": "date-time", "description": description })
}

/// What `{token, code}` routes take.
pub(super) fn token_and_code() -> (Value, Value) {
    let properties =
        json!({ "token": text("From the answer that announced the code."), "code": text("From the message.") });
    (object(properties, &[]), json!({ "token": "eyJhbGciOi…", "code": "493817" }))
}

/// `{"token","expires_at"}`.
pub(super) fn code_sent() -> (Value, Value) {
    (schema("CodeSent"), json!({ "token": "eyJhbGciOi…", "expires_at": "2026-01-02T03:19:05.678Z" }))
}

/// `{"token"}`.
pub(super) fn token() -> (Value, Value) {
    (schema("Token"), json!({ "token": "eyJhbGciOi…" }))
}

/// `{"customer"}`.
pub(super) fn customer() -> (Value, Value) {
    let example = json!({ "customer": {
        "id": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA",
        "email": "ada@example.com",
        "company_name": null,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "phone": "+15551234567",
        "metadata": null,
        "has_account": true,
        "deleted_at": null,
        "created_at": "2026-01-02T03:04:05.678Z",
        "updated_at": "2026-01-02T03:04:05.678Z",
        "email_verified": true,
        "phone_verified": false,
        "addresses": [],
    } });
    (schema("CustomerBody"), example)
}

/// The refusal of a contact that another account has.
pub(super) fn duplicate() -> Value {
    json!({
        "code": "invalid_request_error",
        "type": "duplicate_error",
        "message": "Customer with this email already has an account",
    })
}

/// The refusal of an account that is about to go.
pub(super) fn deletion_pending() -> Value {
    json!({
        "code": "account_deletion_pending",
        "type": "not_allowed",
        "message": "Account deletion is scheduled",
        "deletion_scheduled_at": "2026-01-09T03:04:05.678Z",
    })
}

/// A deletion request as administrators see it.
pub(super) fn deletion_request() -> Value {
    json!({
        "id": "adr_01KDYF6QGE8QZ5T5W2Z7S9QK4V",
        "customer_id": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA",
        "reason": "Too many mails",
        "deletion_scheduled_at": "2026-01-09T03:04:05.678Z",
        "status": "confirmed",
        "cancelled_at": null,
        "held_at": null,
        "created_at": "2026-01-02T03:04:05.678Z",
        "updated_at": "2026-01-02T03:04:05.678Z",
        "deleted_at": null,
    })
}

/// Every schema with a name.
pub(super) fn all() -> Value {
    let mut all = Map::new();
    let mut add = |name: &str, schema: Value| all.insert(name.to_owned(), schema);
    add("Error", error());
    add("Token", object(json!({ "token": text("A JWT.") }), &[]));
    add(
        "CodeSent",
        object(json!({ "token": text("Comes back with the code."), "expires_at": moment("When the code dies.") }), &[]),
    );
    add("Customer", customer_schema());
    let verification = object(
        json!({
            "type": { "enum": ["email_verification", "phone_verification"] },
            "token": text("Comes back with the code."),
            "expires_at": moment("When the code dies."),
        }),
        &[],
    );
    let verifications =
        json!({ "type": "array", "items": verification, "description": "Codes that went out at once." });
    add(
        "CustomerBody",
        object(json!({ "customer": schema("Customer"), "verifications": verifications }), &["verifications"]),
    );
    add("AccountDeletionRequest", deletion_request_schema());
    Value::Object(all)
}

/// The body of every refusal.
fn error() -> Value {
    let properties = json!({
        "code": text("For programs, where a type alone does not tell enough."),
        "type": {
            "enum": [
                "invalid_data", "not_allowed", "unauthorized", "not_found", "duplicate_error", "conflict", "too_many_requests",
                "unavailable", "unexpected_state", "unknown_error",
            ],
        },
        "message": text("For people."),
        "deletion_scheduled_at": nullable_moment("With `account_deletion_pending`."),
        "customer_id": text("With `verification_required`."),
        "unverified": { "enum": ["email", "phone"], "description": "With `verification_required`." },
        "token": text("With `verification_required`: asks for a code as the identity's own."),
    });
    let optional = ["code", "type", "deletion_scheduled_at", "customer_id", "unverified", "token"];
    object(properties, &optional)
}

/// A customer. `?fields=` chooses, so that nothing but the id is sure.
fn customer_schema() -> Value {
    let address = json!({ "type": "object", "required": ["id"], "properties": { "id": text("`cuaddr_…`") } });
    json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": text("`cus_…`"),
            "email": nullable("The e-mail."),
            "company_name": nullable("The company."),
            "first_name": nullable("The first name."),
            "last_name": nullable("The last name."),
            "phone": nullable("E.164."),
            "metadata": { "type": ["object", "null"], "description": "Whatever the shop keeps there." },
            "has_account": { "type": "boolean" },
            "deleted_at": nullable_moment("Null: a deleted customer is not shown."),
            "created_at": moment("When they registered."),
            "updated_at": moment("When they last changed."),
            "email_verified": { "type": "boolean", "description": "Whether a code proved the present e-mail." },
            "phone_verified": { "type": "boolean", "description": "Whether a code proved the present phone." },
            "addresses": { "type": "array", "items": address },
        },
    })
}

/// Every column, and who that is where `fields=*customer` asks for it.
fn deletion_request_schema() -> Value {
    let customer = json!({
        "type": ["object", "null"],
        "description": "With `fields=*customer`; null once the customer's row is gone.",
        "required": ["id", "email", "phone", "first_name", "last_name"],
        "properties": {
            "id": text("`cus_…`"),
            "email": nullable("The e-mail."),
            "phone": nullable("The phone."),
            "first_name": nullable("The first name."),
            "last_name": nullable("The last name."),
        },
        "additionalProperties": false,
    });
    let properties = json!({
        "id": text("`adr_…`"),
        "customer_id": text("`cus_…`"),
        "reason": nullable("In the customer's words, until the account is gone."),
        "deletion_scheduled_at": nullable_moment("When the account goes."),
        "status": { "enum": ["pending", "confirmed", "cancelled", "completed"] },
        "cancelled_at": nullable_moment("When it was cancelled."),
        "held_at": nullable_moment("Since when an administrator keeps the job from it."),
        "created_at": moment("When it was made."),
        "updated_at": moment("When it last changed."),
        "deleted_at": nullable_moment("Null: a deleted request is not shown."),
        "customer": customer,
    });
    object(properties, &["customer"])
}
