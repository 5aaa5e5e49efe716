//! `CustomerRegistrationService`: the plugin's extension point.
//!
//! A program that uses this crate as a library gives its hooks to [`App::with_registration_hooks`]; every registration then goes
//! through them, inside the transaction that makes the customer.
//!
//! ```
//! use cr_core::ctx::Ctx;
//! use cr_core::error::Error;
//! use cr_core::modules::customer_registration::service::{HookFuture, RegistrationHook};
//! use cr_core::workflows::create_customer::Input;
//!
//! /// Lets nobody in without a first name, and notes where customers come from.
//! struct House;
//!
//! impl RegistrationHook for House {
//!     fn before<'a>(&'a self, _cx: &'a mut Ctx, input: &'a mut Input) -> HookFuture<'a> {
//!         Box::pin(async move {
//!             if input.first_name.is_none() {
//!                 return Err(Error::invalid_data("Tell us your first name"));
//!             }
//!             input.metadata.get_or_insert_default().insert("source".to_owned(), "app".into());
//!             Ok(())
//!         })
//!     }
//! }
//! ```

use std::pin::Pin;

use cr_db::models::customer::Customer;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::workflows::create_customer::Input;

/// What a hook answers with.
pub type HookFuture<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// Takes part in a registration. Each method does nothing unless it is written.
pub trait RegistrationHook: Send + Sync {
    /// Before the customer is made: judges the input, or adds to it. What it changes is checked like what the client sent.
    ///
    /// # Errors
    /// Whatever shall refuse the registration; the client gets it.
    fn before<'a>(&'a self, cx: &'a mut Ctx, input: &'a mut Input) -> HookFuture<'a> {
        let _ = (cx, input);
        Box::pin(async { Ok(()) })
    }

    /// After the customer was made, before anything is durable.
    ///
    /// # Errors
    /// Whatever shall undo the registration; the client gets it.
    fn after<'a>(&'a self, cx: &'a mut Ctx, customer: &'a Customer) -> HookFuture<'a> {
        let _ = (cx, customer);
        Box::pin(async { Ok(()) })
    }
}

/// The plugin's service.
pub struct CustomerRegistrationService;

impl CustomerRegistrationService {
    /// Runs every hook's first part, in the order in which they were given.
    ///
    /// # Errors
    /// The first hook's that refuses.
    pub async fn before_registration(app: &App, cx: &mut Ctx, input: &mut Input) -> Result<(), Error> {
        for hook in app.registration_hooks.iter() {
            hook.before(cx, input).await?;
        }
        Ok(())
    }

    /// Runs every hook's second part.
    ///
    /// # Errors
    /// The first hook's that refuses.
    pub async fn after_registration(app: &App, cx: &mut Ctx, customer: &Customer) -> Result<(), Error> {
        for hook in app.registration_hooks.iter() {
            hook.after(cx, customer).await?;
        }
        Ok(())
    }
}
