//! The pages that people look at, below `{admin.path}`.

pub mod inbox;
