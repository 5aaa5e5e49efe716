-- The order in which an administrator is shown who is leaving: a page is read, not all of them sorted.
create index if not exists cr_account_deletion_request_created_at on account_deletion_request (created_at, id) where deleted_at is null;
