//! What stands below `/store`.

use http::Method;
use serde_json::{Value, json};

use super::Operation;
use super::schemas::{
    code_sent, customer, duplicate, moment, nullable, nullable_moment, object, schema, text, token_and_code,
};

/// One a row of the table.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        create_customer(),
        Operation::new(Method::GET, "/store/customers/me", "The customer", customer())
            .query(
                "fields",
                "Which keys, as Medusa has it: `id,email`, `+metadata`, `-phone`.",
                json!({ "type": "string" }),
            )
            .fails(400, "invalid_data", "Requested fields [orders] are not valid"),
        profile(Method::POST, "Change the profile"),
        profile(Method::PATCH, "Change the profile, as the plugin has it"),
        send_code(),
        prove(),
        contact(),
        contact_proven(),
        undo(),
        change_password(),
        request_deletion(),
        confirm_deletion(),
        request_cancellation(),
        confirm_cancellation(),
        referrals(),
    ]
}

/// Every way in which a code that came back is refused.
fn refuses_codes(operation: Operation) -> Operation {
    operation
        .fails(401, "unauthorized", "Invalid or expired token")
        .fails(400, "invalid_data", "Invalid OTP code")
        .fails(400, "invalid_data", "OTP has expired")
        .fails(400, "invalid_data", "OTP is no longer valid")
        .fails_with(
            400,
            json!({ "code": "otp_locked", "type": "not_allowed", "message": "Too many attempts. Request a new code." }),
        )
}

/// What both ways to write a profile take.
fn profile_fields() -> Value {
    json!({
        "company_name": nullable("The company."),
        "first_name": nullable("The first name."),
        "last_name": nullable("The last name."),
        "metadata": { "type": ["object", "null"], "description": "Whatever the shop keeps there; an empty value removes a key." },
    })
}

/// `POST /store/customers`.
fn create_customer() -> Operation {
    let mut properties = profile_fields();
    if let Some(properties) = properties.as_object_mut() {
        properties.insert("email".to_owned(), nullable("The e-mail that was registered."));
        properties.insert("phone".to_owned(), nullable("A phone number."));
        properties.insert("referral_code".to_owned(), nullable("Who brought them: a referral code, or a customer id."));
    }
    let optional = ["email", "phone", "company_name", "first_name", "last_name", "metadata", "referral_code"];
    Operation::new(Method::POST, "/store/customers", "Make the customer of a registration", customer())
        .about("With the token of a registration, which makes one customer.")
        .query("fields", "As `GET /store/customers/me`.", json!({ "type": "string" }))
        .takes(
            object(properties, &optional),
            json!({ "email": "ada@example.com", "phone": "+15551234567", "first_name": "Ada" }),
        )
        .fails(400, "invalid_data", "Invalid request: Field 'email' is required")
        .fails(400, "invalid_data", "Referral code is not valid")
        .fails_with(422, duplicate())
}

/// `POST` and `PATCH /store/customers/me`.
fn profile(method: Method, summary: &'static str) -> Operation {
    let optional = ["company_name", "first_name", "last_name", "metadata"];
    Operation::new(method, "/store/customers/me", summary, customer())
        .query("fields", "As `GET`.", json!({ "type": "string" }))
        .takes(object(profile_fields(), &optional), json!({ "last_name": "Lovelace" }))
        .fails(
            400,
            "not_allowed",
            "Email changes require OTP verification. Use POST /store/customers/me/contact to request a change.",
        )
        .fails(400, "invalid_data", "Invalid request: Unrecognized fields: 'nickname'")
}

/// `POST /store/customers/otp/send`.
fn send_code() -> Operation {
    let properties = json!({
        "type": { "enum": ["email_verification", "phone_verification"] },
        "customer_id": text("`cus_…`; or one of the contacts."),
        "email": text("The e-mail to prove."),
        "phone": text("The phone to prove."),
    });
    Operation::new(Method::POST, "/store/customers/otp/send", "Send a code that proves a contact", code_sent())
        .about("Exactly one of `customer_id`, `email`, `phone`. Only the identity's own token hears whether anything was sent.")
        .takes(
            object(properties, &["customer_id", "email", "phone"]),
            json!({ "type": "email_verification", "email": "ada@example.com" }),
        )
        .fails(400, "invalid_data", "Provide exactly one of: customer_id, email, phone")
        .fails(400, "invalid_data", "Customer has no email")
        .fails(400, "not_allowed", "Email is already verified")
        .fails(400, "not_allowed", "OTP channel configuration not found for email_verification")
        .fails(404, "not_found", "Customer with id: cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA was not found")
}

