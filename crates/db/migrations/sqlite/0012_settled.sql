-- Old messages are found without a way through those that are kept. By itself: while it is built no other table is held.
create index if not exists cr_outbox_settled on cr_outbox (updated_at, id) where status in ('delivered', 'dead');
