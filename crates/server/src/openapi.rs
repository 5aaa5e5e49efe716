//! The OpenAPI 3.1 document: what each row of the route table takes and answers.
//!
//! Method, path, gate and limits come from the table itself; the rest stands beside it in this folder, one `Operation` a row.
//! The document is checked in as `docs/openapi.json` and served from there; a test compares the two, and every answer that the
//! API tests see is held against it.

mod admin;
mod auth;
mod schemas;
mod store;

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};

use crate::routes::{Gate, Namespace, Route, TABLE};

/// The document as it is checked in and served.
pub const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// What the table does not say of one of its rows.
struct Operation {
    method: Method,
    path: &'static str,
    summary: &'static str,
    description: &'static str,
    query: Vec<Value>,
    body: Option<(Value, Value)>,
    body_required: bool,
    status: u16,
    content_type: &'static str,
    answer: (Value, Value),
    errors: Vec<Failure>,
}

/// One way to be refused.
struct Failure {
    status: u16,
    /// The body.
    body: Value,
}

impl Operation {
    /// An operation that answers 200 with a body of this schema, and an example of it.
    fn new(method: Method, path: &'static str, summary: &'static str, answer: (Value, Value)) -> Self {
        let (query, errors) = (Vec::new(), Vec::new());
        let (description, content_type) = ("", "application/json");
        let (body, body_required, status) = (None, true, 200);
        Self { method, path, summary, description, query, body, body_required, status, content_type, answer, errors }
    }

    /// The same with more words.
    fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// The same with a JSON body: its schema, and an example.
    fn takes(mut self, schema: Value, example: Value) -> Self {
        self.body = Some((schema, example));
        self
    }

    /// The same, whose body may be left out.
    fn or_nothing(mut self) -> Self {
        self.body_required = false;
        self
    }

    /// The same with a parameter of the query.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the schema in place")]
    fn query(mut self, name: &str, description: &str, schema: Value) -> Self {
        self.query.push(json!({ "name": name, "in": "query", "description": description, "schema": schema }));
        self
    }

    /// The same with a refusal: status, the error's `type` and its sentence.
    fn fails(self, status: u16, kind: &str, message: &str) -> Self {
        self.fails_with(status, json!({ "type": kind, "message": message }))
    }

    /// The same with a refusal that has a code or details besides.
    fn fails_with(mut self, status: u16, body: Value) -> Self {
        self.errors.push(Failure { status, body });
        self
    }
}

/// The whole document.
pub fn document() -> Value {
    let operations: Vec<Operation> =
        [auth::operations(), store::operations(), admin::operations()].into_iter().flatten().collect();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in TABLE {
        let found = operations.iter().find(|it| it.method == route.method && it.path == route.path);
        let told = found.map_or(Value::Null, |operation| describe(route, operation));
        paths.entry(route.path).or_default().insert(route.method.as_str().to_ascii_lowercase(), told);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "customer-registration",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Customers of a shop: registration, login by e-mail or phone, codes, passwords, deletion of accounts, \
                            referrals. The routes that Medusa 2.11 has, too, answer as Medusa does.",
            "license": { "name": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "auth", "description": "Registration, login, sessions, passwords." },
            { "name": "store", "description": "What a customer does. Where Medusa made the database, a publishable API key is asked for." },
            { "name": "admin", "description": "What an administrator does." },
            { "name": "operations", "description": "Whether the server lives." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": shared_responses(),
            "securitySchemes": security_schemes(),
        },
    })
}

/// Who can be asked for.
fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of a registration, a login or, where it says so, of a reset link.",
        },
        "session": { "type": "apiKey", "in": "cookie", "name": "cr.sid", "description": "From `POST /auth/session`." },
        "secretKey": { "type": "http", "scheme": "basic", "description": "A secret API key as the user name, without a password." },
    })
}