/// `POST /store/customers/otp/verify`.
fn prove() -> Operation {
    let properties = json!({
        "verified": { "const": true },
        "customer": schema("Customer"),
        "email_verified": { "const": true },
        "phone_verified": { "const": true },
        "token": nullable("A login token, if the request was the identity's own and the customer may log in now."),
        "needs_login": { "type": "boolean", "description": "Whether there is none." },
    });
    let example = json!({
        "verified": true,
        "customer": { "id": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA", "email_verified": true, "phone_verified": false },
        "email_verified": true,
        "token": null,
        "needs_login": true,
    });
    let (body, sample) = token_and_code();
    let answer = (object(properties, &["email_verified", "phone_verified"]), example);
    refuses_codes(
        Operation::new(Method::POST, "/store/customers/otp/verify", "Prove a contact by its code", answer)
            .takes(body, sample),
    )
    .fails_with(422, duplicate())
}

/// A contact that is wished for.
fn one_contact() -> Value {
    object(json!({ "email": text("An e-mail."), "phone": text("A phone number.") }), &["email", "phone"])
}

/// `POST /store/customers/me/contact`.
fn contact() -> Operation {
    Operation::new(Method::POST, "/store/customers/me/contact", "Send a code to a new contact", code_sent())
        .about("Exactly one of `email`, `phone`.")
        .takes(one_contact(), json!({ "email": "ada@lovelace.example" }))
        .fails(400, "invalid_data", "Provide exactly one of: email, phone")
        .fails(400, "not_allowed", "This is already your verified email")
        .fails_with(422, duplicate())
}

/// `POST /store/customers/me/contact/verify`.
fn contact_proven() -> Operation {
    let (body, sample) = token_and_code();
    let properties = json!({ "customer": schema("Customer"), "token": text("The only one that still counts.") });
    let mut example = customer().1;
    if let Some(example) = example.as_object_mut() {
        example.insert("token".to_owned(), "eyJhbGciOi…".into());
    }
    refuses_codes(
        Operation::new(
            Method::POST,
            "/store/customers/me/contact/verify",
            "Change a contact by its code",
            (object(properties, &[]), example),
        )
        .about("What was proven before is told of it, with a link that undoes it for 72 hours.")
        .takes(body, sample),
    )
    .fails(401, "unauthorized", "Token does not belong to this customer")
    .fails_with(422, duplicate())
}

/// `POST /store/customers/contact/undo`.
fn undo() -> Operation {
    let answer = (object(json!({ "restored": { "const": true } }), &[]), json!({ "restored": true }));
    Operation::new(Method::POST, "/store/customers/contact/undo", "Take a change of contact back", answer)
        .about("With the token of the link in the notice. All sessions end.")
        .takes(object(json!({ "token": text("From the link.") }), &[]), json!({ "token": "eyJhbGciOi…" }))
        .fails(401, "unauthorized", "Invalid or expired token")
        .fails(400, "not_allowed", "This change cannot be undone any more")
}

/// `POST /store/customers/change-password`.
fn change_password() -> Operation {
    let body = json!({
        "old_password": text("The present one."),
        "new_password": text("The new one."),
        "confirm_password": text("The new one again."),
    });
    let properties = json!({
        "message": text("For people."),
        "customer_id": text("`cus_…`"),
        "token": text("The only one that still counts."),
    });
    let example = json!({
        "message": "Password changed successfully",
        "customer_id": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA",
        "token": "eyJhbGciOi…",
    });
    Operation::new(
        Method::POST,
        "/store/customers/change-password",
        "Change the password",
        (object(properties, &[]), example),
    )
    .takes(
        object(body, &[]),
        json!({ "old_password": "correct horse 0", "new_password": "correct horse 1", "confirm_password": "correct horse 1" }),
    )
    .fails(400, "invalid_data", "Passwords do not match")
    .fails(400, "invalid_data", "New password must differ from the old one")
    .fails(400, "invalid_data", "Password is too common")
    .fails(401, "unauthorized", "Invalid password")
}

/// `POST /store/customers/account-deletion/request`.
fn request_deletion() -> Operation {
    let reason =
        json!({ "type": ["string", "null"], "maxLength": 1000, "description": "Why; told to administrators." });
    Operation::new(
        Method::POST,
        "/store/customers/account-deletion/request",
        "Send a code that confirms the wish to be deleted",
        code_sent(),
    )
    .takes(object(json!({ "reason": reason }), &["reason"]), json!({ "reason": "Too many mails" }))
    .or_nothing()
    .fails(400, "not_allowed", "An account deletion request is already active")
}

/// `POST /store/customers/account-deletion/confirm`.
fn confirm_deletion() -> Operation {
    let request = object(
        json!({
            "id": text("`adr_…`"),
            "customer_id": text("`cus_…`"),
            "reason": nullable("What they wrote."),
            "deletion_scheduled_at": nullable_moment("When the account goes."),
            "status": { "const": "confirmed" },
        }),
        &[],
    );
    let example = json!({ "request": {
        "id": "adr_01KDYF6QGE8QZ5T5W2Z7S9QK4V",
        "customer_id": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA",
        "reason": "Too many mails",
        "deletion_scheduled_at": "2026-01-09T03:04:05.678Z",
        "status": "confirmed",
    } });
    let (body, sample) = token_and_code();
    refuses_codes(
        Operation::new(
            Method::POST,
            "/store/customers/account-deletion/confirm",
            "Confirm the wish by its code",
            (object(json!({ "request": request }), &[]), example),
        )
        .about("All sessions end; the account cannot log in until the job deletes it or the customer cancels.")
        .takes(body, sample),
    )
    .fails(400, "not_allowed", "An account deletion request is already active")
}

/// `POST /store/customers/account-deletion/cancel-request`.
fn request_cancellation() -> Operation {
    Operation::new(
        Method::POST,
        "/store/customers/account-deletion/cancel-request",
        "Send a code that keeps the account",
        code_sent(),
    )
    .about("Exactly one of `email`, `phone`. Answers the same whoever is named.")
    .takes(one_contact(), json!({ "email": "ada@example.com" }))
    .fails(400, "invalid_data", "Provide exactly one of: email, phone")
}

/// `POST /store/customers/account-deletion/cancel-confirm`.
fn confirm_cancellation() -> Operation {
    let request = object(
        json!({
            "id": text("`adr_…`"),
            "customer_id": text("`cus_…`"),
            "status": { "const": "cancelled" },
            "cancelled_at": nullable_moment("When."),
        }),
        &[],
    );
    let example = json!({ "cancelled": true, "request": {
        "id": "adr_01KDYF6QGE8QZ5T5W2Z7S9QK4V",
        "customer_id": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA",
        "status": "cancelled",
        "cancelled_at": "2026-01-03T03:04:05.678Z",
    } });
    let (body, sample) = token_and_code();
    refuses_codes(
        Operation::new(
            Method::POST,
            "/store/customers/account-deletion/cancel-confirm",
            "Keep the account by the code",
            (object(json!({ "cancelled": { "const": true }, "request": request }), &[]), example),
        )
        .takes(body, sample),
    )
    .fails(400, "not_allowed", "No active account deletion request")
}

/// `GET /store/my-referrals`.
fn referrals() -> Operation {
    let brought = object(
        json!({
            "id": text("`cus_…`"),
            "email": nullable("Masked where the shop says so."),
            "first_name": nullable("The first name."),
            "last_name": nullable("The last name."),
            "phone": nullable("Masked where the shop says so."),
            "created_at": moment("When they registered."),
        }),
        &[],
    );
    let child = object(
        json!({
            "referral_link_id": text("`refl_…`"),
            "referred_at": moment("When."),
            "parent_customers_by_level": {
                "type": ["object", "null"],
                "description": "`{\"1\": the referrer, \"2\": …}`",
            },
            "customer": brought,
        }),
        &[],
    );
    let count = json!({ "type": "integer", "minimum": 0 });
    let properties = json!({
        "children": { "type": "array", "items": child },
        "referral_code": text("Brings friends."),
        "count": count,
        "limit": count,
        "offset": count,
    });
    let example = json!({
        "children": [{
            "referral_link_id": "refl_01KDYF6QGE4VJ1S8Y6R3T9W2ZC",
            "referred_at": "2026-01-02T03:04:05.678Z",
            "parent_customers_by_level": { "1": "cus_01KDYF6QGEZ3M8XKJ7V0N5T4RA" },
            "customer": {
                "id": "cus_01KDYF6QGE9D7F2H5K8N1Q4S6V",
                "email": "b***@example.com",
                "first_name": "Bob",
                "last_name": null,
                "phone": null,
                "created_at": "2026-01-02T03:04:05.678Z",
            },
        }],
        "referral_code": "K7MQ2XPA",
    });
    Operation::new(
        Method::GET,
        "/store/my-referrals",
        "Whom a customer brought",
        (object(properties, &["count", "limit", "offset"]), example),
    )
    .query(
        "limit",
        "So many at most; with `count`, `limit` and `offset` in the answer.",
        json!({ "type": "integer", "minimum": 0, "maximum": 1000 }),
    )
    .query("offset", "So many are left out.", json!({ "type": "integer", "minimum": 0 }))
    .fails(400, "invalid_data", "Invalid request: Value for field 'limit' too big, expected at most: '1000'")
}
