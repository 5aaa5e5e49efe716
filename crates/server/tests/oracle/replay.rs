//! Sends the requests of a scenario again and collects what differs from what is wanted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

use crate::client::{self, RawResponse};
use crate::compare::{Bindings, compare};
use crate::deviations::{Adaptation, Plan, ResetToken};
use crate::normalise::Normaliser;
use crate::tokens;
use crate::transcript::{Request, Scenario, Setting, Step, TokenSetting};

/// `{{name}}` in a request.
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{\{([a-zA-Z0-9_]+)\}\}").unwrap());
/// `jwt(body.token).claim` in a capture.
static CLAIM: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^jwt\(body\.(.+?)\)\.(.+)$").unwrap());

/// Seconds that a reset token lives; Medusa 2.11.2.
const RESET_SECONDS: i64 = 900;

/// The server that is replayed against.
pub(crate) trait Target {
    /// `http://host:port`.
    fn base_url(&self) -> &str;
    /// `pk`, `sk`, `jwt_secret`, `admin_email`, `admin_password`.
    fn given(&self) -> BTreeMap<String, String>;
    /// The server's present, in seconds since 1970.
    fn now(&self) -> i64;
    /// Moves the server's clock on by a second, so that what is newer is newer by a whole second.
    fn tick(&self);
    /// Whether a Medusa behind the server answers such a request, whose path has its variables filled in.
    fn is_upstreams(&self, _request: &Request, _path: &str) -> bool {
        false
    }
    /// Runs statements on the server's database.
    fn sql(&self, statements: &str) -> impl Future<Output = ()>;
    /// The rows of one statement, as JSON objects.
    fn rows(&self, statement: &str) -> impl Future<Output = Vec<Value>>;
}

/// A step that was not answered as wanted.
pub(crate) struct Difference {
    scenario: String,
    step: String,
    lines: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}\n    {}", self.scenario, self.step, self.lines.join("\n    "))
    }
}

/// Replays one scenario. `run` is eight hex digits, new for every run, so that runs do not meet each other's rows.
pub(crate) async fn replay(target: &impl Target, plan: &Plan, scenario: &Scenario, run: &str) -> Vec<Difference> {
    let mut variables = target.given();
    variables.insert("run".to_owned(), run.to_owned());
    let given = variables.clone();
    let mut normaliser = Normaliser::new(&given);
    let mut bindings = Bindings::default();
    let mut differences = Vec::new();
    for step in &scenario.steps {
        if plan.is_gateways(&scenario.name, &step.name) {
            continue;
        }
        let is_upstreams = target.is_upstreams(&step.request, &expand(&step.request.path, &variables));
        target.tick();
        let adaptations: Vec<&Adaptation> = plan.adaptations(&scenario.name, &step.name).collect();
        set(&mut variables, step, target.now());
        for sql in adaptations.iter().filter_map(|adaptation| adaptation.sql.as_ref()) {
            target.sql(&expand(sql, &variables)).await;
        }
        for token in adaptations.iter().filter_map(|adaptation| adaptation.reset_token.as_ref()) {
            issue_reset_token(target, &mut variables, token).await;
        }
        let raw = send(target.base_url(), &adapt(&step.request, &adaptations), &variables).await;
        capture(&mut variables, &step.capture, &raw);
        for adaptation in &adaptations {
            capture(&mut variables, &adaptation.capture, &raw);
        }
        let mut observed = normaliser.response(&step.request.method, &raw, target.now());
        observed.db = rows(target, step, &variables, &mut normaliser).await;
        for path in &step.ignore {
            observed.replace(path, json!("<any>"));
        }
        let wanted = plan.wanted(scenario, step, is_upstreams);
        let mut lines = Vec::new();
        let usual = compare(&mut bindings.clone(), &wanted.usual, &observed);
        if wanted.is_listed && usual.is_empty() {
            lines.push("answers as Medusa does: the deviation that is listed for it is none any more".to_owned());
        }
        for label in &wanted.renames {
            bindings.release(label);
        }
        lines.extend(compare(&mut bindings, &wanted.deviating, &observed));
        if !lines.is_empty() {
            differences.push(Difference { scenario: scenario.name.clone(), step: step.name.clone(), lines });
        }
    }
    differences
}

/// The rows that the step left behind; `None` where none were recorded.
async fn rows(
    target: &impl Target,
    step: &Step,
    variables: &BTreeMap<String, String>,
    normaliser: &mut Normaliser<'_>,
) -> Option<Value> {
    let mut tables = Map::new();
    for (name, statement) in &step.db {
        let rows = Value::Array(target.rows(&expand(statement, variables)).await);
        tables.insert(name.clone(), normaliser.rows(&rows));
    }
    (!tables.is_empty()).then_some(Value::Object(tables))
}

/// Computes the step's variables.
fn set(variables: &mut BTreeMap<String, String>, step: &Step, now: i64) {
    for (name, setting) in &step.set {
        let value = match setting {
            Setting::Base64(text) => BASE64_STANDARD.encode(expand(text, variables)),
            Setting::Jwt(token) => signed(token, variables, now),
        };
        variables.insert(name.clone(), value);
    }
}

/// A token with `iat` and `exp` behind its claims, as `jsonwebtoken` writes them.
fn signed(token: &TokenSetting, variables: &BTreeMap<String, String>, now: i64) -> String {
    let Value::Object(mut claims) = expand_value(&Value::Object(token.claims.clone()), variables) else {
        unreachable!()
    };
    claims.entry("iat").or_insert_with(|| json!(now));
    if let Some(seconds) = token.expires_in {
        claims.insert("exp".to_owned(), json!(now + seconds));
    }
    let secret = token.secret.as_ref().unwrap_or(&variables["jwt_secret"]);
    tokens::sign(&claims, secret, token.alg.as_deref().unwrap_or("HS256"))
}

