//! What stands below `/auth`.

use http::Method;
use serde_json::{Value, json};

use super::Operation;
use super::schemas::{deletion_pending, object, text, token};

/// One a row of the table.
pub(super) fn operations() -> Vec<Operation> {
    let login = |method: Method, summary| {
        let operation = Operation::new(method, "/auth/{actor_type}/{auth_provider}", summary, token())
            .about(
                "Both providers log in with whichever contact the credentials name, one of `email`, `phone` and `email_or_phone`. \
                 What the body lacks may come from the query string.",
            )
            .query("email", "As in the body.", json!({ "type": "string" }))
            .query("phone", "As in the body.", json!({ "type": "string" }))
            .query("email_or_phone", "As in the body.", json!({ "type": "string" }))
            .query("password", "As in the body.", json!({ "type": "string" }));
        refusals_of_login(operation)
    };
    vec![
        Operation::new(Method::POST, "/auth/token/refresh", "A fresh token for a good one", token())
            .fails(404, "not_found", "AuthIdentity with id: authid_01KDYF6QGE5E1W3C9M2Q7P4XNB was not found")
            .fails_with(403, deletion_pending())
            .fails_with(401, verification_required()),
        Operation::new(Method::POST, "/auth/session", "Open a session", (session(), session_example()))
            .about("The cookie `cr.sid` holds what the token says, sealed, until the token would end.")
            .fails_with(403, deletion_pending())
            .fails_with(401, verification_required()),
        Operation::new(
            Method::DELETE,
            "/auth/session",
            "Close the session in this browser",
            (object(json!({ "success": { "const": true } }), &[]), json!({ "success": true })),
        ),
        register(),
        reset_password(),
        update(),
        callback(Method::GET),
        callback(Method::POST),
        login(Method::POST, "Log in")
            .takes(credentials(), json!({ "email_or_phone": "ada@example.com", "password": "correct horse 0" })),
        login(Method::GET, "Log in, as Medusa also takes it"),
    ]
}

/// What a login and a registration take; what else is in the body is ignored, as at Medusa.
fn credentials() -> Value {
    json!({
        "type": "object",
        "properties": {
            "email": text("An e-mail."),
            "phone": text("A phone number."),
            "email_or_phone": text("Either; not together with the others."),
            "password": text("The password."),
        },
    })
}

/// Every way in which a login is refused.
fn refusals_of_login(operation: Operation) -> Operation {
    operation
        .fails(401, "unauthorized", "Password should be a string")
        .fails(401, "unauthorized", "Email or phone should be a string")
        .fails(401, "unauthorized", "Invalid email or password")
        .fails(401, "unauthorized", "Invalid phone or password")
        .fails_with(401, verification_required())
        .fails(400, "invalid_data", "Provide exactly one of: email, phone, email_or_phone")
        .fails(400, "not_allowed", "Phone login is not enabled")
        .fails_with(403, deletion_pending())
        .fails_with(
            403,
            json!({
                "code": "mfa_required",
                "type": "not_allowed",
                "message": "Multi-factor authentication is required",
            }),
        )
}

/// The refusal of a contact that no code has proven.
fn verification_required() -> Value {
    json!({
        "code": "verification_required",
        "type": "unauthorized",
        "message": "Email is not verified",
        "customer_id": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA",
        "unverified": "email",
        "token": "eyJhbGciOi…",
    })
}

/// `POST /auth/{actor_type}/{auth_provider}/register`.
fn register() -> Operation {
    Operation::new(Method::POST, "/auth/{actor_type}/{auth_provider}/register", "Register", token())
        .about("A registration that made no customer is thrown away by the next one; its token is dead then.")
        .takes(credentials(), json!({ "email": "ada@example.com", "password": "correct horse 0" }))
        .fails(401, "unauthorized", "Identity with email already exists")
        .fails(401, "unauthorized", "Password should be a string")
        .fails(401, "unauthorized", "Email should be a string")
        .fails(400, "invalid_data", "Invalid email")
        .fails(400, "invalid_data", "Password is too common")
        .fails(400, "not_allowed", "Phone registration is not enabled")
}

/// One of the four ways to name a contact.
fn contact_or_identifier(mut more: Value) -> Value {
    let named = json!({
        "identifier": text("An e-mail at `emailpass`, a phone at `phonepass`."),
        "email": text("An e-mail."),
        "phone": text("A phone number."),
        "email_or_phone": text("Either."),
    });
    if let (Some(more), Some(named)) = (more.as_object_mut(), named.as_object()) {
        more.extend(named.clone());
    }
    object(more, &["identifier", "email", "phone", "email_or_phone"])
}

/// `POST /auth/{actor_type}/{auth_provider}/reset-password`.
fn reset_password() -> Operation {
    let answer = (object(json!({}), &[]), json!({}));
    let path = "/auth/{actor_type}/{auth_provider}/reset-password";
    Operation { status: 201, ..Operation::new(Method::POST, path, "Send a link that sets a new password", answer) }
        .about("Answers the same whoever is named. The link counts for 15 minutes, once, and the newest alone.")
        .takes(contact_or_identifier(json!({})), json!({ "email": "ada@example.com" }))
        .fails(400, "invalid_data", "Provide exactly one of: identifier, email, phone, email_or_phone")
        .fails(400, "not_allowed", "Password reset is not configured")
        .fails(400, "not_allowed", "Phone login is not enabled")
        .fails(401, "unauthorized", "The actor type customer is not allowed to use the auth provider emailpass")
}

/// `POST /auth/{actor_type}/{auth_provider}/update`.
fn update() -> Operation {
    let properties = json!({ "message": text("For people."), "success": { "const": true } });
    let answer = (object(properties, &[]), json!({ "message": "Password reset successfully", "success": true }));
    let body = contact_or_identifier(json!({ "password": text("The new password.") }));
    Operation::new(
        Method::POST,
        "/auth/{actor_type}/{auth_provider}/update",
        "Set the password by the token of a link",
        answer,
    )
    .about("The token of the link comes as bearer token; who is named must be whom it was sent to.")
    .takes(body, json!({ "email": "ada@example.com", "password": "correct horse 1" }))
    .fails(401, "unauthorized", "Invalid token")
    .fails(400, "invalid_data", "Provide exactly one of: identifier, email, phone, email_or_phone")
    .fails(400, "invalid_data", "Password is too common")
}

/// `/auth/{actor_type}/{auth_provider}/callback`.
fn callback(method: Method) -> Operation {
    let path = "/auth/{actor_type}/{auth_provider}/callback";
    Operation::new(method, path, "Always refused: these providers call nobody back", token()).fails(
        401,
        "unauthorized",
        "Callback authentication not implemented for provider emailpass",
    )
}

/// The claims of the caller.
fn session() -> Value {
    let claims = json!({
        "type": "object",
        "required": ["actor_id", "actor_type", "auth_identity_id", "iat", "exp"],
        "properties": {
            "actor_id": text("`cus_…`, `user_…`, or empty while there is none."),
            "actor_type": text("`customer` or `user`."),
            "auth_identity_id": text("`authid_…`"),
            "iat": { "type": "integer" },
            "exp": { "type": "integer" },
        },
    });
    object(json!({ "user": claims }), &[])
}

/// What an open session answers.
fn session_example() -> Value {
    json!({ "user": {
        "actor_id": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA",
        "actor_type": "customer",
        "auth_identity_id": "authid_01KDYF6QGE5E1W3C9M2Q7P4XNB",
        "app_metadata": { "customer_id": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA" },
        "user_metadata": {},
        "iat": 1_767_323_045,
        "exp": 1_767_409_445,
    } })
}
