//! Proof wins: who holds a contact without having proven it loses it to who has, and nobody else loses anything.

use std::time::Duration;

use cr_core::error::ErrorKind;
use cr_core::modules::auth::session;
use cr_core::modules::auth::token::AuthClaims;
use cr_core::modules::customer::{erasure, proof};
use cr_core::options::{ContactType, Options};
use cr_core::workflows::{complete_password_reset, login, verify_otp};
use cr_db::DatabaseKind;
use cr_db::models::customer;
use cr_testkit::TestDatabase;
use cr_types::ids::CustomerId;
use secrecy::SecretString;
use serde_json::json;
use tokio::task::JoinSet;

use crate::shop::{Shop, assert_refused, credentials, guess, open, open_with};

/// The number that two people say is theirs.
const PHONE: &str = "+15551234567";

/// Mallory registered [`PHONE`] and has not proven it; Ann's account, by e-mail, names it too.
struct Contest {
    shop: Shop,
    ann: (AuthClaims, String),
    mallory: (AuthClaims, String),
}

/// Turns an account's credential into one for [`PHONE`], as accounts have it from a time when registration took phones.
async fn logs_in_by_phone(shop: &Shop, claims: &AuthClaims) {
    let sql = format!(
        "update provider_identity set provider = 'phonepass', entity_id = '{PHONE}' where auth_identity_id = '{}'",
        claims.auth_identity_id
    );
    shop.database.sql(&sql).await;
}

/// Sets it up in a shop with options of the test's.
async fn contest(database: TestDatabase, change: impl FnOnce(&mut Options)) -> Contest {
    let shop = open_with(database, change).await;
    let ann = shop.account("ann@shop.test", Some(PHONE)).await;
    let (claims, id) = shop.account("mallory@shop.test", Some(PHONE)).await;
    logs_in_by_phone(&shop, &claims).await;
    Contest { shop, ann, mallory: (claims, id) }
}

impl Contest {
    /// Ann proves the number.
    async fn prove(&self) -> Result<verify_otp::Output, cr_core::error::Error> {
        self.shop.verify(&self.ann.0, &self.ann.1, ContactType::Phone).await
    }

    /// Asserts that Ann is refused and that nothing of anybody's changed.
    async fn assert_kept(&self) {
        let (token, code) = self.shop.code(&self.ann.0, &self.ann.1, ContactType::Phone).await;
        let before = self.shop.dump().await;
        let result = verify_otp::run(&self.shop.app, guess(&token, &code, Some(&self.ann.0))).await;
        assert_refused(result, ErrorKind::Duplicate, "Customer with this phone already has an account");
        assert_eq!(self.shop.dump().await, before);
    }

    /// Gives Mallory's identity an e-mail credential besides.
    async fn add_email_credential(&self) {
        let identity = &self.mallory.0.auth_identity_id;
        self.shop
            .database
            .sql(&format!(
                "insert into provider_identity (id, entity_id, provider, auth_identity_id)
                                         values ('p_mallory', 'mallory@shop.test', 'emailpass', '{identity}')"
            ))
            .await;
    }

    /// Mallory's e-mail, phone, and whether she is deleted.
    async fn mallory_row(&self) -> serde_json::Value {
        let sql = format!(
            "select email, phone, phone_verified, case when deleted_at is null then 0 else 1 end as is_deleted
                           from customer where id = '{}'",
            self.mallory.1
        );
        self.shop.database.rows(&sql).await.remove(0)
    }
}

