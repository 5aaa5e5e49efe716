//! `config schema`: a JSON Schema (draft 2020-12) of the file, made from the table of keys, for editors.

use serde_json::{Map, Value as Json, json};

use super::building::{DEFAULTS, built_in};
use super::keys;
use super::kind::Kind;
use super::node::{Node, Origin, Value};

/// The whole schema.
pub(crate) fn schema() -> Json {
    let defaults = built_in(DEFAULTS, &Origin::Default);
    let mut root = object_at(&[], Some(&defaults));
    let head = [
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!("customer-registration")),
        ("description", json!("The configuration file of customer-registration (TOML, YAML or JSON).")),
    ];
    let mut whole = Map::from_iter(head.map(|(name, value)| (name.to_owned(), value)));
    whole.append(&mut root);
    Json::Object(whole)
}

/// The schema of the table with this shape.
fn object_at(shape: &[String], defaults: Option<&Node>) -> Map<String, Json> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut others = json!(false);
    for name in keys::following(shape) {
        let inner: Vec<String> = shape.iter().cloned().chain([name.to_owned()]).collect();
        let default = defaults.and_then(|node| node.child(name));
        let key = keys::find(&inner);
        let schema = value_at(&inner, default);
        if name == "*" {
            others = schema;
            continue;
        }
        if key.is_some_and(|key| key.required) {
            required.push(json!(name));
        }
        if let Some(key) = key.filter(|key| key.kind.may_come_from_file()) {
            let doc = format!("Path of a file that holds `{}`.", key.path.rsplit('.').next().unwrap_or_default());
            properties.insert(format!("{name}_FILE"), json!({"type": "string", "description": doc}));
        }
        properties.insert(name.to_owned(), schema);
    }
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Json::Object(properties));
    object.insert("additionalProperties".to_owned(), others);
    // A secret may come by its file instead, so only what cannot is demanded by name.
    let demanded: Vec<Json> = required
        .into_iter()
        .filter(|name| {
            let inner: Vec<String> = shape.iter().cloned().chain(name.as_str().map(str::to_owned)).collect();
            keys::find(&inner).is_none_or(|key| !key.kind.may_come_from_file())
        })
        .collect();
    if !demanded.is_empty() {
        object.insert("required".to_owned(), Json::Array(demanded));
    }
    object
}

/// The schema of what stands at this shape: a key's value, a list of tables, or a table.
fn value_at(shape: &[String], default: Option<&Node>) -> Json {
    let following = keys::following(shape);
    let key = keys::find(shape);
    let mut schema = if following.is_empty() {
        key.map_or_else(Map::new, |key| of_kind(key.kind))
    } else if following.iter().any(|segment| segment.starts_with('[')) {
        list_at(shape, &following)
    } else {
        object_at(shape, default)
    };
    if let Some(key) = key {
        schema.insert("description".to_owned(), json!(key.doc));
    }
    if following.is_empty()
        && let Some(default) = default
    {
        schema.insert("default".to_owned(), as_json(&default.value));
    }
    Json::Object(schema)
}

/// A list of tables; where they differ by `id`, one alternative each.
fn list_at(shape: &[String], following: &[&str]) -> Map<String, Json> {
    let element =
        |segment: &str| object_at(&shape.iter().cloned().chain([segment.to_owned()]).collect::<Vec<_>>(), None);
    let id_shape: Vec<String> = shape.iter().cloned().chain(["[]".to_owned(), "id".to_owned()]).collect();
    let items = match keys::find(&id_shape).map(|key| key.kind) {
        Some(Kind::Choice(ids)) => {
            let alternative = |id: &&str| {
                let mut object = element(&format!("[{id}]"));
                if let Some(schema) = object.get_mut("properties").and_then(|all| all.get_mut("id")) {
                    *schema = json!({"const": id, "description": schema.get("description")});
                }
                Json::Object(object)
            };
            json!({"oneOf": ids.iter().map(alternative).collect::<Vec<_>>()})
        }
        _ => Json::Object(following.first().map(|segment| element(segment)).unwrap_or_default()),
    };
    Map::from_iter([("type".to_owned(), json!("array")), ("items".to_owned(), items)])
}

/// The schema of a type.
fn of_kind(kind: Kind) -> Map<String, Json> {
    let text = || json!({"type": "string", "minLength": 1});
    let rate = json!({"type": "string", "pattern": "^\\s*[1-9][0-9]*\\s*/\\s*[1-9][0-9]*[smhd]\\s*$"});
    let schema = match kind {
        Kind::Text | Kind::Secret | Kind::LogLevel => text(),
        Kind::Choice(words) => json!({"enum": words}),
        Kind::Integer(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::DateTime => json!({"type": "string", "format": "date-time"}),
        Kind::Url(schemes) | Kind::SecretUrl(schemes) => {
            json!({"type": "string", "pattern": format!("^({})://.+", schemes.join("|"))})
        }
        Kind::DatabaseUrl => json!({"type": "string", "pattern": "^(sqlite:|postgres(ql)?://).+"}),
        Kind::Secrets => json!({"anyOf": [text(), {"type": "array", "items": text(), "minItems": 1}]}),
        Kind::Lifetime => {
            json!({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9.]+ *[A-Za-z]+$"}]})
        }
        Kind::Texts => json!({"type": "array", "items": text(), "minItems": 1}),
        Kind::Limit => json!({"anyOf": [{"const": "off"}, rate, {"type": "array", "items": rate, "minItems": 1}]}),
        Kind::Template => json!({"type": ["string", "null"]}),
        Kind::Networks => json!({"type": "array", "items": text()}),
        Kind::CallingCodes => json!({"type": "array", "items": {"type": ["string", "integer"]}}),
        Kind::Country => json!({"type": "string", "pattern": "^[A-Za-z]{2}$"}),
        Kind::SocketAddress => json!({"type": "string", "pattern": ":[0-9]+$"}),
        Kind::UrlPath => json!({"type": "string", "pattern": "^/"}),
        Kind::Section => json!({"type": "object"}),
    };
    match schema {
        Json::Object(object) => object,
        _ => Map::new(),
    }
}

/// A default as JSON.
fn as_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(boolean) => json!(boolean),
        Value::Integer(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::List(items) => items.iter().map(|item| as_json(&item.value)).collect(),
        Value::Table(entries) => {
            Json::Object(entries.iter().map(|(name, node)| (name.clone(), as_json(&node.value))).collect())
        }
    }
}
