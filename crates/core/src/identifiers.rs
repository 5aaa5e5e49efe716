//! What somebody logs in with: e-mail addresses and phone numbers, brought to one spelling each.
//!
//! `parse` is the only way in. Rows that Medusa wrote may hold other spellings; finding those is the look-ups' part.

mod email;
mod phone;

pub use email::{Email, mask_email};
pub use phone::{PhoneNumber, mask_phone};