cr_testkit::both! {
    async fn an_unproven_holder_with_nothing_left_is_deleted(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        contest.prove().await.unwrap();
        let row = json!({"email": "mallory@shop.test", "phone": null, "phone_verified": false, "is_deleted": 1});
        assert_eq!(contest.mallory_row().await, row);
        let shop = &contest.shop;
        assert_eq!(shop.count(&format!("auth_identity where id = '{}'", contest.mallory.0.auth_identity_id)).await, 0);
        let owner = shop.value(&format!("select auth_identity_id from provider_identity where entity_id = '{PHONE}'")).await;
        assert_eq!(owner, contest.ann.0.auth_identity_id.as_str());
        let audit = "select actor_type, actor_id, action, subject_id, details from cr_audit";
        assert_eq!(shop.database.rows(audit).await, [json!({
            "actor_type": "rule", "actor_id": null, "action": "contact.lost_to_proof", "subject_id": contest.mallory.1,
            "details": {"contact_type": "phone"},
        })]);
        login::run(&shop.app, credentials(ContactType::Phone, PHONE)).await.unwrap();
    }

    async fn an_unproven_holder_keeps_what_else_there_is(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        contest.add_email_credential().await;
        contest.prove().await.unwrap();
        let row = json!({"email": "mallory@shop.test", "phone": null, "phone_verified": false, "is_deleted": 0});
        assert_eq!(contest.mallory_row().await, row);
        let left = format!("select provider from provider_identity where auth_identity_id = '{}'", contest.mallory.0.auth_identity_id);
        assert_eq!(contest.shop.value(&left).await, "emailpass");
    }

    /// An admin may have given the holder another number, which was proven since: that one is nobody else's.
    async fn a_holder_loses_the_contested_value_and_no_other(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        contest.add_email_credential().await;
        let id = &contest.mallory.1;
        contest.shop.database.sql(&format!(
            "update customer set phone = '+15559999999', phone_verified = true where id = '{id}';
             insert into cr_proof (customer_id, channel, value, proven_at) values ('{id}', 'phone', '+15559999999', '2026-01-02T03:04:05.678Z')"
        )).await;
        contest.prove().await.unwrap();
        let row = json!({"email": "mallory@shop.test", "phone": "+15559999999", "phone_verified": true, "is_deleted": 0});
        assert_eq!(contest.mallory_row().await, row);
        assert_eq!(contest.shop.count(&format!("cr_proof where customer_id = '{id}'")).await, 1);
    }

    /// Who gives up a contested number at the same moment keeps the new one, the login by it, and the account.
    async fn a_holder_who_moves_on_meanwhile_loses_nothing(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        let (shop, id) = (&contest.shop, &contest.mallory.1);
        let (token, code) = shop.code(&contest.ann.0, &contest.ann.1, ContactType::Phone).await;
        let moving = shop.database.hold(&format!(
            "update customer set phone = '+15559999999', phone_verified = true where id = '{id}';
             insert into cr_proof (customer_id, channel, value, proven_at) values ('{id}', 'phone', '+15559999999', '2026-01-02T03:04:05.678Z');
             update provider_identity set entity_id = '+15559999999' where entity_id = '{PHONE}'"
        )).await;
        let moved = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            moving.commit().await;
        };
        let (proven, ()) = tokio::join!(verify_otp::run(&shop.app, guess(&token, &code, Some(&contest.ann.0))), moved);
        proven.unwrap();
        let row = json!({"email": "mallory@shop.test", "phone": "+15559999999", "phone_verified": true, "is_deleted": 0});
        assert_eq!(contest.mallory_row().await, row);
        let owner = shop.value("select auth_identity_id from provider_identity where entity_id = '+15559999999'").await;
        assert_eq!(owner, contest.mallory.0.auth_identity_id.as_str());
    }

    /// An identity that gets its customer at the same moment is not taken unheard: on PostgreSQL, where it was seen before, who proves asks
    /// again, and SQLite sees what is so by then.
    async fn an_identity_that_becomes_somebodys_meanwhile_is_not_taken_unseen(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        let (shop, identity) = (&contest.shop, &contest.mallory.0.auth_identity_id);
        let (token, code) = shop.code(&contest.ann.0, &contest.ann.1, ContactType::Phone).await;
        let metadata = |text: &str| format!("update auth_identity set app_metadata = '{text}' where id = '{identity}'");
        shop.database.sql(&metadata("{}")).await;
        let claiming = shop.database.hold(&metadata(&json!({"customer_id": contest.mallory.1}).to_string())).await;
        let claimed = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            claiming.commit().await;
        };
        let prove = || verify_otp::run(&shop.app, guess(&token, &code, Some(&contest.ann.0)));
        let (proven, ()) = tokio::join!(prove(), claimed);
        if shop.app.db.kind() == DatabaseKind::Postgres {
            assert_eq!(proven.err().map(|error| error.kind), Some(ErrorKind::Conflict));
            assert_eq!(contest.mallory_row().await["phone"], PHONE);
            prove().await.unwrap();
        } else {
            proven.unwrap();
        }
        let owner = shop.value(&format!("select auth_identity_id from provider_identity where entity_id = '{PHONE}'")).await;
        assert_eq!(owner, contest.ann.0.auth_identity_id.as_str());
    }

    /// Who is erased at the same moment is waited for, and holds nothing that the erasure waits for.
    async fn a_holder_who_is_erased_meanwhile_is_waited_for(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        let (shop, id) = (&contest.shop, &contest.mallory.1);
        let (token, code) = shop.code(&contest.ann.0, &contest.ann.1, ContactType::Phone).await;
        let id = CustomerId::from_stored(id.clone());
        let mut erasing = shop.app.begin().await.unwrap();
        customer::lock(&mut erasing.tx, &id).await.unwrap();
        let (app, input) = (shop.app.clone(), guess(&token, &code, Some(&contest.ann.0)));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { verify_otp::run(&app, input).await });
        if shop.app.db.kind() == DatabaseKind::Postgres {
            let waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            while shop.database.rows(waiting).await.is_empty() {
                assert!(tasks.try_join_next().is_none(), "it did not wait");
                tokio::task::yield_now().await;
            }
        }
        erasure::run(&mut erasing, &id).await.unwrap();
        erasing.commit().await.unwrap();
        tasks.join_all().await.remove(0).unwrap();
        let owner = shop.value(&format!("select auth_identity_id from provider_identity where entity_id = '{PHONE}'")).await;
        assert_eq!(owner, contest.ann.0.auth_identity_id.as_str());
    }

    async fn a_number_that_only_stands_in_a_column_is_left_there(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        let (_, bob) = contest.shop.account("bob@shop.test", Some(PHONE)).await;
        contest.prove().await.unwrap();
        let sql = format!("select phone, deleted_at from customer where id = '{bob}'");
        assert_eq!(contest.shop.database.rows(&sql).await, [json!({"phone": PHONE, "deleted_at": null})]);
    }

    async fn a_proven_holder_keeps_the_number(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        contest.shop.verify(&contest.mallory.0, &contest.mallory.1, ContactType::Phone).await.unwrap();
        contest.assert_kept().await;
    }

    async fn a_holder_from_before_verification_counts_as_proven(database: TestDatabase) {
        let contest = contest(database, |options| options.verification_since = Some("2027-01-01T00:00:00Z".parse().unwrap())).await;
        contest.assert_kept().await;
    }

    async fn an_identity_that_an_administrator_shares_counts_as_proven(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        let (claims, id) = &contest.mallory;
        let metadata = json!({"customer_id": id, "user_id": "user_1"});
        contest.shop.database.sql(&format!("update auth_identity set app_metadata = '{metadata}' where id = '{}'", claims.auth_identity_id)).await;
        contest.assert_kept().await;
    }

    /// What a change of e-mail will do: the holder's login and column go, the prover's login moves.
    async fn an_unproven_email_is_lost_as_a_number_is(database: TestDatabase) {
        let shop = open(database).await;
        let (_, mallory) = shop.account("wanted@shop.test", None).await;
        let (_, ann) = shop.account("ann@shop.test", None).await;
        let ann = CustomerId::from_stored(ann);
        let mut cx = shop.app.begin().await.unwrap();
        proof::lock(&mut cx, &[(ContactType::Email, "wanted@shop.test")]).await.unwrap();
        let mut row = customer::find(&mut cx.tx, &ann).await.unwrap().unwrap();
        proof::prove(&mut cx, &mut row, ContactType::Email, "wanted@shop.test").await.unwrap();
        cx.commit().await.unwrap();
        let lost = format!("select email from customer where id = '{mallory}' and deleted_at is not null");
        assert_eq!(shop.value(&lost).await, json!(null));
        assert_eq!(shop.value("select entity_id from provider_identity").await, "wanted@shop.test");
        assert_eq!(shop.value("select email from customer where deleted_at is null and email_verified").await, "wanted@shop.test");
    }

    async fn an_anonymous_code_proves_while_nothing_is_proven(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.account("ann@shop.test", Some(PHONE)).await;
        let (token, code) = shop.code_as(None, &id, ContactType::Phone).await;
        let output = verify_otp::run(&shop.app, guess(&token, &code, None)).await.unwrap();
        assert_eq!(json!(output.customer), json!({"id": id, "email_verified": false, "phone_verified": true}));
        assert_eq!(output.login, None);
    }

    /// Somebody with the number alone must not get a second way into an account that has an owner.
    async fn an_anonymous_code_of_a_second_contact_is_refused_and_not_used_up(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account("ann@shop.test", Some(PHONE)).await;
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        let (token, code) = shop.code_as(None, &id, ContactType::Phone).await;
        let before = shop.dump().await;
        let refused = verify_otp::run(&shop.app, guess(&token, &code, None)).await;
        assert_refused(refused, ErrorKind::NotAllowed, "Log in to verify this contact");
        assert_eq!(shop.dump().await, before);
        let own = verify_otp::run(&shop.app, guess(&token, &code, Some(&claims))).await.unwrap();
        assert_eq!(own.customer["phone_verified"], true);
    }

    async fn an_anonymous_code_of_the_login_contact_proves(database: TestDatabase) {
        let contest = contest(database, |_| {}).await;
        let (claims, id) = &contest.mallory;
        contest.shop.verify(claims, id, ContactType::Email).await.unwrap();
        let (token, code) = contest.shop.code_as(None, id, ContactType::Phone).await;
        let output = verify_otp::run(&contest.shop.app, guess(&token, &code, None)).await.unwrap();
        assert_eq!(output.customer["phone_verified"], true);
    }

    /// Mallory opened an account with Ann's e-mail and proved her own number. Ann's reset must leave her no way in.
    async fn a_reset_that_proves_clears_the_other_channel_and_ends_sessions(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account("ann@shop.test", Some(PHONE)).await;
        shop.verify(&claims, &id, ContactType::Phone).await.unwrap();
        let session = login::run(&shop.app, credentials(ContactType::Phone, PHONE)).await.unwrap();
        reset(&shop).await;
        let row = json!({"email": "ann@shop.test", "phone": null, "email_verified": true, "phone_verified": false});
        assert_eq!(contacts(&shop, &id).await, row);
        assert_eq!(shop.value("select channel from cr_proof").await, "email");
        assert_eq!(shop.value("select provider from provider_identity").await, "emailpass");
        assert_ended(&shop, &session.token).await;
        let by_phone = login::run(&shop.app, credentials(ContactType::Phone, PHONE)).await;
        assert_refused(by_phone, ErrorKind::Unauthorized, "Invalid phone or password");
    }

    async fn a_reset_of_a_proven_contact_ends_sessions_and_clears_nothing(database: TestDatabase) {
        let shop = open(database).await;
        let (claims, id) = shop.account("ann@shop.test", Some(PHONE)).await;
        shop.verify(&claims, &id, ContactType::Email).await.unwrap();
        shop.verify(&claims, &id, ContactType::Phone).await.unwrap();
        let session = login::run(&shop.app, credentials(ContactType::Phone, PHONE)).await.unwrap();
        reset(&shop).await;
        let row = json!({"email": "ann@shop.test", "phone": PHONE, "email_verified": true, "phone_verified": true});
        assert_eq!(contacts(&shop, &id).await, row);
        assert_eq!((shop.count("cr_proof").await, shop.count("provider_identity").await), (2, 2));
        assert_ended(&shop, &session.token).await;
    }

    async fn a_reset_of_an_account_from_before_verification_clears_nothing(database: TestDatabase) {
        let since = Some("2027-01-01T00:00:00Z".parse().unwrap());
        let shop = open_with(database, |options| options.verification_since = since).await;
        let (_, id) = shop.account("ann@shop.test", Some(PHONE)).await;
        reset(&shop).await;
        let row = json!({"email": "ann@shop.test", "phone": PHONE, "email_verified": true, "phone_verified": false});
        assert_eq!(contacts(&shop, &id).await, row);
    }
}

/// Ann's reset by e-mail, from the link to the new password.
async fn reset(shop: &Shop) {
    let token = shop.reset_token(ContactType::Email, "ann@shop.test").await;
    let input = complete_password_reset::Input {
        actor_type: "customer".to_owned(),
        contact: ContactType::Email,
        identifier: "ann@shop.test".to_owned(),
        token,
        password: SecretString::from("C0rrect-horse-battery".to_owned()),
    };
    complete_password_reset::run(&shop.app, input).await.unwrap();
}

/// Both contacts and both flags of a customer.
async fn contacts(shop: &Shop, id: &str) -> serde_json::Value {
    let sql = format!("select email, phone, email_verified, phone_verified from customer where id = '{id}'");
    shop.database.rows(&sql).await.remove(0)
}

/// Asserts that a token of before counts no more.
async fn assert_ended(shop: &Shop, token: &str) {
    let mut tx = shop.app.db.read().await.unwrap();
    let result = session::live_customer(&mut tx, &shop.read(token), false).await;
    assert_refused(result, ErrorKind::Unauthenticated, "Unauthorized");
}
