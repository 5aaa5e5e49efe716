-- What was given up is found without a way through all that was delivered, in the order in which an operator is told it. By itself: while
-- it is built no other table is held.
create index if not exists cr_outbox_dead on cr_outbox ((payload is null), created_at desc, id desc) where status = 'dead';
