-- The addresses that an identifier logged in from, so that an erasure finds them without going through every counter.
create index if not exists cr_limit_known on cr_limit (key) where key like 'loginKnown:%';
