//! A customer as Medusa prints it: the same keys in the same order, with the two flags after the scalars.

use cr_db::models::customer::Customer;
use cr_db::models::customer_address::{CustomerAddress, LINES};
use cr_types::timestamp::Timestamp;
use serde_json::{Map, Value, json};

/// Medusa's scalar keys in the order that it prints them (2.11.2), then the flags.
pub const SCALARS: [&str; 13] = [
    "id",
    "email",
    "company_name",
    "first_name",
    "last_name",
    "phone",
    "metadata",
    "has_account",
    "deleted_at",
    "created_at",
    "updated_at",
    "email_verified",
    "phone_verified",
];

/// The whole body: scalars, flags, addresses.
pub fn body(customer: &Customer, addresses: &[CustomerAddress]) -> Map<String, Value> {
    entries(customer, addresses).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The same one by one, for whoever writes them as they come.
pub fn entries(customer: &Customer, addresses: &[CustomerAddress]) -> impl Iterator<Item = (&'static str, Value)> {
    let scalars = SCALARS.into_iter().map(|key| (key, scalar(customer, key).unwrap_or(Value::Null)));
    let addresses = || ("addresses", Value::Array(addresses.iter().map(address).collect()));
    scalars.chain(std::iter::once_with(addresses))
}

/// One scalar by its key; `None` for a key that a customer does not have.
pub fn scalar(customer: &Customer, key: &str) -> Option<Value> {
    Some(match key {
        "id" => json!(customer.id),
        "email" => json!(customer.email),
        "company_name" => json!(customer.company_name),
        "first_name" => json!(customer.first_name),
        "last_name" => json!(customer.last_name),
        "phone" => json!(customer.phone),
        "metadata" => customer.metadata.clone().map_or(Value::Null, sort_keys),
        "has_account" => json!(customer.has_account),
        "deleted_at" => time(customer.deleted_at),
        "created_at" => time(Some(customer.created_at)),
        "updated_at" => time(Some(customer.updated_at)),
        "email_verified" => json!(customer.is_email_verified()),
        "phone_verified" => json!(customer.is_phone_verified()),
        _ => return None,
    })
}

/// One address, keys in Medusa's order.
pub fn address(address: &CustomerAddress) -> Value {
    let mut body = Map::new();
    body.insert("id".to_owned(), json!(address.id));
    body.insert("address_name".to_owned(), json!(address.address_name));
    body.insert("is_default_shipping".to_owned(), json!(address.is_default_shipping));
    body.insert("is_default_billing".to_owned(), json!(address.is_default_billing));
    for (name, line) in LINES.iter().zip(&address.lines) {
        body.insert((*name).to_owned(), json!(line));
    }
    body.insert("metadata".to_owned(), address.metadata.clone().map_or(Value::Null, sort_keys));
    body.insert("customer_id".to_owned(), json!(address.customer_id));
    body.insert("created_at".to_owned(), time(Some(address.created_at)));
    body.insert("updated_at".to_owned(), time(Some(address.updated_at)));
    body.insert("deleted_at".to_owned(), Value::Null);
    Value::Object(body)
}

/// ISO 8601 with milliseconds, or null.
fn time(moment: Option<Timestamp>) -> Value {
    moment.map_or(Value::Null, |moment| Value::from(moment.to_string()))
}

/// The key order of PostgreSQL's `jsonb`, which Medusa's clients see: shorter keys first, then bytewise, at every depth.
/// SQLite keeps text as written, so the order is made here for both.
pub fn sort_keys(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes())));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sort_keys(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sort_keys).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_comes_in_the_order_of_jsonb() {
        let given = json!({"bb": 1, "a": {"zz": 1, "y": 2}, "c": [{"long": 1, "s": 2}]});
        let sorted = serde_json::to_string(&sort_keys(given)).unwrap();
        assert_eq!(sorted, r#"{"a":{"y":2,"zz":1},"c":[{"s":2,"long":1}],"bb":1}"#);
    }
}
