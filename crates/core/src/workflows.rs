//! One file a workflow: `Input`, `Output`, `run`. Its database effects are one transaction; messages go through the outbox in
//! that transaction. Counters of limits are committed before what they guard.

pub mod complete_password_reset;
pub mod create_api_key;
pub mod create_customer;
pub mod create_user;
pub mod login;
pub mod refresh_token;
pub mod register;
pub mod request_password_reset;
pub mod retrieve_customer;
pub mod send_otp;
pub mod steps;
pub mod update_customer;
pub mod verify_otp;
