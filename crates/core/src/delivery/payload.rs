//! What is sealed inside a row of the outbox.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A rendered message with its recipient. Shape: `{"to","subject","html","text","data":{name: value}}`.
///
/// No `Debug`: it holds a contact and mostly a code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// E-mail address or E.164 phone number.
    pub to: String,
    /// The subject, on one line; text messages have none.
    pub subject: Option<String>,
    /// The HTML part; text messages have none.
    pub html: Option<String>,
    /// The text part, or the text message.
    pub text: String,
    /// The variables that it was rendered from.
    pub data: BTreeMap<String, String>,
}
