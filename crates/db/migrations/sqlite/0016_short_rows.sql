-- Two tables of short rows that are asked for by their key alone are kept in its order: one tree in the place of two, for each look-up
-- and for each write. A proof of a customer's e-mail then lies beside that of the phone.
create table cr_proof_in_order (
  customer_id text not null,
  channel text not null,
  value text not null,
  proven_at text not null,
  constraint cr_proof_pkey primary key (customer_id, channel)
) without rowid;
insert into cr_proof_in_order (customer_id, channel, value, proven_at)
  select customer_id, channel, value, proven_at from cr_proof order by customer_id, channel;
drop table cr_proof;
alter table cr_proof_in_order rename to cr_proof;
create index cr_proof_channel_value on cr_proof (channel, value);

create table cr_limit_in_order (
  key text not null,
  count bigint not null default 0,
  resets_at text not null,
  blocked_until text null,
  updated_at text not null,
  constraint cr_limit_pkey primary key (key)
) without rowid;
insert into cr_limit_in_order (key, count, resets_at, blocked_until, updated_at)
  select key, count, resets_at, blocked_until, updated_at from cr_limit order by key;
drop table cr_limit;
alter table cr_limit_in_order rename to cr_limit;
create index cr_limit_resets_at on cr_limit (resets_at);
create index cr_limit_known on cr_limit (key) where key like 'loginKnown:%';
