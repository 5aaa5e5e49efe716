-- What is ours alone, prefixed so that it meets no table of Medusa's or of another plugin's.
create table if not exists cr_state (
  key text not null,
  value text not null,
  updated_at text not null,
  constraint cr_state_pkey primary key (key)
);

create table if not exists cr_outbox (
  id text not null,
  channel text not null,
  payload text null,
  template text not null,
  trigger_type text not null,
  receiver_id text null,
  idempotency_key text not null,
  status text not null,
  attempts bigint not null default 0,
  next_attempt_at text not null,
  lease_until text null,
  expires_at text null,
  last_error text null,
  delivered_at text null,
  created_at text not null,
  updated_at text not null,
  constraint cr_outbox_pkey primary key (id),
  constraint cr_outbox_status_check check (status in ('pending', 'sending', 'delivered', 'dead'))
);
create unique index if not exists cr_outbox_idempotency_key_unique on cr_outbox (idempotency_key);
create index if not exists cr_outbox_due on cr_outbox (next_attempt_at) where status in ('pending', 'sending');
create index if not exists cr_outbox_receiver_id on cr_outbox (receiver_id);

create table if not exists cr_limit (
  key text not null,
  count bigint not null default 0,
  resets_at text not null,
  blocked_until text null,
  updated_at text not null,
  constraint cr_limit_pkey primary key (key)
);
create index if not exists cr_limit_resets_at on cr_limit (resets_at);

create table if not exists cr_reset_token (
  auth_identity_id text not null,
  jti text not null,
  expires_at text not null,
  created_at text not null,
  constraint cr_reset_token_pkey primary key (auth_identity_id)
);

create table if not exists cr_proof (
  customer_id text not null,
  channel text not null,
  value text not null,
  proven_at text not null,
  constraint cr_proof_pkey primary key (customer_id, channel)
);
create index if not exists cr_proof_channel_value on cr_proof (channel, value);

create table if not exists cr_referral_code (
  customer_id text not null,
  code text not null,
  created_at text not null,
  constraint cr_referral_code_pkey primary key (customer_id)
);
create unique index if not exists cr_referral_code_code_unique on cr_referral_code (code);

create table if not exists cr_audit (
  id text not null,
  actor_type text not null,
  actor_id text null,
  action text not null,
  subject_id text null,
  details text null,
  created_at text not null,
  constraint cr_audit_pkey primary key (id)
);
create index if not exists cr_audit_subject_id on cr_audit (subject_id, created_at);
create index if not exists cr_audit_created_at on cr_audit (created_at);
