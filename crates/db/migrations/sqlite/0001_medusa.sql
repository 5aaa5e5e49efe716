-- Medusa's tables as Medusa 2.11.2 makes them: timestamps and JSON as text, the same names.
create table if not exists customer (
  id text not null,
  company_name text null,
  first_name text null,
  last_name text null,
  email text null,
  phone text null,
  has_account boolean not null default false,
  metadata text null,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at text null,
  created_by text null,
  constraint customer_pkey primary key (id)
);
create index if not exists "IDX_customer_deleted_at" on customer (deleted_at) where deleted_at is null;
create unique index if not exists "IDX_customer_email_has_account_unique" on customer (email, has_account) where deleted_at is null;

create table if not exists customer_address (
  id text not null,
  customer_id text not null,
  address_name text null,
  is_default_shipping boolean not null default false,
  is_default_billing boolean not null default false,
  company text null,
  first_name text null,
  last_name text null,
  address_1 text null,
  address_2 text null,
  city text null,
  country_code text null,
  province text null,
  postal_code text null,
  phone text null,
  metadata text null,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at text null,
  constraint customer_address_pkey primary key (id),
  constraint customer_address_customer_id_foreign foreign key (customer_id) references customer (id) on update cascade on delete cascade
);
create index if not exists "IDX_customer_address_customer_id" on customer_address (customer_id);
create index if not exists "IDX_customer_address_deleted_at" on customer_address (deleted_at) where deleted_at is null;
create unique index if not exists "IDX_customer_address_unique_customer_billing" on customer_address (customer_id) where is_default_billing = true;
create unique index if not exists "IDX_customer_address_unique_customer_shipping" on customer_address (customer_id) where is_default_shipping = true;

create table if not exists auth_identity (
  id text not null,
  app_metadata text null,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at text null,
  constraint auth_identity_pkey primary key (id)
);
create index if not exists "IDX_auth_identity_deleted_at" on auth_identity (deleted_at) where deleted_at is null;

create table if not exists provider_identity (
  id text not null,
  entity_id text not null,
  provider text not null,
  auth_identity_id text not null,
  user_metadata text null,
  provider_metadata text null,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at text null,
  constraint provider_identity_pkey primary key (id),
  constraint provider_identity_auth_identity_id_foreign foreign key (auth_identity_id) references auth_identity (id) on update cascade on delete cascade
);
create index if not exists "IDX_provider_identity_auth_identity_id" on provider_identity (auth_identity_id);
create index if not exists "IDX_provider_identity_deleted_at" on provider_identity (deleted_at) where deleted_at is null;
create unique index if not exists "IDX_provider_identity_provider_entity_id" on provider_identity (entity_id, provider);

create table if not exists "user" (
  id text not null,
  first_name text null,
  last_name text null,
  email text not null,
  avatar_url text null,
  metadata text null,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at text null,
  constraint user_pkey primary key (id)
);
create index if not exists "IDX_user_deleted_at" on "user" (deleted_at) where deleted_at is not null;
create unique index if not exists "IDX_user_email_unique" on "user" (email) where deleted_at is null;

create table if not exists api_key (
  id text not null,
  token text not null,
  salt text not null,
  redacted text not null,
  title text not null,
  type text not null,
  last_used_at text null,
  created_by text not null,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  revoked_by text null,
  revoked_at text null,
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at text null,
  constraint api_key_pkey primary key (id),
  constraint api_key_type_check check (type in ('publishable', 'secret'))
);
create index if not exists "IDX_api_key_deleted_at" on api_key (deleted_at) where deleted_at is null;
create index if not exists "IDX_api_key_redacted" on api_key (redacted) where deleted_at is null;
create index if not exists "IDX_api_key_revoked_at" on api_key (revoked_at) where deleted_at is null;
create unique index if not exists "IDX_api_key_token_unique" on api_key (token);
create index if not exists "IDX_api_key_type" on api_key (type);
