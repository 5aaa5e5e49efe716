//! `GET /store/my-referrals`.

use cr_core::error::Error;
use cr_core::modules::referral_link::service::{Child, Page};
use cr_core::workflows::list_referrals;
use cr_types::http::{Referral, Referrals, ReferredCustomer};

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Children that a page has unless `limit` says otherwise.
const PAGE: i64 = 20;
/// The longest page.
const LONGEST_PAGE: i64 = 1000;

/// Whom the customer brought: 200 `{"children","referral_code"}`, and `"count","limit","offset"` where a page was asked for.
///
/// # Errors
/// 400 for a query in Medusa's words; as [`list_referrals::run`].
pub async fn get(call: Call) -> Result<Reply, Error> {
    let mut query = Object::query(&call.query);
    let limit = query.query_integer("limit", PAGE, 0, LONGEST_PAGE);
    let offset = query.query_integer("offset", 0, 0, i64::MAX);
    query.finish()?;
    let is_paged = call.query.contains_key("limit") || call.query.contains_key("offset");
    let page = is_paged.then_some(Page { limit, offset });
    let output = list_referrals::run(call.app(), &call.customer()?.id, page).await?;
    Reply::json(&Referrals {
        children: output.children.into_iter().map(shown).collect(),
        referral_code: output.referral_code,
        count: is_paged.then_some(output.count),
        limit: is_paged.then_some(limit),
        offset: is_paged.then_some(offset),
    })
}

/// One child with its customer.
fn shown(child: Child) -> Referral {
    Referral {
        referral_link_id: child.referral_link_id,
        referred_at: child.referred_at,
        parent_customers_by_level: child.parent_customers_by_level,
        customer: ReferredCustomer {
            id: child.customer_id,
            email: child.email,
            first_name: child.first_name,
            last_name: child.last_name,
            phone: child.phone,
            created_at: child.created_at,
        },
    }
}
