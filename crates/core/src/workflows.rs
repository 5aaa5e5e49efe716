//! One file a workflow: `Input`, `Output`, `run`. Its database effects are one transaction; messages go through the outbox in
//! that transaction. Counters of limits are committed before what they guard.

pub mod adopt_verification;
pub mod cancel_account_deletion;
pub mod change_password;
pub mod complete_password_reset;
pub mod confirm_account_deletion;
pub mod create_api_key;
pub mod create_customer;
pub mod create_user;
pub mod decide_account_deletion;
pub mod end_customer_sessions;
pub mod list_account_deletion_messages;
pub mod list_account_deletion_requests;
pub mod list_referrals;
pub mod login;
pub mod refresh_token;
pub mod register;
pub mod request_account_deletion;
pub mod request_account_deletion_cancel;
pub mod request_password_reset;
pub mod retrieve_customer;
pub mod send_contact_change_otp;
pub mod send_otp;
pub mod steps;
pub mod undo_contact_change;
pub mod update_contact;
pub mod update_customer;
pub mod verify_email;
pub mod verify_otp;
pub mod verify_phone;
