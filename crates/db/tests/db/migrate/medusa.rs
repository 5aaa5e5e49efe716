//! A database that Medusa made: what is added, and that nothing else of its is touched.

use std::collections::BTreeSet;

use cr_db::migrate;
use cr_testkit::{Stage, TestDatabase, medusa_database, newer_medusa, plugin_database};

use super::{start, texts};

/// Columns, indexes and constraints of all tables but ours, a line each.
async fn medusas_objects(test: &TestDatabase) -> BTreeSet<String> {
    const OURS: &str =
        "name not like 'cr\\_%' and name not in ('otp_verification', 'account_deletion_request', 'referral_link')";
    let objects = [
        "select table_name as name, concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) as line
         from information_schema.columns where table_schema = 'public'",
        "select tablename as name, indexdef as line from pg_indexes where schemaname = 'public'",
        "select cast(conrelid as regclass)::text as name, conname || ' ' || pg_get_constraintdef(oid) as line
         from pg_constraint where connamespace = 'public'::regnamespace",
    ];
    let mut lines = BTreeSet::new();
    for sql in objects {
        lines.extend(texts(test, &format!("select line from ({sql}) as objects where {OURS}")).await);
    }
    lines
}

/// A Medusa shop's tables get two columns and four indexes; anything more would meet Medusa's own migrations one day.
#[test]
fn medusas_tables_get_two_columns_and_four_indexes_and_nothing_else() {
    cr_testkit::run(async {
        let test = medusa_database().await;
        let before = medusas_objects(&test).await;
        let rows = test.dump(&[]).await;
        let report = migrate::run(&test.connect_as_is().await, start()).await.unwrap();
        assert_eq!(report.indexes_built, 4);
        let after = medusas_objects(&test).await;
        assert_eq!(before.difference(&after).collect::<Vec<_>>(), Vec::<&String>::new());
        assert_eq!(
            after.difference(&before).map(String::as_str).collect::<Vec<_>>(),
            [
                "CREATE INDEX cr_auth_identity_customer_id ON public.auth_identity USING btree (((app_metadata ->> 'customer_id'::text)))",
                "CREATE INDEX cr_customer_folded_email ON public.customer USING btree (lower(email))",
                "CREATE INDEX cr_customer_phone ON public.customer USING btree (phone)",
                "CREATE INDEX cr_provider_identity_folded_entity_id ON public.provider_identity USING btree (lower(entity_id), provider)",
                "customer email_verified boolean NO false",
                "customer phone_verified boolean NO false",
            ]
        );
        test.sql("alter table customer drop column email_verified, drop column phone_verified").await;
        let ours = ["cr_state", "cr_outbox", "cr_limit", "cr_reset_token", "cr_proof", "cr_referral_code", "cr_audit"];
        let ours = [&ours[..], &["otp_verification", "account_deletion_request", "referral_link"]].concat();
        assert_eq!(test.dump(&ours).await, rows);
    });
}

/// `publishableKey: auto` demands a key exactly where Medusa keeps them.
#[test]
fn it_is_remembered_that_medusa_made_the_database() {
    cr_testkit::run(async {
        let test = medusa_database().await;
        let database = test.connect_as_is().await;
        assert!(migrate::status(&database).await.unwrap().medusa_made);
        migrate::run(&database, start()).await.unwrap();
        assert_eq!(texts(&test, "select value from cr_state where key = 'medusa_made'").await, ["true"]);
    });
}

/// A Medusa whose own migrations did not all run must be told so, and must find nothing of ours yet.
#[test]
fn a_database_without_a_column_that_we_read_is_refused_before_anything_is_written() {
    cr_testkit::run(async {
        let test = medusa_database().await;
        test.sql("alter table customer drop column phone; drop table api_key; alter table \"user\" alter column metadata type text").await;
        let database = test.connect_as_is().await;
        let missing =
            ["column customer.phone is missing", "column user.metadata is text, not jsonb", "table api_key is missing"];
        assert_eq!(migrate::check_medusa_schema(&database).await.unwrap(), missing);
        assert_eq!(migrate::status(&database).await.unwrap().missing, missing);
        let before = medusas_objects(&test).await;
        let error = migrate::run(&database, start()).await.unwrap_err().to_string();
        assert!(missing.iter().all(|sentence| error.contains(sentence)), "{error}");
        assert_eq!(medusas_objects(&test).await, before);
        assert!(texts(&test, "select tablename as name from pg_tables where tablename like 'cr\\_%'").await.is_empty());
    });
}

