-- The three tables of the Node plugin, with our columns.
create table if not exists otp_verification (
  id text not null,
  customer_id text not null,
  purpose text not null,
  hashed_code text not null,
  expires_at text not null,
  attempts integer not null default 0,
  verified_at text null,
  kind text null,
  origin text null,
  subject_hmac text null,
  destination_hmac text null,
  sealed text null,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at text null,
  constraint otp_verification_pkey primary key (id),
  constraint otp_verification_purpose_check check (purpose in ('email_verification', 'phone_verification', 'account_deletion_request', 'account_deletion_cancel'))
);

create table if not exists account_deletion_request (
  id text not null,
  customer_id text not null,
  reason text null,
  deletion_scheduled_at text null,
  status text not null default 'pending',
  cancelled_at text null,
  held_at text null,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at text null,
  constraint account_deletion_request_pkey primary key (id),
  constraint account_deletion_request_status_check check (status in ('pending', 'confirmed', 'cancelled', 'completed'))
);

create table if not exists referral_link (
  id text not null,
  customer_id text not null,
  referrer_id text not null,
  parent_customers_by_level text not null,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at text null,
  constraint referral_link_pkey primary key (id)
);
