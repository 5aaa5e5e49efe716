//! `?fields=` shows what a customer has and nothing else, always with `id`. Input: a query string.
#![no_main]

use cr_core::error::{Error, ErrorKind};
use cr_core::modules::customer::view::SCALARS;
use cr_server::fields::Projection;
use cr_server::query;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

/// A customer whose values tell which key they are of.
fn customer() -> Map<String, Value> {
    let mut customer: Map<String, Value> = SCALARS.iter().map(|name| ((*name).to_owned(), json!(name))).collect();
    customer.insert("metadata".to_owned(), json!({"k": 1, "email": "inner"}));
    let address = json!({"id": "cuaddr_1", "city": "X", "metadata": {"k": 2}, "": "no name"});
    customer.insert("addresses".to_owned(), json!([address, {"id": "cuaddr_2"}]));
    customer
}

/// What must hold for a projection of any text.
fn judge(text: &str, projection: Result<Projection, Error>) {
    let projection = match projection {
        Ok(projection) => projection,
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::InvalidData, "{text:?}");
            return assert!(!error.message.is_empty());
        }
    };
    assert_eq!(projection.refuse_upstream().is_err(), projection.needs_upstream(), "{text:?}");
    let whole = customer();
    let shown = projection.apply(whole.clone());
    assert_eq!(shown.get("id"), whole.get("id"), "{text:?}");
    for (name, value) in &shown {
        let (Value::Array(items), Value::Array(all)) = (value, &whole[name]) else {
            assert_eq!(Some(value), whole.get(name), "{text:?} shows another {name}");
            continue;
        };
        assert_eq!(items.len(), all.len(), "{text:?}");
        for (item, full) in items.iter().zip(all) {
            assert_eq!(item["id"], full["id"], "{text:?}");
            for (name, value) in item.as_object().unwrap() {
                assert_eq!(Some(value), full.get(name), "{text:?} shows another {name}");
            }
        }
    }
    assert_eq!(projection.apply(shown.clone()), shown, "{text:?} twice");
}

fuzz_target!(|text: &str| {
    judge(text, Projection::parse(Some(text)));
    let query = query::parse(text);
    assert!(!query.contains_key("__proto__") && !query.contains_key(""), "{text:?}");
    judge(text, Projection::from_query(&query));
});
