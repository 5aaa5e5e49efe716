//! `GET /store/my-referrals`: whom a customer brought, and the code to bring more.

use cr_db::models::referral_link;
use cr_types::ids::CustomerId;

use crate::app::App;
use crate::error::Error;
use crate::identifiers::{mask_email, mask_phone};
use crate::modules::referral_link::code;
use crate::modules::referral_link::service::{Child, Page};

/// What the client gets.
pub struct Output {
    /// Direct children, newest first, contacts masked where the options say so.
    pub children: Vec<Child>,
    /// How many there are in all.
    pub count: i64,
    /// The customer's own code.
    pub referral_code: String,
}

/// Lists all children, or a page of them.
///
/// # Errors
/// When a statement fails.
pub async fn run(app: &App, customer: &CustomerId, page: Option<Page>) -> Result<Output, Error> {
    let mut cx = app.begin_read().await?;
    let Page { limit, offset } = page.unwrap_or(Page { limit: i64::MAX, offset: 0 });
    let mut children = referral_link::list_children(&mut cx.tx, customer, limit, offset).await?;
    let count = match page {
        Some(_) => referral_link::count_children(&mut cx.tx, customer).await?,
        None => i64::try_from(children.len()).unwrap_or(i64::MAX),
    };
    let known = cr_db::models::cr_referral_code::find(&mut cx.tx, customer).await?;
    drop(cx);
    let referral_code = match known {
        Some(code) => code,
        None => make_code(app, customer).await?,
    };
    if app.shared.options.referral_mask_contacts {
        for child in &mut children {
            child.email = child.email.as_deref().map(mask_email);
            child.phone = child.phone.as_deref().map(mask_phone);
        }
    }
    Ok(Output { children, count, referral_code })
}

/// The first time that somebody looks.
async fn make_code(app: &App, customer: &CustomerId) -> Result<String, Error> {
    let mut cx = app.begin().await?;
    cx.step("generate-referral-code")?;
    let code = code::find_or_make(&mut cx, customer).await?;
    cx.commit().await?;
    Ok(code)
}
