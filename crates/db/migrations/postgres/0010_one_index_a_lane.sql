-- What 0009 put something better in the place of. By itself: the lock that it takes must not be waited for while the table is held.
drop index if exists cr_outbox_due;
