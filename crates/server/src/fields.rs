//! `?fields=` of the customer routes: which keys the answer has, and in which order.
//!
//! The rules are Medusa 2.11.2's (`prepareRetrieveQuery`), oddities included: what is allowed is judged by prefix, a bare
//! relation selects nothing, and `id` always comes back.

use cr_core::error::Error;
use cr_core::modules::customer::view::{self, SCALARS};
use cr_core::workflows::retrieve_customer::Retrieved;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::query;
use crate::validation::Object;

/// The relation that comes without asking.
const ADDRESSES: &str = "addresses";
/// What core would select from its order module, which this server does not hold.
const ORDERS: &str = "orders";

/// What the answer shows, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// `None`: everything that a customer's answer has without `?fields=`.
    selected: Option<Selected>,
    asked_for_orders: Vec<String>,
}

/// What `?fields=` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Selected {
    scalars: Vec<&'static str>,
    relations: Vec<Relation>,
}

/// A customer as a reader asked for it. Without `?fields=` no map is made of it first: each value is written as its turn comes.
pub struct Shown<'a> {
    projection: &'a Projection,
    retrieved: &'a Retrieved<'a>,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.projection.selected.is_none() {
            return serializer.collect_map(view::entries(&self.retrieved.customer, self.retrieved.addresses));
        }
        self.projection.apply(self.retrieved.body()).serialize(serializer)
    }
}

/// Something below a name: a whole relation, some of its fields, or a JSON column named by one of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Relation {
    name: &'static str,
    /// `None`: all of them.
    fields: Option<Vec<String>>,
}

impl Projection {
    /// Reads the parameter; `None` is a request without it.
    ///
    /// # Errors
    /// `invalid_data` naming the fields that are not allowed.
    pub fn parse(fields: Option<&str>) -> Result<Self, Error> {
        let Some(fields) = fields else { return Ok(Self::default()) };
        let (selected, starred) = split_stars(edited(fields));
        refuse_unknown(&selected, &starred)?;
        Ok(Self::of(&selected, &starred))
    }

    /// Reads the query of a route that takes `fields` and nothing else.
    ///
    /// # Errors
    /// `invalid_data` for another key, a repeated one, or as [`Projection::parse`].
    pub fn from_query(query: &Map<String, Value>) -> Result<Self, Error> {
        let query = query::undotted(query)?;
        let mut object = Object::query(&query);
        let fields = object.optional_string("fields");
        object.finish()?;
        Self::parse(fields.as_deref())
    }

    /// Whether something is asked for that only a Medusa holds.
    pub fn needs_upstream(&self) -> bool {
        !self.asked_for_orders.is_empty()
    }

    /// Refuses what only a Medusa holds, where there is none.
    ///
    /// # Errors
    /// `invalid_data` naming the fields.
    pub fn refuse_upstream(&self) -> Result<(), Error> {
        if self.asked_for_orders.is_empty() { Ok(()) } else { Err(not_valid(&self.asked_for_orders)) }
    }

    /// Takes the keys out of a whole customer (core's shape with the two flags and `addresses`).
    pub fn apply(&self, mut customer: Map<String, Value>) -> Map<String, Value> {
        let Some(selected) = &self.selected else { return customer };
        let mut shown = Map::new();
        for name in &selected.scalars {
            // A JSON column may be named again below, by one of its keys.
            if let Some(value) = customer.get(*name) {
                shown.insert((*name).to_owned(), value.clone());
            }
        }
        for relation in &selected.relations {
            if let Some(value) = customer.shift_remove(relation.name) {
                shown.insert(relation.name.to_owned(), relation.apply(value));
            }
        }
        shown
    }