/// Issues a reset token as the product does and makes it known to the server.
async fn issue_reset_token(target: &impl Target, variables: &mut BTreeMap<String, String>, token: &ResetToken) {
    let now = target.now();
    let jti = format!("{now:032x}");
    let claims = json!({
        "entity_id": expand(&token.entity_id, variables),
        "provider": token.provider,
        "actor_type": "customer",
        "jti": jti,
        "purpose": "reset",
        "iat": now,
        "exp": now + RESET_SECONDS,
    });
    let identity = &variables["reg_authid"];
    let moment = |seconds| chrono::DateTime::from_timestamp(seconds, 0).unwrap().format("%Y-%m-%dT%H:%M:%S.000Z");
    let (now, expires) = (moment(now), moment(now + RESET_SECONDS));
    target
        .sql(&format!(
            "delete from cr_reset_token where auth_identity_id = '{identity}';
             insert into cr_reset_token (auth_identity_id, jti, expires_at, created_at)
             values ('{identity}', '{jti}', '{expires}', '{now}')"
        ))
        .await;
    let signed = tokens::sign(claims.as_object().unwrap(), &variables["jwt_secret"], "HS256");
    variables.insert(token.variable.clone(), signed);
}

/// The request with its adaptations.
fn adapt(recorded: &Request, adaptations: &[&Adaptation]) -> Request {
    let mut request = recorded.clone();
    for adaptation in adaptations {
        if let Some(json) = &adaptation.json {
            request.json = Some(serde_json::from_str(json).unwrap());
            request.body = None;
        }
        if let Some(body) = &adaptation.body {
            request.body = Some(body.clone());
            request.json = None;
        }
        for (from, to) in &adaptation.replace_in_headers {
            for value in request.headers.values_mut() {
                *value = value.replace(from, to);
            }
        }
    }
    request
}

/// Sends a request with its variables filled in.
async fn send(base_url: &str, request: &Request, variables: &BTreeMap<String, String>) -> RawResponse {
    let mut headers: BTreeMap<String, String> =
        request.headers.iter().map(|(name, value)| (name.clone(), expand(value, variables))).collect();
    let mut body = None;
    if let Some(json) = &request.json {
        headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
        body = Some(expand_value(json, variables).to_string());
    }
    if let Some(text) = &request.body {
        body = Some(expand(text, variables));
    }
    if let Some(fill) = &request.body_fill {
        body = Some(format!("{}{}{}", fill.prefix, fill.char.repeat(fill.count), fill.suffix));
    }
    if body.is_some() || matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        let length = body.as_ref().map_or(0, String::len);
        headers.entry("content-length".to_owned()).or_insert_with(|| length.to_string());
    }
    let headers: Vec<(String, String)> = headers.into_iter().collect();
    let path = expand(&request.path, variables);
    client::send(base_url, &request.method, &path, &headers, body.unwrap_or_default().as_bytes()).await
}

/// Takes variables out of an answer; what is not there reads `UNCAPTURED` from then on.
fn capture(variables: &mut BTreeMap<String, String>, wanted: &BTreeMap<String, String>, raw: &RawResponse) {
    for (name, place) in wanted {
        let value = find(place, raw).unwrap_or_else(|| "UNCAPTURED".to_owned());
        variables.insert(name.clone(), value);
    }
}

/// What a capture's place names in an answer.
fn find(place: &str, raw: &RawResponse) -> Option<String> {
    if let Some(name) = place.strip_prefix("cookie(").and_then(|rest| rest.strip_suffix(')')) {
        let beginning = format!("{name}=");
        let mut cookies = raw.headers.iter().filter(|(header, _)| header == "set-cookie").map(|(_, line)| line);
        let line = cookies.find(|line| line.starts_with(&beginning))?;
        return line.split(';').next().map(str::to_owned);
    }
    if let Some(name) = place.strip_prefix("header(").and_then(|rest| rest.strip_suffix(')')) {
        return raw.header(name).map(str::to_owned);
    }
    let body: Value = serde_json::from_slice(&raw.body).ok()?;
    if let Some(found) = CLAIM.captures(place) {
        let (_, claims) = tokens::decode(&dig(&body, &found[1])?)?;
        return dig(&claims, &found[2]);
    }
    dig(&body, place.strip_prefix("body.")?)
}

/// The value at a dotted path, a string without its quotes.
fn dig(value: &Value, path: &str) -> Option<String> {
    let found = value.pointer(&format!("/{}", path.replace('.', "/")))?;
    Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
}

/// A text with its variables filled in.
fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let value = |found: &Captures<'_>| variables.get(&found[1]).cloned().unwrap_or_else(|| "UNCAPTURED".to_owned());
    VARIABLE.replace_all(text, value).into_owned()
}

/// A value with the variables in its strings filled in.
fn expand_value(value: &Value, variables: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => Value::String(expand(text, variables)),
        Value::Array(items) => items.iter().map(|item| expand_value(item, variables)).collect(),
        Value::Object(fields) => Value::Object(
            fields.iter().map(|(name, field)| (name.clone(), expand_value(field, variables))).collect::<Map<_, _>>(),
        ),
        other => other.clone(),
    }
}
