//! `POST` and `PATCH /store/customers/me`: the profile without its contacts.

use cr_db::models::customer;
use cr_db::models::customer_address;
use cr_types::ids::CustomerId;
use serde_json::{Map, Value};

use crate::app::App;
use crate::error::Error;
use crate::events::{self, Event};
use crate::modules::customer::view;

/// What to change. The outer `None` keeps a field, the inner one clears it.
#[derive(Debug, Default)]
pub struct Input {
    /// `company_name`.
    pub company_name: Option<Option<String>>,
    /// `first_name`.
    pub first_name: Option<Option<String>>,
    /// `last_name`.
    pub last_name: Option<Option<String>>,
    /// `metadata`: merged at the top level; `""` deletes a key, null as a whole clears all.
    pub metadata: Option<Option<Map<String, Value>>>,
}

/// Changes the profile and gives the customer as it is then.
///
/// # Errors
/// The guard's 401 when the customer went away meanwhile; or when a statement fails.
pub async fn run(app: &App, id: &CustomerId, input: Input) -> Result<Map<String, Value>, Error> {
    let mut cx = app.begin().await?;
    cx.step("update-customers")?;
    customer::lock(&mut cx.tx, id).await?;
    let before = customer::find(&mut cx.tx, id).await?.ok_or_else(Error::unauthenticated)?;
    let mut after = before.clone();
    if let Some(value) = input.company_name {
        after.company_name = value;
    }
    if let Some(value) = input.first_name {
        after.first_name = value;
    }
    if let Some(value) = input.last_name {
        after.last_name = value;
    }
    match input.metadata {
        Some(None) => after.metadata = None,
        Some(Some(change)) => after.metadata = merge(after.metadata, change),
        None => {}
    }
    if after != before {
        after.updated_at = cx.now;
        customer::update_profile(&mut cx.tx, &after, cx.now).await?;
        events::emit(&mut cx, Event::CustomerUpdated { id: id.clone() }).await?;
    }
    let addresses = customer_address::list(&mut cx.tx, id).await?;
    cx.commit().await?;
    Ok(view::body(&after, &addresses))
}

/// Medusa's merge (2.11.2): top level only, an empty text deletes its key, everything else replaces; nothing to change leaves
/// null as null.
fn merge(stored: Option<Value>, change: Map<String, Value>) -> Option<Value> {
    let mut merged = match stored {
        Some(Value::Object(map)) => map,
        _ if change.is_empty() => return stored,
        _ => Map::new(),
    };
    for (key, value) in change {
        if value.as_str() == Some("") {
            merged.remove(&key);
        } else {
            merged.insert(key, value);
        }
    }
    Some(Value::Object(merged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metadata_merges_as_medusa_does() {
        for (stored, change, merged) in [
            (json!(null), json!({}), json!(null)),
            (json!(null), json!({"a": 1}), json!({"a": 1})),
            (json!({"a": 1, "b": 2}), json!({"a": "", "c": null}), json!({"b": 2, "c": null})),
            (json!({"a": {"x": 1}}), json!({"a": {"y": 2}}), json!({"a": {"y": 2}})),
        ] {
            let stored = Some(stored).filter(|value| !value.is_null());
            let merged = Some(merged).filter(|value: &Value| !value.is_null());
            assert_eq!(merge(stored, change.as_object().unwrap().clone()), merged, "{change}");
        }
    }
}
