//! One file a table: its row, its statements.

pub mod account_deletion_request;
pub mod api_key;
pub mod auth_identity;
pub mod auth_mfa_factor;
pub mod auth_verification;
pub mod belongings;
pub mod contact_claim;
pub mod contact_holder;
pub mod cr_audit;
pub mod cr_limit;
pub mod cr_outbox;
pub mod cr_outbox_lease;
pub mod cr_proof;
pub mod cr_referral_code;
pub mod cr_reset_token;
pub mod cr_state;
pub mod customer;
pub mod customer_address;
pub mod customer_group_customer;
pub mod customer_session;
pub mod medusa_tables;
pub mod otp_verification;
pub mod provider_identity;
pub mod referral_link;
pub mod user;
