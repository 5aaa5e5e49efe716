-- What an erasure looks for: the addresses that an identifier logged in from, and the reasons that a customer gave.
create index if not exists cr_limit_known on cr_limit (key collate "C") where key like 'loginKnown:%';
create index if not exists cr_account_deletion_request_reason on account_deletion_request (customer_id) where reason is not null;
