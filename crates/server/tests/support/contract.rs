//! Holds an answer against the OpenAPI document: its status is told of there, its type too, and its body is as it says.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::Answer;

/// The document that is served.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(cr_server::openapi::DOCUMENT).unwrap());

/// Fails when the answer of a route is not what the document tells. Routes that it does not tell of are pages.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let operation = &DOCUMENT["paths"][path][method.as_str().to_ascii_lowercase()];
    // A page, or what Express answers by itself; and what the client has already needs no second telling.
    if operation.is_null() || answer.status.as_u16() == 304 {
        return;
    }
    let what = format!("{method} {path} answered {} {}", answer.status, answer.text);
    let response = resolved(&operation["responses"][answer.status.as_str()]);
    assert!(!response.is_null(), "{what}, which docs/openapi.json does not tell of");
    let (content_type, content) = response["content"].as_object().unwrap().iter().next().unwrap();
    let sent = answer.headers.get("content-type").map(|value| value.to_str().unwrap());
    assert_eq!(sent.and_then(|sent| sent.split(';').next()), Some(content_type.as_str()), "{what}");
    let body = if content_type == "application/json" { answer.json() } else { json!(answer.text) };
    let errors: Vec<String> = validator(&content["schema"])
        .iter_errors(&body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}, which docs/openapi.json forbids: {errors:?}");
}

/// What a reference stands for, or the thing itself.
fn resolved(thing: &'static Value) -> &'static Value {
    match thing["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap(),
        None => thing,
    }
}

/// The validator of a schema, made once: thousands of answers are held against some forty.
fn validator(schema: &Value) -> Arc<Validator> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap();
    let make = || {
        let whole = json!({ "components": DOCUMENT["components"], "allOf": [schema] });
        Arc::new(jsonschema::draft202012::new(&whole).unwrap())
    };
    Arc::clone(known.entry(schema.to_string()).or_insert_with(make))
}

/// Every example of the document is what its schema says.
pub(crate) fn examples_are_right() {
    let mut count = 0;
    for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let body = &operation["requestBody"]["content"]["application/json"];
            let answers = operation["responses"].as_object().unwrap().values().map(resolved);
            let bodies = answers.flat_map(|answer| answer["content"].as_object().unwrap().values());
            for content in bodies.chain([body]) {
                let many =
                    content["examples"].as_object().into_iter().flat_map(|all| all.values().map(|it| &it["value"]));
                for example in many.chain(content.get("example")) {
                    let validator = validator(&content["schema"]);
                    let errors: Vec<String> = validator.iter_errors(example).map(|error| error.to_string()).collect();
                    assert!(errors.is_empty(), "{method} {path}: {example} is not as its schema says: {errors:?}");
                    count += 1;
                }
            }
        }
    }
    assert!(count > 200, "{count} examples were found");
}