    /// The same of a customer that was only read: written as it is asked for.
    pub fn show<'a>(&'a self, retrieved: &'a Retrieved<'a>) -> Shown<'a> {
        Shown { projection: self, retrieved }
    }

    /// Sorts what is selected into scalars and what lies below a name. What names no column is dropped: it passed by its
    /// prefix only.
    fn of(named: &[String], starred: &[String]) -> Self {
        let mut selected = Selected::default();
        let mut asked_for_orders = Vec::new();
        for field in named {
            if let Some(scalar) = known_scalar(field) {
                selected.scalars.push(scalar);
            } else if let Some((name, below)) = field.split_once('.') {
                if name == ORDERS {
                    asked_for_orders.push(field.to_owned());
                } else {
                    selected.select_below(name, below);
                }
            }
        }
        for name in starred {
            match name.as_str() {
                ADDRESSES => selected.relation(ADDRESSES).fields = None,
                ORDERS => asked_for_orders.push(ORDERS.to_owned()),
                _ => {}
            }
        }
        Self { selected: Some(selected), asked_for_orders }
    }
}

impl Selected {
    /// Selects `addresses.city`, `metadata.k` and their like.
    fn select_below(&mut self, name: &str, below: &str) {
        if name == ADDRESSES {
            if let Some(fields) = &mut self.relation(ADDRESSES).fields {
                fields.push(below.to_owned());
            }
        } else if let Some(scalar) = known_scalar(name) {
            self.relation(scalar).fields = None;
        }
    }

    /// The relation of a name, new and empty if there is none.
    fn relation(&mut self, name: &'static str) -> &mut Relation {
        let position = self.relations.iter().position(|relation| relation.name == name);
        let position = position.unwrap_or_else(|| {
            self.relations.push(Relation { name, fields: Some(Vec::new()) });
            self.relations.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.relations[position]
    }
}

impl Relation {
    /// The wanted fields of every item, in the order asked for; the items' `id` always comes along.
    fn apply(&self, value: Value) -> Value {
        let (Some(fields), Value::Array(items)) = (&self.fields, &value) else { return value };
        let pick = |item: &Value| {
            let names = fields.iter().map(String::as_str).chain(["id"]);
            let picked: Map<_, _> = names.filter_map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect();
            Value::Object(picked)
        };
        Value::Array(items.iter().map(pick).collect())
    }
}

/// The list after the parameter replaced or edited the defaults; relations that are wanted whole still carry their star.
fn edited(fields: &str) -> Vec<String> {
    let custom: Vec<&str> = fields.split(',').filter(|field| !field.is_empty()).collect();
    let edits = !custom.is_empty()
        && custom.iter().all(|field| field.starts_with(['+', '-', ' ', '*']) || field.ends_with(".*"));
    let mut list: Vec<String> = Vec::new();
    if edits {
        list.extend(SCALARS.iter().map(|name| (*name).to_owned()));
        list.push(format!("*{ADDRESSES}"));
    }
    for field in custom {
        match field.strip_prefix('-').filter(|_| edits) {
            Some(removed) => list.retain(|kept| kept.trim_start_matches('*') != removed),
            None => add(&mut list, field.trim_start_matches(['+', '-', ' '])),
        }
    }
    add(&mut list, "id");
    list
}

/// Adds to a set that keeps its order.
fn add(list: &mut Vec<String>, field: &str) {
    if !list.iter().any(|known| known == field) {
        list.push(field.to_owned());
    }
}

/// Takes `*relation` and `relation.*` out of the list.
fn split_stars(list: Vec<String>) -> (Vec<String>, Vec<String>) {
    let mut selected = Vec::new();
    let mut starred = Vec::new();
    for field in list {
        match field.strip_prefix('*').or_else(|| field.strip_suffix(".*")) {
            Some(relation) => add(&mut starred, relation),
            None => selected.push(field),
        }
    }
    (selected, starred)
}

/// A field passes that *starts* with an allowed name; a starred relation must be one.
///
/// # Errors
/// `invalid_data` naming all that do not pass.
fn refuse_unknown(selected: &[String], starred: &[String]) -> Result<(), Error> {
    let allowed = || SCALARS.into_iter().chain([ADDRESSES, ORDERS]);
    let refused: Vec<String> = selected
        .iter()
        .filter(|field| !allowed().any(|name| field.starts_with(name)))
        .chain(starred.iter().filter(|relation| !allowed().any(|name| name == *relation)))
        .cloned()
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(not_valid(&refused)) }
}

/// Medusa's sentence.
fn not_valid(fields: &[String]) -> Error {
    Error::invalid_data(format!("Requested fields [{}] are not valid", fields.join(", ")))
}

/// The scalar of exactly this name.
fn known_scalar(field: &str) -> Option<&'static str> {
    SCALARS.into_iter().find(|name| *name == field)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use cr_core::modules::customer::Customer;
    use cr_db::models::customer_address::CustomerAddress;
    use cr_types::ids::CustomerId;
    use cr_types::timestamp::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::json;