/// A build that was cut short leaves an index that is never used; it must be built again, not taken for done.
#[test]
fn an_index_that_was_left_unfinished_is_built_again() {
    cr_testkit::run(async {
        for stage in [None, Some(Stage::Whole)] {
            let test = match stage {
                None => medusa_database().await,
                Some(stage) => plugin_database(stage).await,
            };
            // Two customers share this e-mail, so the build fails at its end and leaves an invalid index.
            let failed = "create unique index concurrently cr_customer_folded_email on customer (lower(email))";
            assert!(test.try_sql(failed).await.is_err());
            let database = test.connect_as_is().await;
            assert_eq!(migrate::status(&database).await.unwrap().indexes.len(), 4);
            let report = migrate::run(&database, start()).await.unwrap();
            assert_eq!(report.indexes_built, 4);
            let invalid =
                "select cast(cast(indexrelid as regclass) as text) as name from pg_index where not indisvalid";
            assert_eq!(texts(&test, invalid).await, Vec::<String>::new());
        }
    });
}

/// An index that somebody dropped since comes back with the next run.
#[test]
fn a_dropped_index_comes_back() {
    cr_testkit::run(async {
        let test = TestDatabase::postgres().await;
        test.sql("drop index cr_customer_phone").await;
        let database = test.connect_as_is().await;
        assert_eq!(migrate::status(&database).await.unwrap().indexes, ["cr_customer_phone"]);
        assert_eq!(migrate::run(&database, start()).await.unwrap().indexes_built, 1);
    });
}

/// A table that came with an update of Medusa, and whose rows an erased identity takes along, gets an index for that at the next run;
/// nothing is missing until then, since no request needs it. One that cannot be built is told, and keeps nothing back.
#[test]
fn tables_of_a_newer_medusa_get_indexes_for_their_cascades() {
    cr_testkit::run(async {
        let test = TestDatabase::postgres().await;
        test.sql(&newer_medusa::auth_verification(&test)).await;
        let (identity, credential) =
            ("references auth_identity (id) on delete cascade", "references provider_identity (id) on delete cascade");
        test.sql(&format!(
            "create table \"née_{long}\" (id text, auth_identity_id text {identity}); \
             create index on \"née_{long}\" (auth_identity_id) where id is not null; \
             create table \"Odd \"\"name\" (\"provider identity\" text {credential}); \
             create table served (auth_identity_id text {identity}, id text, primary key (auth_identity_id, id)); \
             create table parted (auth_identity_id text {identity}) partition by hash (auth_identity_id); \
             create table restricting (id text references auth_identity (id)); \
             create table clashing (id text {identity}); \
             create table cr_clashing_id (id text); \
             insert into auth_identity (id) values ('i'); \
             insert into \"née_{long}\" values ('1', 'i'), ('2', 'i')",
            long = "x".repeat(55),
        ))
        .await;
        // As a build leaves it that was cut short.
        let cut_off = format!("cr_née_{}", "x".repeat(55));
        let failed =
            format!("create unique index concurrently \"{cut_off}\" on \"née_{}\" (auth_identity_id)", "x".repeat(55));
        assert!(test.try_sql(&failed).await.is_err());
        let database = test.connect_as_is().await;
        assert!(migrate::status(&database).await.unwrap().is_current());
        let wanted =
            ["cr_Odd \"name_provider identity", "cr_auth_verification_auth_identity_id", "cr_clashing_id", &cut_off];
        let mut optional = migrate::list_optional_indexes(&database).await.unwrap();
        optional.sort();
        assert_eq!(optional, wanted);
        for expected in [3, 0] {
            let report = migrate::run(&database, start()).await.unwrap();
            assert_eq!(report.indexes_built, expected);
            assert!(
                matches!(&report.indexes_not_built[..], [told] if told.starts_with("cr_clashing_id: ")),
                "{report:?}"
            );
        }
        assert_eq!(migrate::list_optional_indexes(&database).await.unwrap(), ["cr_clashing_id"]);
        let invalid = "select cast(cast(indexrelid as regclass) as text) as name from pg_index where not indisvalid";
        assert_eq!(texts(&test, invalid).await, Vec::<String>::new());
    });
}
