-- Two tables of short rows that are asked for by their key alone are kept in its order: one tree in the place of two, for each look-up
-- and for each write. A proof of a customer's e-mail then lies beside that of the phone. Nothing is renamed: a view that somebody has made
-- over one of them still fits.
create table cr_kept as select customer_id, channel, value, proven_at from cr_proof;
drop table cr_proof;
create table cr_proof (
  customer_id text not null,
  channel text not null,
  value text not null,
  proven_at text not null,
  constraint cr_proof_pkey primary key (customer_id, channel)
) without rowid;
insert into cr_proof (customer_id, channel, value, proven_at)
  select customer_id, channel, value, proven_at from cr_kept order by customer_id, channel;
drop table cr_kept;
create index cr_proof_channel_value on cr_proof (channel, value);

create table cr_kept as select key, count, resets_at, blocked_until, updated_at from cr_limit;
drop table cr_limit;
create table cr_limit (
  key text not null,
  count bigint not null default 0,
  resets_at text not null,
  blocked_until text null,
  updated_at text not null,
  constraint cr_limit_pkey primary key (key)
) without rowid;
insert into cr_limit (key, count, resets_at, blocked_until, updated_at)
  select key, count, resets_at, blocked_until, updated_at from cr_kept order by key;
drop table cr_kept;
create index cr_limit_resets_at on cr_limit (resets_at);
create index cr_limit_known on cr_limit (key) where key like 'loginKnown:%';
