-- The administrator's list in each of its orders, of all and of one status: a page is read, not all of them sorted. By customer it goes by
-- the index that finds a customer's.
create index if not exists cr_account_deletion_request_updated_at on account_deletion_request (updated_at, id) where deleted_at is null;
create index if not exists cr_account_deletion_request_status_created_at on account_deletion_request (status, created_at, id) where deleted_at is null;
create index if not exists cr_account_deletion_request_status_updated_at on account_deletion_request (status, updated_at, id) where deleted_at is null;
-- Old messages are found without a way through those that are kept.
create index if not exists cr_outbox_settled on cr_outbox (updated_at, id) where status in ('delivered', 'dead');
