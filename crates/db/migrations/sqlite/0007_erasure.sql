-- What an erasure looks for: the addresses that an identifier logged in from, the reasons that a customer gave, and the codes that
-- the JavaScript plugin marked as deleted.
create index if not exists cr_limit_known on cr_limit (key) where key like 'loginKnown:%';
create index if not exists cr_account_deletion_request_reason on account_deletion_request (customer_id) where reason is not null;
create index if not exists cr_otp_verification_deleted_customer on otp_verification (customer_id) where deleted_at is not null;