/// One operation with what its row adds.
fn describe(route: &Route, operation: &Operation) -> Value {
    let mut told = Map::new();
    let tag = match route.namespace {
        Namespace::Auth => "auth",
        Namespace::Store => "store",
        Namespace::Admin => "admin",
        Namespace::None => "operations",
    };
    told.insert("tags".to_owned(), json!([tag]));
    told.insert("operationId".to_owned(), operation_id(route).into());
    told.insert("summary".to_owned(), operation.summary.into());
    if !operation.description.is_empty() {
        told.insert("description".to_owned(), operation.description.into());
    }
    let parameters = parameters(route, operation);
    if !parameters.is_empty() {
        told.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if let Some((schema, example)) = &operation.body {
        let content = json!({ "application/json": { "schema": schema, "example": example } });
        told.insert("requestBody".to_owned(), json!({ "required": operation.body_required, "content": content }));
    }
    told.insert("responses".to_owned(), responses(route, operation));
    told.insert("security".to_owned(), security(route));
    Value::Object(told)
}

/// `postStoreCustomersOtpSend`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_ascii_lowercase();
    for word in route.path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
    }
    id
}

/// Those of the path, the publishable key, and those of the query.
fn parameters(route: &Route, operation: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    for name in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let (description, example) = match name {
            "actor_type" => ("Who it is: `customer`, or `user` for administrators.", "customer"),
            "auth_provider" => ("`emailpass` or `phonepass`.", "emailpass"),
            "id" if route.path.starts_with("/admin/customers/") => ("`cus_…`", "cus_01KDYF6QGE8QZ5T5W2Z7S9QK4V"),
            _ => ("`adr_…`", "adr_01KDYF6QGE8QZ5T5W2Z7S9QK4V"),
        };
        let schema = json!({ "type": "string", "minLength": 1 });
        let parameter = json!({
            "name": name, "in": "path", "required": true, "description": description, "schema": schema, "example": example,
        });
        parameters.push(parameter);
    }
    if route.namespace == Namespace::Store {
        parameters.push(json!({
            "name": "x-publishable-api-key",
            "in": "header",
            "description": "`pk_…`; needed where `http.publishableKey` says so.",
            "schema": { "type": "string" },
        }));
    }
    parameters.extend(operation.query.iter().cloned());
    parameters
}

/// Which of the schemes a gate takes; an empty one where it takes everybody.
fn security(route: &Route) -> Value {
    match route.gate {
        Gate::Public => json!([]),
        Gate::OptionalCustomer => json!([{}, { "bearer": [] }, { "session": [] }]),
        Gate::Registrant | Gate::Customer => json!([{ "bearer": [] }, { "session": [] }]),
        Gate::Admin => json!([{ "bearer": [] }, { "session": [] }, { "secretKey": [] }]),
        Gate::BearerIdentity | Gate::BearerActor => json!([{ "bearer": [] }]),
        Gate::Session => json!([{ "session": [] }]),
    }
}

/// The good answer, and each refusal by its status with every sentence as an example.
fn responses(route: &Route, operation: &Operation) -> Value {
    let mut responses = Map::new();
    let (schema, example) = &operation.answer;
    let content = json!({ operation.content_type: { "schema": schema, "example": example } });
    responses.insert(operation.status.to_string(), json!({ "description": "Done.", "content": content }));
    let mut by_status: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for failure in common_failures(route) {
        by_status.entry(failure.status).or_default().push(failure.body);
    }
    for failure in &operation.errors {
        by_status.entry(failure.status).or_default().push(failure.body.clone());
    }
    for (status, bodies) in by_status {
        if let Some(name) = shared_response(status) {
            responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/{name}") }));
            continue;
        }
        responses.insert(status.to_string(), refusal(status, &bodies));
    }
    Value::Object(responses)
}

/// The responses that are the same wherever they are given, by the names that they have among the components.
fn shared_responses() -> Value {
    let shared = TABLE.iter().take(1).flat_map(common_failures).filter_map(|failure| {
        let name = shared_response(failure.status)?;
        Some((name.to_owned(), refusal(failure.status, &[failure.body])))
    });
    Value::Object(shared.collect())
}

/// What a status is called that means the same everywhere.
fn shared_response(status: u16) -> Option<&'static str> {
    match status {
        409 => Some("Conflict"),
        413 => Some("TooLarge"),
        500 => Some("Fault"),
        503 => Some("Unavailable"),
        _ => None,
    }
}

