//! Below `/admin/customers/{id}`: what an administrator does about one customer.

pub mod end_sessions;
