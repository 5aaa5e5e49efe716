//! Each unique rule is reported by its index's name on both databases, since workflows answer by that name.

use cr_db::{DbError, migrate};
use cr_testkit::TestDatabase;

use super::{every_kind, start};

/// The rule, and two rows of which the second breaks it.
const RULES: &[(&str, &str, &str)] = &[
    (
        "IDX_customer_email_has_account_unique",
        "insert into customer (id, email, has_account) values ('a', 'x@example.com', true)",
        "insert into customer (id, email, has_account) values ('b', 'x@example.com', true)",
    ),
    (
        "IDX_provider_identity_provider_entity_id",
        "insert into auth_identity (id) values ('i');
         insert into provider_identity (id, entity_id, provider, auth_identity_id) values ('a', 'x', 'emailpass', 'i')",
        "insert into provider_identity (id, entity_id, provider, auth_identity_id) values ('b', 'x', 'emailpass', 'i')",
    ),
    (
        "IDX_user_email_unique",
        "insert into \"user\" (id, email) values ('a', 'x@example.com')",
        "insert into \"user\" (id, email) values ('b', 'x@example.com')",
    ),
    (
        "IDX_api_key_token_unique",
        "insert into api_key (id, token, salt, redacted, title, type, created_by) values ('a', 't', '', '', '', 'secret', 'u')",
        "insert into api_key (id, token, salt, redacted, title, type, created_by) values ('b', 't', '', '', '', 'secret', 'u')",
    ),
    (
        "IDX_otp_verification_live_unique",
        "insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at, subject_hmac)
         values ('a', 'c', 'email_verification', 'h', '2026-01-02T03:14:05.000Z', 's')",
        "insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at, subject_hmac)
         values ('b', 'd', 'email_verification', 'h', '2026-01-02T03:14:05.000Z', 's')",
    ),
    (
        "IDX_account_deletion_request_active_unique",
        "insert into account_deletion_request (id, customer_id, status) values ('a', 'c', 'pending')",
        "insert into account_deletion_request (id, customer_id, status) values ('b', 'c', 'confirmed')",
    ),
    (
        "IDX_referral_link_customer_id_unique",
        "insert into referral_link (id, customer_id, referrer_id, parent_customers_by_level) values ('a', 'c', 'r', '{}')",
        "insert into referral_link (id, customer_id, referrer_id, parent_customers_by_level) values ('b', 'c', 'q', '{}')",
    ),
    (
        "cr_outbox_idempotency_key_unique",
        "insert into cr_outbox (id, channel, template, trigger_type, idempotency_key, status, next_attempt_at, created_at, updated_at)
         values ('a', 'email', 't', 't', 'k', 'pending', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z')",
        "insert into cr_outbox (id, channel, template, trigger_type, idempotency_key, status, next_attempt_at, created_at, updated_at)
         values ('b', 'email', 't', 't', 'k', 'pending', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z')",
    ),
    (
        "cr_referral_code_code_unique",
        "insert into cr_referral_code (customer_id, code, created_at) values ('a', 'CODE', '2026-01-02T03:04:05.678Z')",
        "insert into cr_referral_code (customer_id, code, created_at) values ('b', 'CODE', '2026-01-02T03:04:05.678Z')",
    ),
];

/// Rows beside a rule: soft-deleted, used or settled ones, which must not be refused.
const ALLOWED: &[&str] = &[
    "insert into customer (id, email, has_account) values ('guest', 'x@example.com', false)",
    "insert into customer (id, email, has_account, deleted_at) values ('gone', 'x@example.com', true, '2026-01-02T03:04:05.678Z')",
    "insert into \"user\" (id, email, deleted_at) values ('gone', 'x@example.com', '2026-01-02T03:04:05.678Z')",
    "insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at, subject_hmac, verified_at)
     values ('used', 'c', 'email_verification', 'h', '2026-01-02T03:14:05.000Z', 's', '2026-01-02T03:04:05.678Z')",
    "insert into otp_verification (id, customer_id, purpose, hashed_code, expires_at, subject_hmac)
     values ('other', 'c', 'phone_verification', 'h', '2026-01-02T03:14:05.000Z', 's')",
    "insert into account_deletion_request (id, customer_id, status) values ('over', 'c', 'cancelled')",
    "insert into referral_link (id, customer_id, referrer_id, parent_customers_by_level, deleted_at)
     values ('gone', 'c', 'q', '{}', '2026-01-02T03:04:05.678Z')",
];

/// Breaks each rule once and writes what stands beside it.
async fn check_rules(test: &TestDatabase) {
    for (rule, first, second) in RULES {
        test.sql(first).await;
        match test.try_sql(second).await {
            Err(DbError::NotUnique { constraint }) => assert_eq!(constraint, *rule),
            other => panic!("{rule}: {other:?}"),
        }
    }
    for row in ALLOWED {
        test.sql(row).await;
    }
}

/// Whoever made the tables, a workflow meets the same rules under the same names.
#[test]
fn adopted_databases_have_the_same_rules() {
    cr_testkit::run(async {
        for (_, test) in every_kind().await {
            migrate::run(&test.connect_as_is().await, start()).await.unwrap();
            check_rules(&test).await;
        }
    });
}

cr_testkit::both! {
    async fn each_unique_rule_is_known_by_name(test: TestDatabase) {
        check_rules(&test).await;
    }

    /// A provider identity without its auth identity would be a login that belongs to nobody.
    async fn identities_go_with_their_owner(test: TestDatabase) {
        test.sql("insert into auth_identity (id) values ('i');
                  insert into provider_identity (id, entity_id, provider, auth_identity_id) values ('p', 'x', 'emailpass', 'i')").await;
        let orphan = "insert into provider_identity (id, entity_id, provider, auth_identity_id) values ('q', 'y', 'emailpass', 'nobody')";
        assert!(test.try_sql(orphan).await.is_err());
        test.sql("delete from auth_identity").await;
        assert!(test.rows("select id from provider_identity").await.is_empty());
    }
}