    const ALL: &str = "id,email,company_name,first_name,last_name,phone,metadata,has_account,deleted_at,created_at,updated_at,\
                       email_verified,phone_verified,addresses";

    fn customer() -> Map<String, Value> {
        let mut customer: Map<String, Value> = SCALARS.iter().map(|name| ((*name).to_owned(), json!(null))).collect();
        customer.insert("addresses".to_owned(), json!([{"id": "cuaddr_1", "city": "X", "phone": null}]));
        customer
    }

    /// The keys of the answer in their order, or the message.
    fn keys(fields: &str) -> String {
        match Projection::parse(Some(fields)) {
            Ok(projection) if projection.needs_upstream() => {
                format!("upstream: {}", projection.asked_for_orders.join(","))
            }
            Ok(projection) => projection.apply(customer()).keys().cloned().collect::<Vec<_>>().join(","),
            Err(error) => error.message,
        }
    }

    /// What Medusa 2.11.2 answered, with our flags where the defaults are kept.
    #[test]
    fn keys_and_their_order_are_medusas() {
        for (fields, answered) in [
            ("id", "id"),
            ("email", "email,id"),
            ("id,email", "id,email"),
            ("email,id", "email,id"),
            ("+metadata", ALL),
            (" email", ALL),
            ("-email", &ALL.replace("email,", "")),
            ("-email,-phone", &ALL.replace("id,email,", "id,").replace("last_name,phone,", "last_name,")),
            ("-id", &ALL.replace("id,", "").replace("phone_verified,", "phone_verified,id,")),
            ("-addresses", &ALL.replace(",addresses", "")),
            ("-email_verified", &ALL.replace("email_verified,", "")),
            ("*addresses", ALL),
            ("addresses.*", ALL),
            ("-nope", ALL),
            ("addresses", "id"),
            ("addresses.city", "id,addresses"),
            ("addresses.id", "id,addresses"),
            ("id,*addresses", "id,addresses"),
            ("orders", "id"),
            ("*orders", "upstream: orders"),
            ("orders.id", "upstream: orders.id"),
            ("idxyz", "id"),
            ("has_account", "has_account,id"),
            ("deleted_at", "deleted_at,id"),
            ("", "id"),
            (",", "id"),
            ("metadata", "metadata,id"),
            ("metadata.k", "id,metadata"),
            ("email_verified", "email_verified,id"),
            ("first_name,last_name", "first_name,last_name,id"),
            ("id,id", "id"),
            ("groups", "Requested fields [groups] are not valid"),
            ("*groups", "Requested fields [groups] are not valid"),
            ("nope", "Requested fields [nope] are not valid"),
            ("+nope", "Requested fields [nope] are not valid"),
            ("id,nope", "Requested fields [nope] are not valid"),
            ("nope,nope2", "Requested fields [nope, nope2] are not valid"),
            ("*nope", "Requested fields [nope] are not valid"),
            ("created_by", "Requested fields [created_by] are not valid"),
            ("+created_by", "Requested fields [created_by] are not valid"),
            ("*", "Requested fields [] are not valid"),
        ] {
            assert_eq!(keys(fields), answered, "{fields}");
        }
    }

