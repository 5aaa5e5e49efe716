//! Tables of newer Medusas, for tests that no Medusa runs beside.

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
         create unique index \"IDX_auth_verification_unique_auth_identity_entity_id_entity_type\" on auth_verification \
         (auth_identity_id, entity_id, entity_type) where deleted_at is null;"
    )
}
