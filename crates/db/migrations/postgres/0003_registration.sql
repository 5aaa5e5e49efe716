-- The three tables of the Node plugin, with our columns. Where the plugin made them, the missing columns are added; its
-- types and checks were widened before this runs (migrate/adopt.rs).
create table if not exists otp_verification (
  id text not null,
  customer_id text not null,
  purpose text not null,
  hashed_code text not null,
  expires_at timestamptz not null,
  attempts integer not null default 0,
  verified_at timestamptz null,
  kind text null,
  origin text null,
  subject_hmac text null,
  destination_hmac text null,
  sealed text null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz null,
  constraint otp_verification_pkey primary key (id),
  constraint otp_verification_purpose_check check (purpose in ('email_verification', 'phone_verification', 'account_deletion_request', 'account_deletion_cancel'))
);
alter table otp_verification
  add column if not exists attempts integer not null default 0,
  add column if not exists verified_at timestamptz null,
  add column if not exists kind text null,
  add column if not exists origin text null,
  add column if not exists subject_hmac text null,
  add column if not exists destination_hmac text null,
  add column if not exists sealed text null,
  add column if not exists created_at timestamptz not null default now(),
  add column if not exists updated_at timestamptz not null default now(),
  add column if not exists deleted_at timestamptz null;

create table if not exists account_deletion_request (
  id text not null,
  customer_id text not null,
  reason text null,
  deletion_scheduled_at timestamptz null,
  status text not null default 'pending',
  cancelled_at timestamptz null,
  held_at timestamptz null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz null,
  constraint account_deletion_request_pkey primary key (id),
  constraint account_deletion_request_status_check check (status in ('pending', 'confirmed', 'cancelled', 'completed'))
);
alter table account_deletion_request
  add column if not exists reason text null,
  add column if not exists deletion_scheduled_at timestamptz null,
  add column if not exists cancelled_at timestamptz null,
  add column if not exists held_at timestamptz null,
  add column if not exists created_at timestamptz not null default now(),
  add column if not exists updated_at timestamptz not null default now(),
  add column if not exists deleted_at timestamptz null;

create table if not exists referral_link (
  id text not null,
  customer_id text not null,
  referrer_id text not null,
  parent_customers_by_level jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz null,
  constraint referral_link_pkey primary key (id)
);
alter table referral_link
  add column if not exists created_at timestamptz not null default now(),
  add column if not exists updated_at timestamptz not null default now(),
  add column if not exists deleted_at timestamptz null;