    fn retrieved() -> Retrieved<'static> {
        let moment: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let id = CustomerId::from_stored("cus_1".to_owned());
        let text = |text: &str| Some(text.to_owned());
        let customer = Customer {
            id: id.clone(),
            company_name: None,
            first_name: text("A\"nn"),
            last_name: None,
            email: text("ann@x.test"),
            phone: None,
            has_account: true,
            metadata: Some(json!({"size": "L", "n": 1.0})),
            email_flag: true,
            phone_flag: false,
            created_at: moment,
            updated_at: moment,
            deleted_at: None,
            email_proof: text("ann@x.test"),
            phone_proof: None,
        };
        let address = CustomerAddress {
            id: "cuaddr_1".to_owned(),
            address_name: None,
            is_default_shipping: true,
            is_default_billing: false,
            lines: [None, None, None, text("Way 1"), None, text("X"), text("de"), None, text("10115"), None],
            metadata: None,
            customer_id: id,
            created_at: moment,
            updated_at: moment,
        };
        Retrieved { customer: Cow::Owned(customer), addresses: vec![address].leak() }
    }

    /// The keys of customer and address, and their order, are Medusa 2.11.2's, with our flags.
    #[test]
    fn without_the_parameter_everything_comes() {
        let projection = Projection::parse(None).unwrap();
        let expected = [
            r#"{"id":"cus_1","email":"ann@x.test","company_name":null,"first_name":"A\"nn","last_name":null,"phone":null,"#,
            r#""metadata":{"n":1,"size":"L"},"has_account":true,"deleted_at":null,"created_at":"2026-01-02T03:04:05.678Z","#,
            r#""updated_at":"2026-01-02T03:04:05.678Z","email_verified":true,"phone_verified":false,"addresses":["#,
            r#"{"id":"cuaddr_1","address_name":null,"is_default_shipping":true,"is_default_billing":false,"company":null,"#,
            r#""first_name":null,"last_name":null,"address_1":"Way 1","address_2":null,"city":"X","country_code":"de","#,
            r#""province":null,"postal_code":"10115","phone":null,"metadata":null,"customer_id":"cus_1","#,
            r#""created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z","deleted_at":null}]}"#,
        ]
        .concat();
        assert_eq!(json::write(&projection.show(&retrieved())).unwrap(), expected);
        assert_eq!(json::write(&projection.apply(retrieved().body())).unwrap(), expected);
    }

    /// One way to write a customer that was only read, one for a body that a workflow gave: both say the same.
    #[test]
    fn a_customer_is_shown_alike_however_it_comes() {
        for fields in ["id", "email,id", "+metadata", "-email", "addresses.city", "metadata.size", "-addresses", ""] {
            let projection = Projection::parse(Some(fields)).unwrap();
            let shown = json::write(&projection.show(&retrieved())).unwrap();
            assert_eq!(shown, json::write(&projection.apply(retrieved().body())).unwrap(), "{fields}");
            let keys: Map<String, Value> = serde_json::from_str(&shown).unwrap();
            assert_eq!(keys.keys().cloned().collect::<Vec<_>>().join(","), self::keys(fields), "{fields}");
        }
    }

    /// What Medusa 2.11.2 answered to other queries.
    #[test]
    fn the_query_takes_fields_alone() {
        for (text, message) in [
            ("fields=id", None),
            ("fields=+metadata", None),
            ("", None),
            (
                "fields=id&fields=email",
                Some("Invalid request: Expected type: 'string' for field 'fields', got: 'array'"),
            ),
            ("fields[]=id", Some("Invalid request: Expected type: 'string' for field 'fields', got: 'array'")),
            ("foo=1&bar=2", Some("Invalid request: Unrecognized fields: 'foo, bar'")),
            ("a.b=1", Some("Invalid request: Unrecognized fields: 'a'")),
            ("a.b.c=1", Some("Key accessor more than 2 levels deep: a.b.c")),
            ("foo=1&fields=nope", Some("Invalid request: Unrecognized fields: 'foo'")),
        ] {
            let told = Projection::from_query(&query::parse(text)).err().map(|error| error.message);
            assert_eq!(told.as_deref(), message, "{text}");
        }
    }

    #[test]
    fn a_field_below_a_relation_selects_it_in_every_item() {
        let shown = Projection::parse(Some("addresses.city")).unwrap().apply(customer());
        assert_eq!(shown["addresses"], json!([{"city": "X", "id": "cuaddr_1"}]));
    }

    #[test]
    fn what_only_a_medusa_holds_is_refused_without_one() {
        let projection = Projection::parse(Some("*orders,+orders.id")).unwrap();
        let message = projection.refuse_upstream().unwrap_err().message;
        assert_eq!(message, "Requested fields [orders.id, orders] are not valid");
    }
}
