//! `ReferralLinkModuleService`: the plugin's service over its table, with the methods that Medusa generates for a model.

use cr_db::DbError;
use cr_db::models::referral_link;
use cr_types::ids::{CustomerId, generate};
use serde_json::{Map, Value};

use crate::ctx::Ctx;
use crate::error::Error;

pub use cr_db::models::referral_link::{Child, ReferralLink};

/// Which links are meant; every part that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Who was brought.
    pub customer_id: Option<CustomerId>,
    /// By whom.
    pub referrer_id: Option<CustomerId>,
}

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Rows at most; Medusa calls it `take`.
    pub limit: i64,
    /// Rows left out; Medusa calls it `skip`.
    pub offset: i64,
}

/// The plugin's service. Every method works in the caller's transaction.
pub struct ReferralLinkModuleService;

impl ReferralLinkModuleService {
    /// Links a customer to a referrer, with the referrer's own line of parents up to `referral.maxLevels`.
    ///
    /// # Errors
    /// 400 when somebody would refer themselves, or one of their own line; 422 when the customer has a link already; or when a statement fails.
    pub async fn create(cx: &mut Ctx, customer: &CustomerId, referrer: &CustomerId) -> Result<ReferralLink, Error> {
        let parents = parents(cx, customer, referrer).await?;
        let id = generate("refl", cx.now, cx.bytes());
        let made = referral_link::insert(&mut cx.tx, &id, customer, referrer, &parents, cx.now).await?;
        made.ok_or_else(|| Error::duplicate(format!("Referral link with customer_id: {customer}, already exists.")))
    }

    /// A link by its id.
    ///
    /// # Errors
    /// 404 without one.
    pub async fn retrieve(cx: &mut Ctx, id: &str) -> Result<ReferralLink, Error> {
        referral_link::find(&mut cx.tx, id).await?.ok_or_else(|| not_found(id))
    }

    /// The links that a selector means, oldest first.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn list(cx: &mut Ctx, selector: &Selector, page: Page) -> Result<Vec<ReferralLink>, Error> {
        let (customer, referrer) = parts(selector);
        Ok(referral_link::list(&mut cx.tx, customer, referrer, page.limit, page.offset).await?)
    }

    /// The same with how many there are in all.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn list_and_count(
        cx: &mut Ctx,
        selector: &Selector,
        page: Page,
    ) -> Result<(Vec<ReferralLink>, i64), Error> {
        let links = Self::list(cx, selector, page).await?;
        let (customer, referrer) = parts(selector);
        Ok((links, referral_link::count(&mut cx.tx, customer, referrer).await?))
    }

    /// Gives a link another referrer, and the line of parents that comes with them.
    ///
    /// # Errors
    /// 404 without such a link; 400 when somebody would refer themselves, or one of their own line.
    pub async fn update(cx: &mut Ctx, id: &str, referrer: &CustomerId) -> Result<ReferralLink, Error> {
        let link = Self::retrieve(cx, id).await?;
        let parents = parents(cx, &link.customer_id, referrer).await?;
        referral_link::update(&mut cx.tx, id, referrer, &parents, cx.now).await?.ok_or_else(|| not_found(id))
    }

    /// Deletes a link for good. One that is not there is no error, as in Medusa.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn delete(cx: &mut Ctx, id: &str) -> Result<(), Error> {
        referral_link::delete(&mut cx.tx, id).await?;
        Ok(())
    }

    /// Hides a link; [`Self::restore`] takes that back.
    ///
    /// # Errors
    /// 404 without such a link.
    pub async fn soft_delete(cx: &mut Ctx, id: &str) -> Result<(), Error> {
        if referral_link::soft_delete(&mut cx.tx, id, cx.now).await? { Ok(()) } else { Err(not_found(id)) }
    }

    /// Shows a hidden link again.
    ///
    /// # Errors
    /// 404 without a hidden link; 422 when the customer has another by now.
    pub async fn restore(cx: &mut Ctx, id: &str) -> Result<(), Error> {
        match referral_link::restore(&mut cx.tx, id, cx.now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(not_found(id)),
            Err(DbError::NotUnique { .. }) => Err(Error::duplicate("The customer has another referral link by now")),
            Err(error) => Err(error.into()),
        }
    }
}

/// Medusa's 404.
fn not_found(id: &str) -> Error {
    Error::not_found(format!("ReferralLink with id: {id} was not found"))
}

/// A selector as the statements take it.
fn parts(selector: &Selector) -> (Option<&str>, Option<&str>) {
    (selector.customer_id.as_ref().map(CustomerId::as_str), selector.referrer_id.as_ref().map(CustomerId::as_str))
}

/// The line of parents below a referrer: themselves at level 1, then their own line, one level further each.
///
/// # Errors
/// 400 when the customer stands in that line; or when the statement fails.
async fn parents(cx: &mut Ctx, customer: &CustomerId, referrer: &CustomerId) -> Result<Value, Error> {
    let most = cx.shared.options.referral_max_levels;
    let above = referral_link::find_of_customer(&mut cx.tx, referrer).await?;
    let line = above.as_ref().map(|link| &link.parent_customers_by_level);
    let levels = levels(referrer, line, most);
    if levels.values().any(|parent| parent.as_str() == Some(customer.as_str())) {
        return Err(super::code::invalid());
    }
    Ok(Value::Object(levels))
}

/// `{"1": referrer, "2": …}` with at most `most` levels.
fn levels(referrer: &CustomerId, line: Option<&Value>, most: usize) -> Map<String, Value> {
    let mut levels = Map::new();
    let mut next = Some(Value::from(referrer.as_str()));
    for level in 1..=most {
        let Some(parent) = next.take() else { break };
        levels.insert(level.to_string(), parent);
        next = line.and_then(|line| line.get(level.to_string())).filter(|parent| parent.is_string()).cloned();
    }
    levels
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_grows_by_one_level_and_ends_at_the_most() {
        let referrer = CustomerId::from_stored("cus_c");
        for (line, most, grown) in [
            (None, 10, json!({"1": "cus_c"})),
            (Some(json!({"1": "cus_b", "2": "cus_a"})), 10, json!({"1": "cus_c", "2": "cus_b", "3": "cus_a"})),
            (Some(json!({"1": "cus_b", "2": "cus_a"})), 2, json!({"1": "cus_c", "2": "cus_b"})),
            (Some(json!({"1": "cus_b", "3": "cus_a"})), 10, json!({"1": "cus_c", "2": "cus_b"})),
            (Some(json!("nonsense")), 10, json!({"1": "cus_c"})),
            (Some(json!({"1": "cus_b"})), 1, json!({"1": "cus_c"})),
        ] {
            assert_eq!(Value::Object(levels(&referrer, line.as_ref(), most)), grown, "{line:?} {most}");
        }
    }
}
