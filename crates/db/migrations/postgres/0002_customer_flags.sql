-- Whether the customer has proven the contact; the proof itself is in cr_proof.
alter table customer
  add column if not exists email_verified boolean not null default false,
  add column if not exists phone_verified boolean not null default false;
