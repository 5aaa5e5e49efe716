//! The pages that people look at: below `{admin.path}`, and the API reference at `/docs`. Static files that call the API.

pub mod inbox;
pub mod pages;
