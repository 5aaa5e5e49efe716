//! The plugin's steps, one file each, under its names. A step works on the caller's transaction and marks its begin by
//! [`crate::ctx::Ctx::step`] where it has effects; its undo is rollback.

pub mod determine_contact_method;
pub mod find_customer_by_email;
pub mod generate_contact_change_otp;
pub mod generate_otp;
pub mod load_template;
pub mod prepare_template_data;
pub mod resolve_channel_config;
pub mod retrieve_customer;
pub mod send_notification;
pub mod sync_phonepass_entity_id;
pub mod update_password;
