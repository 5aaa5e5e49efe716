-- The administrator's list in its orders of time, of all and of one status: a page is read, not all of them sorted.
create index if not exists cr_account_deletion_request_updated_at on account_deletion_request (updated_at, id) where deleted_at is null;
create index if not exists cr_account_deletion_request_status_created_at on account_deletion_request (status, created_at, id) where deleted_at is null;
create index if not exists cr_account_deletion_request_status_updated_at on account_deletion_request (status, updated_at, id) where deleted_at is null;
