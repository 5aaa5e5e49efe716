//! What a transcript file holds: scenarios, their steps, and the answers that were recorded. `oracle/README.md` explains every key.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One file: requests that are sent in order, later ones using what earlier ones captured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Its name, which is the file's.
    #[serde(rename = "scenario")]
    pub(crate) name: String,
    #[expect(dead_code, reason = "for the reader of the file")]
    about: String,
    #[expect(dead_code, reason = "for the reader of the file")]
    tags: Vec<String>,
    /// In the order in which they are sent.
    pub(crate) steps: Vec<Step>,
}

/// One request and the answer to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// What it shows; unique within the scenario.
    pub(crate) name: String,
    /// Variables that are computed before sending.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, Setting>,
    /// What is sent.
    pub(crate) request: Request,
    /// Variable to where in the answer it comes from: `body.a.b`, `jwt(body.token).claim`, `cookie(name)`, `header(name)`.
    #[serde(default)]
    pub(crate) capture: BTreeMap<String, String>,
    /// Paths in the answer that are not compared.
    #[serde(default)]
    pub(crate) ignore: Vec<String>,
    /// What Medusa answered.
    pub(crate) response: Response,
    /// A name to the statement whose rows were recorded after the step, under that name.
    #[serde(default)]
    pub(crate) db: BTreeMap<String, String>,
}

/// A computed variable.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Setting {
    /// A token that the replayer signs.
    Jwt(TokenSetting),
    /// Text in base64.
    Base64(String),
}

/// A token to sign.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenSetting {
    /// Its claims; `iat` and `exp` are appended.
    pub(crate) claims: Map<String, Value>,
    /// The key; the server's when absent.
    pub(crate) secret: Option<String>,
    /// `HS256` when absent; `none` leaves the signature empty.
    pub(crate) alg: Option<String>,
    /// Seconds from now to `exp`; 3600 when absent, no `exp` when null.
    #[serde(default = "an_hour")]
    pub(crate) expires_in: Option<i64>,
}

/// Lifetime of a token that names none, in seconds.
#[expect(clippy::unnecessary_wraps, reason = "the field's type: null in the file means no expiry")]
fn an_hour() -> Option<i64> {
    Some(3600)
}

/// What is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The method's word.
    pub(crate) method: String,
    /// Path and query as they go on the wire.
    pub(crate) path: String,
    /// Header names in lower case.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// A body sent as compact JSON.
    pub(crate) json: Option<Value>,
    /// A body sent as it stands.
    pub(crate) body: Option<String>,
    /// A long body.
    pub(crate) body_fill: Option<Fill>,
}

/// `prefix`, then `count` times `char`, then `suffix`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fill {
    /// The beginning.
    pub(crate) prefix: String,
    /// What is repeated; may be several characters.
    pub(crate) char: String,
    /// How often.
    pub(crate) count: usize,
    /// The end.
    pub(crate) suffix: String,
}

/// An answer, recorded or observed, with volatile values replaced by labels.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// The headers that are compared; `set-cookie` is a list.
    pub(crate) headers: Map<String, Value>,
    /// A JSON body, keys in the order received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Value>,
    /// Any other body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// The decoded tokens of the body, in order of appearance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwts: Option<Value>,
    /// Rows after the step, by the statement's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) db: Option<Value>,
}

impl Response {
    /// What came back from the server.
    pub(crate) fn observed(status: u16, headers: Map<String, Value>) -> Self {
        Self { status, headers, body: None, text: None, jwts: None, db: None }
    }

    /// Replaces the value at a dotted path such as `body.customer.phone` or `jwts.0.claims.actor_id`; false when nothing is there.
    pub(crate) fn replace(&mut self, path: &str, value: Value) -> bool {
        let mut whole = serde_json::to_value(&*self).unwrap();
        let pointer = format!("/{}", path.replace('.', "/"));
        let Some(place) = whole.pointer_mut(&pointer) else { return false };
        *place = value;
        *self = serde_json::from_value(whole).unwrap();
        true
    }
}

impl Scenario {
    /// The step of that name.
    pub(crate) fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }
}

/// `oracle/` at the root of the repository.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../oracle")
}

/// All scenarios of 2.11.2, by name.
pub(crate) fn load() -> Vec<Scenario> {
    load_from("transcripts")
}

/// The same requests and what 2.21.2 answered.
pub(crate) fn load_newest() -> Vec<Scenario> {
    load_from("transcripts-2.21.2")
}

/// All scenarios in a folder.
fn load_from(name: &str) -> Vec<Scenario> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

/// One file.
fn read(file: &std::path::Path) -> Scenario {
    let text = std::fs::read_to_string(file).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
