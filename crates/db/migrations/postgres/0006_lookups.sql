-- The four look-ups of a login. Recorded without being run where Medusa's tables are already there: there they are
-- built concurrently (migrate/lookups.rs), so that a live shop goes on writing.
create index if not exists cr_provider_identity_folded_entity_id on provider_identity (lower(entity_id), provider);
create index if not exists cr_customer_folded_email on customer (lower(email));
create index if not exists cr_customer_phone on customer (phone);
create index if not exists cr_auth_identity_customer_id on auth_identity ((app_metadata ->> 'customer_id'));
