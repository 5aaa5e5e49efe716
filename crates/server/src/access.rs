//! The questions about a caller, asked of the database.

use cr_core::app::App;
use cr_core::error::ErrorKind;
use cr_core::modules::api_key;
use cr_core::modules::auth::session;
use cr_core::modules::auth::token::AuthClaims;

use crate::state::{Access, Answer, LiveCustomer};

/// [`Access`] by the product's own database.
pub struct DatabaseAccess(pub App);

impl Access for DatabaseAccess {
    fn publishable_key<'a>(&'a self, token: &'a str) -> Answer<'a, bool> {
        Box::pin(api_key::is_publishable(&self.0, token))
    }

    fn secret_key<'a>(&'a self, token: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(api_key::find_secret(&self.0, token))
    }

    fn live_customer<'a>(&'a self, claims: &'a AuthClaims, with_addresses: bool) -> Answer<'a, LiveCustomer> {
        Box::pin(async move {
            let mut tx = self.0.db.read().await?;
            let found = match session::live_customer(&mut tx, claims, with_addresses).await {
                Err(error) if error.kind == ErrorKind::Unauthenticated => return Ok(LiveCustomer::Gone),
                other => other?,
            };
            Ok(LiveCustomer::from(found))
        })
    }

    fn live_customer_with_key<'a>(
        &'a self,
        claims: &'a AuthClaims,
        with_addresses: bool,
        token: &'a str,
    ) -> Answer<'a, Option<LiveCustomer>> {
        Box::pin(async move {
            let now = self.0.shared.env.clock.now();
            let mut tx = self.0.db.read().await?;
            let asked = session::live_customer_with_key(&mut tx, claims, with_addresses, token, now);
            let (is_in_force, found) = asked.await?;
            Ok(is_in_force.then(|| found.map_or(LiveCustomer::Gone, LiveCustomer::from)))
        })
    }

    fn is_live_user<'a>(&'a self, claims: &'a AuthClaims) -> Answer<'a, bool> {
        Box::pin(async move {
            let mut tx = self.0.db.read().await?;
            session::is_live_user(&mut tx, claims).await
        })
    }
}
