-- An index a lane of the outbox: who looks for due events does not go through all messages that wait, nor the other way round.
create index if not exists cr_outbox_due_messages on cr_outbox (next_attempt_at, id) where status in ('pending', 'sending') and channel <> 'event';
create index if not exists cr_outbox_due_events on cr_outbox (next_attempt_at, id) where status in ('pending', 'sending') and channel = 'event';
