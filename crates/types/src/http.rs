//! The bodies of answers with a fixed shape: what the server writes and the Rust client reads.
//!
//! Bodies with a token have no `Debug`: a token is a secret. `C` is a customer: the server's is whatever
//! `?fields=` leaves of it; a client's is [`Customer`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::CustomerId;
use crate::timestamp::Timestamp;

/// `{"token"}`: of a registration, a login or a refresh.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// A JWT.
    pub token: String,
}

/// `{"token","expires_at"}`: a code is on its way, or it looks so.
#[derive(Clone, Serialize, Deserialize)]
pub struct CodeSent {
    /// Comes back with the code.
    pub token: String,
    /// When the code dies.
    pub expires_at: Timestamp,
}

/// A code that went out with the registration.
#[derive(Clone, Serialize, Deserialize)]
pub struct Verification {
    /// `email_verification` or `phone_verification`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As in [`CodeSent`].
    pub token: String,
    /// As in [`CodeSent`].
    pub expires_at: Timestamp,
}

/// `{"customer"}`, with `"verifications"` where codes were sent at once.
#[derive(Clone, Serialize, Deserialize)]
pub struct CustomerBody<C = Customer> {
    /// The customer.
    pub customer: C,
    /// The codes; `None` where no section asks for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifications: Option<Vec<Verification>>,
}

/// A customer. All but the id may be left out: by `?fields=`, or because the reader may not see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// `cus_…`.
    pub id: CustomerId,
    /// As the customer wrote it.
    #[serde(default)]
    pub email: Option<String>,
    /// E.164.
    #[serde(default)]
    pub phone: Option<String>,
    /// The company.
    #[serde(default)]
    pub company_name: Option<String>,
    /// The first name.
    #[serde(default)]
    pub first_name: Option<String>,
    /// The last name.
    #[serde(default)]
    pub last_name: Option<String>,
    /// Whatever the shop keeps there.
    #[serde(default)]
    pub metadata: Option<Map<String, Value>>,
    /// Whether the present e-mail was proven by a code.
    #[serde(default)]
    pub email_verified: Option<bool>,
    /// Whether the present phone was proven by a code.
    #[serde(default)]
    pub phone_verified: Option<bool>,
    /// Everything else, such as `addresses` and `created_at`.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What a right code proved.
#[derive(Clone, Serialize, Deserialize)]
pub struct Verified<C = Customer> {
    /// Always true.
    pub verified: bool,
    /// Id and flags alone, unless it was the customer's own request.
    pub customer: C,
    /// True when it was the e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// True when it was the phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_verified: Option<bool>,
    /// A login token, if the request was the identity's own and the customer may log in now.
    pub token: Option<String>,
    /// Whether there is none.
    pub needs_login: bool,
}

/// `{"customer","token"}`: the contact is changed, and a fresh login token.
#[derive(Clone, Serialize, Deserialize)]
pub struct ContactChanged<C = Customer> {
    /// With the new contact.
    pub customer: C,
    /// The only one that still counts.
    pub token: String,
}

/// `{"restored"}`: a change of contact is undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Always true.
    pub restored: bool,
}

/// The password is changed; other sessions are over.
#[derive(Clone, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// A sentence.
    pub message: String,
    /// Whose.
    pub customer_id: CustomerId,
    /// The only one that still counts.
    pub token: String,
}

/// A password is set by the token of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordReset {
    /// A sentence.
    pub message: String,
    /// Always true.
    pub success: bool,
}

/// `{"request"}`: the account will be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionConfirmed {
    /// When, and by which request.
    pub request: ConfirmedRequest,
}

/// What a customer is told of their confirmed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedRequest {
    /// `adr_…`.
    pub id: String,
    /// Whose.
    pub customer_id: CustomerId,
    /// What they wrote.
    pub reason: Option<String>,
    /// When the account goes.
    pub deletion_scheduled_at: Option<Timestamp>,
    /// `confirmed`.
    pub status: String,
}

/// `{"cancelled","request"}`: the account stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionCancelled {
    /// Always true.
    pub cancelled: bool,
    /// The request that is over.
    pub request: CancelledRequest,
}

/// What a customer is told of their cancelled request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelledRequest {
    /// `adr_…`.
    pub id: String,
    /// Whose.
    pub customer_id: CustomerId,
    /// `cancelled`.
    pub status: String,
    /// When.
    pub cancelled_at: Option<Timestamp>,
}

/// Whom a customer brought, and their code; the numbers where a page was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Referrals {
    /// The newest first.
    pub children: Vec<Referral>,
    /// Brings friends.
    pub referral_code: String,
    /// How many there are in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// How many a page has at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// How many were left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
}

/// Somebody whom a customer brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Referral {
    /// `refl_…`.
    pub referral_link_id: String,
    /// When.
    pub referred_at: Timestamp,
    /// `{"1": the referrer, "2": …}`.
    pub parent_customers_by_level: Value,
    /// Who.
    pub customer: ReferredCustomer,
}

/// What a referrer sees of them; contacts are masked where the shop says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferredCustomer {
    /// `cus_…`.
    pub id: CustomerId,
    /// The e-mail.
    pub email: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// The phone.
    pub phone: Option<String>,
    /// When they registered.
    pub created_at: Timestamp,
}
