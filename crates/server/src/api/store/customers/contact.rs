//! `/store/customers/contact`.

pub mod undo;
