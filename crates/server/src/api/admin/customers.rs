//! Below `/admin/customers`: what Medusa's own routes of that name have not.

pub mod id;
