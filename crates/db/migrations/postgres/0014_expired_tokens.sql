-- Links that nobody has followed are removed without a way through those that still count.
create index if not exists cr_reset_token_expires_at on cr_reset_token (expires_at);
