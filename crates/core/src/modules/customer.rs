//! The part of Medusa's customer module that we need, and what makes a contact proven.

pub mod erasure;
pub mod lookup;
pub mod proof;
pub mod undo;
pub mod verification;
pub mod view;

pub use cr_db::models::customer::Customer;
pub use cr_db::models::customer_session::Session;
