-- Whether the customer has proven the contact; the proof itself is in cr_proof.
alter table customer add column email_verified boolean not null default false;
alter table customer add column phone_verified boolean not null default false;
