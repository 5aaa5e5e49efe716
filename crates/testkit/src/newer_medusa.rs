//! Tables that Medusa's own migrations make and ours do not, most of them newer Medusas', for tests that no Medusa runs beside.

use cr_db::DatabaseKind;

use crate::database::TestDatabase;

/// The statements that make `auth_verification` as Medusa 2.21.2's migrations do; on SQLite times are text, as everywhere there.
pub fn auth_verification(database: &TestDatabase) -> String {
    let time = if database.kind() == DatabaseKind::Sqlite { "text" } else { "timestamptz" };
    format!(
        "create table auth_verification (id text primary key, auth_identity_id text not null references auth_identity (id) \
         on update cascade on delete cascade, entity_id text not null, entity_type text not null, code_provider text not null, \
         verified_at {time}, requested_at {time} not null, provider_metadata text, metadata text, created_at {time} not null, \
         updated_at {time} not null, deleted_at {time}); \
         create index \"IDX_auth_verification_auth_identity_id\" on auth_verification (auth_identity_id) \
         where deleted_at is null; \
         create index \"IDX_auth_verification_deleted_at\" on auth_verification (deleted_at) where deleted_at is null; \
         create unique index \"IDX_auth_verification_unique_auth_identity_entity_id_entity_type\" on auth_verification \
         (auth_identity_id, entity_id, entity_type) where deleted_at is null;"
    )
}

/// The same of `auth_mfa_factor`, on PostgreSQL.
pub const AUTH_MFA_FACTOR: &str = r#"
create table auth_mfa_factor (id text primary key, auth_identity_id text not null, provider text not null, status text not null,
  provider_metadata jsonb, metadata jsonb, created_at timestamptz not null, updated_at timestamptz not null,
  deleted_at timestamptz);
create index "IDX_auth_mfa_factor_auth_identity_id" on auth_mfa_factor (auth_identity_id) where deleted_at is null;
create index "IDX_auth_mfa_factor_deleted_at" on auth_mfa_factor (deleted_at) where deleted_at is null;
create unique index "IDX_auth_mfa_factor_auth_identity_provider_active" on auth_mfa_factor (auth_identity_id, provider)
  where deleted_at is null and status in ('pending', 'enabled');
"#;

/// The same of `customer_group_customer`, which older Medusas make, too.
pub const CUSTOMER_GROUP_CUSTOMER: &str = r#"
create table customer_group_customer (id text primary key, customer_id text not null, customer_group_id text not null,
  metadata jsonb, created_at timestamptz not null, updated_at timestamptz not null, created_by text, deleted_at timestamptz);
create index "IDX_customer_group_customer_customer_group_id" on customer_group_customer (customer_group_id)
  where deleted_at is null;
create index "IDX_customer_group_customer_customer_id" on customer_group_customer (customer_id);
create index "IDX_customer_group_customer_deleted_at" on customer_group_customer (deleted_at) where deleted_at is null;
"#;