/// The refusals of one status, every sentence as an example.
fn refusal(status: u16, bodies: &[Value]) -> Value {
    let examples: Map<String, Value> =
        bodies.iter().enumerate().map(|(at, body)| (format!("{}", at + 1), json!({ "value": body }))).collect();
    let schema = json!({ "$ref": "#/components/schemas/Error" });
    let mut response = json!({
        "description": description(status),
        "content": { "application/json": { "schema": schema, "examples": examples } },
    });
    if let (429 | 503, Some(response)) = (status, response.as_object_mut()) {
        let seconds = json!({ "type": "string", "pattern": "^[0-9]+$" });
        response
            .insert("headers".to_owned(), json!({ "retry-after": { "description": "Seconds.", "schema": seconds } }));
    }
    response
}

/// What a status means, in a few words.
fn description(status: u16) -> &'static str {
    match status {
        400 => "The request is wrong, or not allowed now; nothing was changed.",
        401 => "Nobody is authenticated, or what was shown does not count.",
        403 => "Known, but not allowed.",
        404 => "There is no such thing.",
        409 => "Another request came in between; try again.",
        413 => "The body is too large.",
        422 => "Somebody else has it.",
        429 => "Too many; wait for `Retry-After` seconds.",
        503 => "The server is busy, or its database does not answer.",
        _ => "A fault of the server, which is in its log.",
    }
}

/// What a row can answer whatever its handler does.
fn common_failures(route: &Route) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut add = |status, body| failures.push(Failure { status, body });
    let unauthorized = json!({ "message": "Unauthorized" });
    let typed = |kind: &str, message: &str| json!({ "type": kind, "message": message });
    add(400, typed("invalid_data", "The request body is not valid JSON at line 1 column 1"));
    if route.namespace == Namespace::Store {
        add(
            400,
            typed(
                "not_allowed",
                "Publishable API key required in the request header: x-publishable-api-key. You can manage your keys in settings in the dashboard.",
            ),
        );
    }
    if !matches!(route.gate, Gate::Public | Gate::OptionalCustomer) {
        add(401, unauthorized);
    }
    let by_cookie =
        matches!(route.gate, Gate::OptionalCustomer | Gate::Registrant | Gate::Customer | Gate::Admin | Gate::Session);
    if by_cookie && route.method != Method::GET {
        let message = "A session can be used for writing only from the shop's own pages";
        add(403, json!({ "code": "cross_site_request", "type": "not_allowed", "message": message }));
    }
    if matches!(route.gate, Gate::OptionalCustomer | Gate::Registrant | Gate::Customer) && !route.during_deletion {
        add(403, schemas::deletion_pending());
    }
    add(413, typed("invalid_data", "The request body is larger than 102400 bytes"));
    if !route.limiters.is_empty() {
        add(429, typed("too_many_requests", "Too many requests. Try again in 60 seconds"));
    }
    if route.namespace != Namespace::None {
        let message =
            "The request conflicted with another request. You may retry the request with the provided Idempotency-Key.";
        add(409, json!({ "code": "invalid_state_error", "type": "conflict", "message": message }));
    }
    add(500, json!({ "code": "unknown_error", "type": "unknown_error", "message": "An unknown error occurred." }));
    add(503, typed("unavailable", "The service is temporarily unavailable. Please try again."));
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of the reference would look for a route in vain, or find one that is gone.
    #[test]
    fn every_route_is_described_and_nothing_else() {
        let operations: Vec<Operation> =
            [auth::operations(), store::operations(), admin::operations()].into_iter().flatten().collect();
        for route in TABLE {
            let count = operations.iter().filter(|it| it.method == route.method && it.path == route.path).count();
            assert_eq!(count, 1, "{} {}", route.method, route.path);
        }
        assert_eq!(operations.len(), TABLE.len());
    }

    /// The document that is served is the one that this code makes: `cargo xtask codegen` writes it.
    #[test]
    fn the_document_is_up_to_date() {
        let checked_in: Value = serde_json::from_str(DOCUMENT).unwrap();
        assert!(checked_in == document(), "run `cargo xtask codegen`");
    }
}
