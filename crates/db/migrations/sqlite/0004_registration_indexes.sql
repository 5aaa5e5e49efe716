-- Indexes of the three tables.
create index if not exists "IDX_otp_verification_deleted_at" on otp_verification (deleted_at) where deleted_at is null;
create index if not exists "IDX_otp_verification_customer_id" on otp_verification (customer_id) where deleted_at is null;
create index if not exists "IDX_otp_verification_expires_at" on otp_verification (expires_at);
create unique index if not exists "IDX_otp_verification_live_unique" on otp_verification (subject_hmac, purpose) where deleted_at is null and verified_at is null and subject_hmac is not null;
create index if not exists "IDX_account_deletion_request_deleted_at" on account_deletion_request (deleted_at) where deleted_at is null;
create index if not exists "IDX_account_deletion_request_customer_id" on account_deletion_request (customer_id) where deleted_at is null;
create index if not exists "IDX_account_deletion_request_due" on account_deletion_request (deletion_scheduled_at) where status = 'confirmed' and deleted_at is null;
create unique index if not exists "IDX_account_deletion_request_active_unique" on account_deletion_request (customer_id) where status in ('pending', 'confirmed') and deleted_at is null;
create index if not exists "IDX_referral_link_deleted_at" on referral_link (deleted_at) where deleted_at is null;
create index if not exists "IDX_referral_link_referrer_id" on referral_link (referrer_id) where deleted_at is null;
create unique index if not exists "IDX_referral_link_customer_id_unique" on referral_link (customer_id) where deleted_at is null;
