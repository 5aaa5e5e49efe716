-- Medusa's indexes of the rows that live hold nothing but where each is: nobody can look anything up in them, and each write pays for
-- them. Where the planner has no statistics yet it would rather go through one of them than look anything up. A shop alone on SQLite has
-- no Medusa that would miss them.
drop index if exists "IDX_customer_deleted_at";
drop index if exists "IDX_customer_address_deleted_at";
drop index if exists "IDX_auth_identity_deleted_at";
drop index if exists "IDX_provider_identity_deleted_at";
drop index if exists "IDX_api_key_deleted_at";
drop index if exists "IDX_otp_verification_deleted_at";
drop index if exists "IDX_account_deletion_request_deleted_at";
drop index if exists "IDX_referral_link_deleted_at";
