//! Deviations that hold everywhere: each turns what Medusa answered into what this product answers. `oracle/deviations.toml` names
//! them and says why.

use serde_json::{Map, Value, json};

use crate::transcript::Response;

/// The JSON content type of both products.
const JSON: &str = "application/json; charset=utf-8";

/// A rule: changes the wanted answer where it applies.
pub(crate) type Rule = fn(&mut Response);

/// The rule of that name in `oracle/deviations.toml`.
pub(crate) fn named(name: &str) -> Option<Rule> {
    let rule: Rule = match name {
        "powered-by" => powered_by,
        "etag-format" => etag_format,
        "token-claims" => token_claims,
        "customer-flags" => customer_flags,
        "unknown-route" => unknown_route,
        "reset-password-body" => reset_password_body,
        "session-cookie" => session_cookie,
        "no-content" => no_content,
        _ => return None,
    };
    Some(rule)
}

/// What is not compared of an answer of the upstream's: how it makes its tags, and the length of no body, which the way through
/// drops.
pub(crate) fn passed_on(response: &mut Response) {
    if response.headers.get("etag").is_some_and(|tag| tag != "<any>") {
        etag_format(response);
    }
    no_content(response);
}

/// No `X-Powered-By`.
fn powered_by(response: &mut Response) {
    response.headers.shift_remove("x-powered-by");
}

/// Any valid entity tag where Medusa sends its own.
fn etag_format(response: &mut Response) {
    if let Some(tag) = response.headers.get_mut("etag") {
        *tag = json!("<etag>");
    }
}

/// Three claims more, in the body of a session's answer too.
fn token_claims(response: &mut Response) {
    let tokens = response.jwts.iter_mut().flat_map(|tokens| tokens.as_array_mut().into_iter().flatten());
    let claims = tokens.filter_map(|token| token.get_mut("claims"));
    let user = response.body.iter_mut().filter_map(|body| body.get_mut("user"));
    for claims in claims.chain(user).filter_map(Value::as_object_mut) {
        insert_after(
            claims,
            "auth_identity_id",
            [
                ("auth_provider", json!("emailpass")),
                ("mfa_enabled", json!(false)),
                ("mfa_challenge_completed_at", Value::Null),
            ],
        );
    }
}

/// Two flags more after the scalars of a customer, unless `?fields=` replaced the list.
fn customer_flags(response: &mut Response) {
    let customer = response.body.iter_mut().filter_map(|body| body.get_mut("customer")?.as_object_mut());
    for customer in customer.filter(|customer| customer.contains_key("has_account")) {
        insert_after(customer, "updated_at", [("email_verified", json!(false)), ("phone_verified", json!(false))]);
    }
}

/// Express's page for an unknown route becomes a JSON error with the same sentence.
fn unknown_route(response: &mut Response) {
    let page = response.text.as_deref().filter(|_| response.status == 404).unwrap_or_default();
    let Some((_, rest)) = page.split_once("<pre>") else { return };
    let Some((sentence, _)) = rest.split_once("</pre>") else { return };
    response.body = Some(json!({"type": "not_found", "message": sentence}));
    response.text = None;
    for name in ["content-security-policy", "x-content-type-options"] {
        response.headers.shift_remove(name);
    }
    response.headers.insert("content-type".to_owned(), json!(JSON));
    response.headers.insert("etag".to_owned(), json!("<etag>"));
}

/// `{}` for the text `Created`.
fn reset_password_body(response: &mut Response) {
    if response.status == 201 && response.text.as_deref() == Some("Created") {
        response.text = None;
        response.body = Some(json!({}));
        response.headers.insert("content-type".to_owned(), json!(JSON));
    }
}

/// The cookie's name, and that it ends when the token does.
fn session_cookie(response: &mut Response) {
    let cookies = response.headers.get_mut("set-cookie").and_then(Value::as_array_mut);
    for cookie in cookies.into_iter().flatten() {
        let ours = cookie.as_str().unwrap_or_default().replace("connect.sid=", "cr.sid=");
        *cookie = json!(ours.replace("<now+36000s>", "<now+86400s>"));
    }
}

/// An answer without content has no length either.
fn no_content(response: &mut Response) {
    if response.status == 204 {
        response.headers.shift_remove("content-length");
    }
}

/// Puts members behind the named one; does nothing when that is not there.
fn insert_after<const N: usize>(object: &mut Map<String, Value>, name: &str, members: [(&str, Value); N]) {
    let Some(mut index) = object.keys().position(|key| key == name) else { return };
    for (key, value) in members {
        index += 1;
        object.shift_insert(index, key.to_owned(), value);
    }
}
