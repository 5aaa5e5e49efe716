//! What happens to every request around its handler. [`crate::dispatch`] says in which order.

pub mod authenticate;
pub mod cors;
pub mod etag;
pub mod publishable_key;
pub mod request_id;
pub mod request_log;
pub mod same_site;
