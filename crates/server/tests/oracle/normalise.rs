//! Replaces what differs from run to run by labels. A value is replaced only when it has exactly the expected format, so that a
//! wrong format shows as a difference.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::client::RawResponse;
use crate::tokens;
use crate::transcript::Response;

/// The headers that count, besides every `access-control-*`.
const COMPARED: [&str; 14] = [
    "content-type",
    "content-length",
    "etag",
    "set-cookie",
    "vary",
    "www-authenticate",
    "x-powered-by",
    "retry-after",
    "location",
    "allow",
    "x-content-type-options",
    "content-security-policy",
    "transfer-encoding",
    "cache-control",
];

/// An identifier of Medusa's: a ULID, mostly behind a word.
static ID: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:([a-z]{2,12})_)?([0-9A-HJKMNP-TV-Z]{26})$"));
/// Where an identifier may stand in a text.
static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9_]+"));
/// A signed token.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"));
/// A moment as Medusa's JSON has it.
static MOMENT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"));
/// A scrypt-kdf hash with Medusa's parameters.
static HASH: LazyLock<Regex> = LazyLock::new(|| pattern(r"^c2NyeXB0AA8AAAAIAAAAA[A-Za-z0-9+/]{107}$"));
/// An API key's token.
static KEY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(pk|sk)_[0-9a-f]{64}$"));
/// An API key as lists show it.
static REDACTED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(pk|sk)_[0-9a-f]{3}\*\*\*[0-9a-f]{3}$"));
/// An entity tag (RFC 9110, 8.8.3).
static ENTITY_TAG: LazyLock<Regex> = LazyLock::new(|| pattern(r#"^(?:W/)?"[\x21\x23-\x7e]*"$"#));

/// A regular expression that is known to be one.
fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// Labels of one scenario: equal values get equal labels.
pub(crate) struct Normaliser<'a> {
    /// `run`, `pk`, `sk`, `admin_email`, `jwt_secret`.
    given: &'a BTreeMap<String, String>,
    labels: HashMap<(String, String), String>,
    counts: HashMap<String, usize>,
    tokens: Vec<Value>,
    now: i64,
}

impl<'a> Normaliser<'a> {
    /// For one scenario.
    pub(crate) fn new(given: &'a BTreeMap<String, String>) -> Self {
        Self { given, labels: HashMap::new(), counts: HashMap::new(), tokens: Vec::new(), now: 0 }
    }

    /// An answer with labels in it. `now` is the server's present in seconds since 1970.
    pub(crate) fn response(&mut self, method: &str, raw: &RawResponse, now: i64) -> Response {
        self.now = now;
        self.tokens.clear();
        let mut response = Response::observed(raw.status, self.headers(method, raw));
        let text = String::from_utf8_lossy(&raw.body).into_owned();
        let is_json = raw.header("content-type").is_some_and(|value| value.contains("json"));
        match serde_json::from_str::<Value>(&text) {
            Ok(body) if is_json => response.body = Some(self.value(&body)),
            _ if is_json && !text.is_empty() => response.text = Some(text),
            _ => response.text = Some(self.text(&text)),
        }
        if !self.tokens.is_empty() {
            response.jwts = Some(Value::Array(std::mem::take(&mut self.tokens)));
        }
        response
    }

    /// Rows with labels in them.
    pub(crate) fn rows(&mut self, rows: &Value) -> Value {
        let mut labelled = self.value(rows);
        for row in labelled.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            for column in row.values_mut().filter(|column| *column == "<timestamp>") {
                *column = json!("<db-timestamp>");
            }
        }
        labelled
    }

    /// The compared headers; repeated ones are joined, cookies listed.
    fn headers(&self, method: &str, raw: &RawResponse) -> Map<String, Value> {
        let mut headers = Map::new();
        for (name, value) in &raw.headers {
            if !COMPARED.contains(&name.as_str()) && !name.starts_with("access-control-") {
                continue;
            }
            let label = match name.as_str() {
                "content-length" if method != "HEAD" && *value == raw.body.len().to_string() => {
                    "<body-length>".to_owned()
                }
                "etag" if ENTITY_TAG.is_match(value) => "<etag>".to_owned(),
                "set-cookie" => {
                    let list = headers.entry(name.clone()).or_insert_with(|| json!([]));
                    list.as_array_mut().unwrap().push(Value::String(self.cookie(value)));
                    continue;
                }
                _ => value.clone(),
            };
            let joined = match headers.get(name).and_then(Value::as_str) {
                Some(before) => format!("{before}, {label}"),
                None => label,
            };
            headers.insert(name.clone(), Value::String(joined));
        }
        headers
    }

    /// A `Set-Cookie` line with the value and the date replaced: `<now+36000s>` rounded to a minute, `<past>` for a clearing one.
    fn cookie(&self, line: &str) -> String {
        let mut parts = line.split("; ");
        let (name, value) = parts.next().unwrap_or_default().split_once('=').unwrap_or_default();
        let pair = format!("{name}={}", if value.is_empty() { "" } else { "<session>" });
        let attributes = parts.map(|part| {
            let date = part.strip_prefix("Expires=").and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
            match date.map(|date| date.timestamp() - self.now) {
                Some(seconds) if seconds < 0 => "Expires=<past>".to_owned(),
                Some(seconds) => format!("Expires=<now+{}s>", (seconds + 30) / 60 * 60),
                None => part.to_owned(),
            }
        });
        std::iter::once(pair).chain(attributes).collect::<Vec<_>>().join("; ")
    }

    /// A JSON value with its strings labelled, and moments in seconds where they are plausible.
    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.value(item)).collect()),
            Value::Object(fields) => {
                let labelled = fields.iter().map(|(name, field)| {
                    let seconds = field.as_i64().filter(|seconds| (1_600_000_000..4_200_000_000).contains(seconds));
                    let is_epoch = matches!(name.as_str(), "iat" | "exp" | "cr_not_before") && seconds.is_some();
                    let field = if is_epoch { json!("<epoch-seconds>") } else { self.value(field) };
                    (name.clone(), field)
                });
                Value::Object(labelled.collect())
            }
            other => other.clone(),
        }
    }

    /// A text with labels in it.
    fn text(&mut self, text: &str) -> String {
        for (variable, label) in [("pk", "<publishable-key>"), ("sk", "<secret-key>")] {
            if text == self.given[variable] {
                return label.to_owned();
            }
        }
        if MOMENT.is_match(text) {
            return "<timestamp>".to_owned();
        }
        if let Some(key) = REDACTED.captures(text) {
            return format!("<{}-redacted>", &key[1]);
        }
        if HASH.is_match(text) {
            return "<scrypt-hash>".to_owned();
        }
        let text = text.replace(&self.given["run"], "<run>").replace(&self.given["admin_email"], "<admin-email>");
        let text = self.substitute(&TOKEN, &text, |this, token| Some(this.token(token)));
        self.substitute(&WORD, &text, |this, word| {
            if let Some(key) = KEY.captures(word) {
                return Some(this.label(&format!("{}-token", &key[1]), word));
            }
            let found = ID.captures(word)?;
            let kind = found.get(1).map_or_else(|| "ulid".to_owned(), |prefix| format!("{}_id", prefix.as_str()));
            Some(this.label(&kind, word))
        })
    }

    /// Replaces the matches for which `replace` has something else.
    fn substitute(
        &mut self,
        pattern: &Regex,
        text: &str,
        replace: impl Fn(&mut Self, &str) -> Option<String>,
    ) -> String {
        let mut out = String::new();
        let mut copied = 0;
        for found in pattern.find_iter(text) {
            let Some(replacement) = replace(self, found.as_str()) else { continue };
            out.push_str(&text[copied..found.start()]);
            out.push_str(&replacement);
            copied = found.end();
        }
        out.push_str(&text[copied..]);
        out
    }

    /// `<kind:n>`, the same for the same value.
    fn label(&mut self, kind: &str, value: &str) -> String {
        let key = (kind.to_owned(), value.to_owned());
        if let Some(label) = self.labels.get(&key) {
            return label.clone();
        }
        let count = self.counts.entry(kind.to_owned()).or_insert(0);
        *count += 1;
        let label = format!("<{kind}:{count}>");
        self.labels.insert(key, label.clone());
        label
    }

    /// Every token reads `<jwt>`; what it holds is kept for the answer's `jwts`.
    fn token(&mut self, token: &str) -> String {
        let Some((header, claims)) = tokens::decode(token) else { return token.to_owned() };
        let (issued, expires) = (claims["iat"].as_i64(), claims["exp"].as_i64());
        let signed = tokens::is_signed_by(token, &self.given["jwt_secret"]);
        let claims = self.value(&claims);
        self.tokens.push(json!({
            "header": header,
            "claims": claims,
            "ttl_seconds": issued.zip(expires).map(|(issued, expires)| expires - issued),
            "issued_now": issued.is_some_and(|issued| (self.now - issued).abs() < 30),
            "signature": if signed { "valid" } else { "INVALID" },
        }));
        "<jwt>".to_owned()
    }
}
