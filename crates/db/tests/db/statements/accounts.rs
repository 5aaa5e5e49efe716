//! `customer`, its addresses, its proofs and its request to be forgotten.

use cr_db::models::account_deletion_request;
use cr_db::models::api_key;
use cr_db::models::contact_claim::{self, Claimed, ContactClaims};
use cr_db::models::cr_proof::{self, Proof};
use cr_db::models::customer::{self, NewCustomer};
use cr_db::models::customer_address;
use cr_db::models::customer_session::{self, Session};
use cr_db::{Database, DatabaseKind, DbError};
use cr_testkit::TestDatabase;
use serde_json::json;
use tokio::task::JoinSet;

use super::{after, begin, customer_id, identity_id, now, open};

/// An account with both contacts of which the e-mail is proven, a guest, and an account that was deleted.
pub(super) const CUSTOMERS: &str = r#"
insert into customer (id, email, phone, has_account, email_verified, phone_verified, metadata, created_at, updated_at)
values ('cus_1', 'Ann@shop.test', '+15551234567', true, true, true, '{"a": 1}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
insert into customer (id, email, phone, has_account) values ('cus_guest', 'ann@shop.test', '+15551234567', false);
insert into customer (id, email, phone, has_account, deleted_at)
values ('cus_gone', 'ann@shop.test', '+15551234567', true, '2026-01-01T00:00:00.000Z');
insert into cr_proof (customer_id, channel, value, proven_at) values ('cus_1', 'email', 'Ann@shop.test', '2026-01-01T00:00:00.000Z');
"#;

/// Somebody else who wants a contact, or a customer, and lets it go at once.
fn others(database: &Database, id: Option<&'static str>) -> JoinSet<()> {
    let database = database.clone();
    let mut others = JoinSet::new();
    others.spawn(async move {
        let mut tx = begin(&database).await;
        match id {
            Some(id) => customer::lock(&mut tx, &customer_id(id)).await.unwrap(),
            None => tx.lock(&[7]).await.unwrap(),
        }
        tx.commit().await.unwrap();
    });
    others
}

/// Waits until PostgreSQL lets so many wait for a lock.
async fn until_waiting(test: &TestDatabase, count: usize) {
    let waiting = "select pid from pg_locks where not granted and pid in \
                   (select pid from pg_stat_activity where datname = current_database())";
    while test.rows(waiting).await.len() < count {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

cr_testkit::both! {
    async fn find_reads_the_flags_with_their_proofs(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let mut tx = begin(&database).await;
        let found = customer::find(&mut tx, &customer_id("cus_1")).await.unwrap().unwrap();
        assert_eq!(found.metadata, Some(json!({"a": 1})));
        assert_eq!(found.created_at, "2026-01-01T00:00:00Z".parse().unwrap());
        assert!(found.has_account && found.email_flag && found.phone_flag && found.is_email_verified());
        assert!(!found.is_phone_verified() && found.has_stale_flag(), "a flag without its proof counts nothing");
        assert_eq!(customer::find(&mut tx, &customer_id("cus_gone")).await.unwrap(), None);
        assert!(!customer::find(&mut tx, &customer_id("cus_guest")).await.unwrap().unwrap().has_account);
    }

    async fn a_session_is_customer_identity_and_deletion_in_one_row(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        test.sql(r#"insert into auth_identity (id, app_metadata) values ('authid_1', '{"customer_id": "cus_1", "cr_not_before": 7}');
                    insert into auth_identity (id) values ('authid_2')"#).await;
        let mut tx = begin(&database).await;
        let id = customer_id("cus_1");
        let with = customer_session::find(&mut tx, &id, &identity_id("authid_1"), false).await.unwrap().unwrap();
        assert_eq!(with.app_metadata, Some(Some(json!({"customer_id": "cus_1", "cr_not_before": 7}))));
        assert_eq!((with.is_deletion_active, with.deletion_scheduled_at), (false, None));
        let null = customer_session::find(&mut tx, &id, &identity_id("authid_2"), false).await.unwrap().unwrap();
        assert_eq!(null.app_metadata, Some(None));
        let gone = customer_session::find(&mut tx, &id, &identity_id("authid_3"), false).await.unwrap().unwrap();
        assert_eq!(gone.app_metadata, None);
        drop(tx);
        test.sql("insert into account_deletion_request (id, customer_id, status, deletion_scheduled_at)
                  values ('adr_1', 'cus_1', 'confirmed', '2026-02-01T00:00:00.000Z')").await;
        let mut tx = begin(&database).await;
        let leaving = customer_session::find(&mut tx, &id, &identity_id("authid_1"), false).await.unwrap().unwrap();
        assert!(leaving.is_deletion_active);
        assert_eq!(leaving.deletion_scheduled_at, Some("2026-02-01T00:00:00Z".parse().unwrap()));
        drop(tx);
        test.sql("update account_deletion_request set status = 'pending', deletion_scheduled_at = null").await;
        let mut tx = begin(&database).await;
        let wishing = customer_session::find(&mut tx, &id, &identity_id("authid_1"), false).await.unwrap().unwrap();
        assert_eq!((wishing.is_deletion_active, wishing.deletion_scheduled_at), (true, None));
        let gone = customer_id("cus_gone");
        for with_addresses in [false, true] {
            let found = customer_session::find(&mut tx, &gone, &identity_id("authid_1"), with_addresses).await;
            assert_eq!(found.unwrap(), None);
        }
    }

    /// A key that is another kind's, revoked or deleted is none; one that will be revoked later is one until then.
    async fn a_session_comes_with_its_key(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        test.sql("insert into auth_identity (id, app_metadata) values ('authid_1', '{\"customer_id\": \"cus_1\"}');
                  insert into api_key (id, token, salt, redacted, title, type, created_by, revoked_at, deleted_at) values
                  ('apk_1', 'pk_good', '', '', '', 'publishable', '', null, null),
                  ('apk_2', 'pk_later', '', '', '', 'publishable', '', '2026-01-03T00:00:00.000Z', null),
                  ('apk_3', 'pk_over', '', '', '', 'publishable', '', '2026-01-02T00:00:00.000Z', null),
                  ('apk_4', 'pk_gone', '', '', '', 'publishable', '', null, '2026-01-01T00:00:00.000Z'),
                  ('apk_5', 'sk_good', '', '', '', 'secret', '', null, null)").await;
        let mut tx = begin(&database).await;
        let (id, identity) = (customer_id("cus_1"), identity_id("authid_1"));
        let alone = customer_session::find(&mut tx, &id, &identity, false).await.unwrap().unwrap();
        for (key, is_good) in
            [("pk_good", true), ("pk_later", true), ("pk_over", false), ("pk_gone", false), ("sk_good", false), ("", false)]
        {
            for with_addresses in [false, true] {
                let found = customer_session::find_with_key(&mut tx, &id, &identity, with_addresses, key, now());
                assert_eq!(found.await.unwrap(), Some((alone.clone(), is_good)), "{key}");
            }
            let by_itself = api_key::find_publishable(&mut tx, key, now()).await.unwrap();
            assert_eq!(by_itself.is_some(), is_good, "{key}");
        }
        let gone = customer_id("cus_gone");
        for with_addresses in [false, true] {
            let nobody = customer_session::find_with_key(&mut tx, &gone, &identity, with_addresses, "pk_good", now());
            assert_eq!(nobody.await.unwrap(), None);
        }
    }

    async fn a_new_account_is_unverified_and_its_email_is_unique(test: TestDatabase) {
        let database = open(&test, "").await;
        let id = customer_id("cus_new");
        let metadata = json!({"k": [1, null]});
        let new = NewCustomer {
            id: &id,
            company_name: Some("Shöp"),
            first_name: None,
            last_name: Some("O'Neil"),
            email: Some("new@shop.test"),
            phone: None,
            metadata: Some(&metadata),
        };
        let mut tx = begin(&database).await;
        let made = customer::insert_account(&mut tx, &new, now()).await.unwrap();
        assert_eq!(customer::find(&mut tx, &made.id).await.unwrap(), Some(made));
        tx.commit().await.unwrap();
        let columns = "id, company_name, first_name, last_name, email, phone, has_account, metadata, email_verified, \
                       phone_verified, created_at, updated_at, deleted_at, created_by";
        assert_eq!(test.rows(&format!("select {columns} from customer")).await, [json!({
            "id": "cus_new", "company_name": "Shöp", "first_name": null, "last_name": "O'Neil", "email": "new@shop.test",
            "phone": null, "has_account": true, "metadata": {"k": [1, null]}, "email_verified": false,
            "phone_verified": false, "created_at": now(), "updated_at": now(), "deleted_at": null, "created_by": null,
        })]);
        let mut tx = begin(&database).await;
        let again = customer::insert_account(&mut tx, &NewCustomer { id: &customer_id("cus_2"), ..new }, now()).await;
        assert!(matches!(again, Err(DbError::NotUnique { constraint }) if constraint == "IDX_customer_email_has_account_unique"));
    }

    async fn updates_write_what_they_name_and_nothing_on_deleted_rows(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let mut tx = begin(&database).await;
        let mut row = customer::find(&mut tx, &customer_id("cus_1")).await.unwrap().unwrap();
        row.first_name = Some("Ann".to_owned());
        row.metadata = None;
        row.email = Some("not written here".to_owned());
        customer::update_profile(&mut tx, &row, after(1)).await.unwrap();
        customer::update_flags(&mut tx, &row.id, false, true, after(2)).await.unwrap();
        customer::update_flags(&mut tx, &customer_id("cus_gone"), true, true, after(2)).await.unwrap();
        tx.commit().await.unwrap();
        let columns = "id, email, phone, first_name, metadata, email_verified, phone_verified, updated_at";
        let select = format!("select {columns} from customer where id = 'cus_1'");
        assert_eq!(test.rows(&select).await, [json!({
            "id": "cus_1", "email": "Ann@shop.test", "phone": "+15551234567", "first_name": "Ann", "metadata": null,
            "email_verified": false, "phone_verified": true, "updated_at": after(2),
        })]);
        let gone = "select email_verified from customer where id = 'cus_gone'";
        assert_eq!(test.rows(gone).await, [json!({"email_verified": false})]);

        let mut tx = begin(&database).await;
        row.email = Some("other@shop.test".to_owned());
        (row.phone, row.email_flag, row.phone_flag) = (None, true, false);
        customer::update_contacts(&mut tx, &row, after(3)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(test.rows(&select).await, [json!({
            "id": "cus_1", "email": "other@shop.test", "phone": null, "first_name": "Ann", "metadata": null,
            "email_verified": true, "phone_verified": false, "updated_at": after(3),
        })]);
    }

    async fn a_lock_changes_nothing_and_keeps_others_out(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let before = test.dump(&[]).await;
        let mut tx = begin(&database).await;
        for id in ["cus_1", "cus_gone", "cus_nobody"] {
            customer::lock(&mut tx, &customer_id(id)).await.unwrap();
        }
        let mut others = JoinSet::new();
        others.spawn(async move {
            let mut tx = begin(&database).await;
            customer::update_flags(&mut tx, &customer_id("cus_1"), true, true, now()).await.unwrap();
            tx.commit().await.unwrap();
        });
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert!(others.try_join_next().is_none(), "the row was changed under the lock");
        assert_eq!(test.dump(&[]).await, before);
        tx.commit().await.unwrap();
        others.join_all().await;
        assert_ne!(test.dump(&[]).await, before);
    }

    /// Who was there when it began is held, and so is the contact; SQLite, which has one writer, holds nothing.
    async fn a_contact_and_its_customer_are_held_together(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let before = test.dump(&[]).await;
        let is_only_writer = matches!(test.kind(), DatabaseKind::Sqlite);
        for (id, is_there) in [("cus_gone", false), ("cus_nobody", false), ("cus_1", true)] {
            let mut tx = begin(&database).await;
            let held = customer::lock_with_contact(&mut tx, &customer_id(id), 7).await.unwrap();
            assert_eq!(held, is_there || is_only_writer, "{id}");
            if !is_only_writer && is_there {
                let others = [others(&database, None), others(&database, Some("cus_1"))];
                until_waiting(&test, 2).await;
                tx.commit().await.unwrap();
                for other in others {
                    other.join_all().await;
                }
            }
        }
        assert_eq!(test.dump(&[]).await, before);
    }

    /// What happens to the row while the contact is waited for is seen: it is held as it is then, or not at all.
    async fn who_changes_while_the_contact_is_waited_for_is_held_as_they_are_then(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        if matches!(test.kind(), DatabaseKind::Sqlite) {
            // There nobody writes meanwhile.
            let mut tx = begin(&database).await;
            assert!(customer::lock_with_contact(&mut tx, &customer_id("cus_1"), 7).await.unwrap() && tx.is_only_writer());
            return;
        }
        for (change, is_held) in [
            ("update customer set first_name = 'Zoe' where id = 'cus_1'", true),
            ("update customer set deleted_at = '2026-01-02T00:00:00.000Z' where id = 'cus_1'", false),
        ] {
            let mut first = begin(&database).await;
            first.lock(&[7]).await.unwrap();
            let mut second = JoinSet::new();
            let of_second = database.clone();
            second.spawn(async move {
                let mut tx = begin(&of_second).await;
                let held = customer::lock_with_contact(&mut tx, &customer_id("cus_1"), 7).await.unwrap();
                let found = customer::find(&mut tx, &customer_id("cus_1")).await.unwrap();
                tx.commit().await.unwrap();
                (held, found.and_then(|found| found.first_name))
            });
            until_waiting(&test, 1).await;
            test.sql(change).await;
            first.commit().await.unwrap();
            let seen = second.join_next().await.unwrap().unwrap();
            assert_eq!(seen, (is_held, is_held.then(|| "Zoe".to_owned())), "{change}");
        }
    }

    async fn a_soft_deleted_customer_keeps_the_first_moment(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let mut tx = begin(&database).await;
        customer::soft_delete(&mut tx, &customer_id("cus_1"), now()).await.unwrap();
        customer::soft_delete(&mut tx, &customer_id("cus_1"), after(9)).await.unwrap();
        tx.commit().await.unwrap();
        let select = "select deleted_at, updated_at from customer where id = 'cus_1'";
        assert_eq!(test.rows(select).await, [json!({"deleted_at": now(), "updated_at": now()})]);
    }

    async fn addresses_are_the_live_ones_in_order(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        test.sql(r#"insert into customer_address (id, customer_id, city, is_default_billing, metadata, created_at, updated_at)
                    values ('cuaddr_2', 'cus_1', 'Ulm', true, '{"x": {"y": [1.5, null, "\"é"]}}',
                            '2026-01-02T00:00:00.000Z', '2026-01-02T00:00:00.000Z');
                    insert into customer_address (id, customer_id, company, city, phone, metadata)
                    values ('cuaddr_1', 'cus_1', 'Shöp "&"\ ''', '', '[]', 'null');
                    insert into customer_address (id, customer_id, deleted_at) values ('cuaddr_0', 'cus_1', '2026-01-02T00:00:00.000Z');
                    insert into customer (id, has_account) values ('cus_2', true);
                    insert into customer_address (id, customer_id) values ('cuaddr_3', 'cus_guest'), ('cuaddr_4', 'cus_gone')"#).await;
        let mut tx = begin(&database).await;
        let found = customer_address::list(&mut tx, &customer_id("cus_1")).await.unwrap();
        let [first, second] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((first.id.as_str(), first.lines[0].as_deref()), ("cuaddr_1", Some(r#"Shöp "&"\ '"#)));
        assert_eq!((first.lines[5].as_deref(), first.lines[9].as_deref(), &first.lines[1]), (Some(""), Some("[]"), &None));
        assert_eq!((&first.metadata, &first.customer_id), (&None, &customer_id("cus_1")));
        assert_eq!((second.id.as_str(), second.lines[5].as_deref()), ("cuaddr_2", Some("Ulm")));
        assert_eq!((second.is_default_billing, second.is_default_shipping), (true, false));
        assert_eq!(second.metadata, Some(json!({"x": {"y": [1.5, null, "\"é"]}})));
        assert_eq!(second.created_at, "2026-01-02T00:00:00Z".parse().unwrap());
        // The same with the customer's own columns beside them, with and without a key; and nobody's for those who have none.
        for (id, addresses) in [("cus_1", found.as_slice()), ("cus_2", &[])] {
            let (id, identity) = (customer_id(id), identity_id("authid_1"));
            let without = customer_session::find(&mut tx, &id, &identity, false).await.unwrap().unwrap();
            assert_eq!(without.addresses, []);
            let expected = Session { addresses: addresses.to_vec(), ..without };
            let with = customer_session::find(&mut tx, &id, &identity, true).await.unwrap();
            assert_eq!(with.as_ref(), Some(&expected));
            let keyed = customer_session::find_with_key(&mut tx, &id, &identity, true, "pk_none", now()).await.unwrap();
            assert_eq!(keyed, Some((expected, false)));
        }
        // What Medusa left of somebody who is gone shows nobody.
        let gone = customer_session::find(&mut tx, &customer_id("cus_gone"), &identity_id("authid_1"), true).await;
        assert_eq!(gone.unwrap(), None);
    }

    async fn metadata_of_an_address_may_go_as_deep_as_a_customers(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let deep = format!("{}1{}", r#"{"a":"#.repeat(127), "}".repeat(127));
        test.sql(&format!("insert into customer_address (id, customer_id, metadata) values ('cuaddr_1', 'cus_1', '{deep}');
                           update customer set metadata = '{deep}' where id = 'cus_1'")).await;
        let mut tx = begin(&database).await;
        let session = customer_session::find(&mut tx, &customer_id("cus_1"), &identity_id("authid_1"), true).await;
        let session = session.unwrap().unwrap();
        assert!(session.customer.metadata.is_some());
        assert_eq!(session.addresses[0].metadata, session.customer.metadata);
    }

    /// PostgreSQL takes no such text, and a SQLite file may have been written by another program.
    async fn metadata_that_is_no_json_is_told(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let insert = "insert into customer_address (id, customer_id, metadata) values ('cuaddr_1', 'cus_1', '{broken')";
        let written = test.open().await.try_sql(insert).await;
        assert_eq!(written.is_ok(), database.kind() == DatabaseKind::Sqlite, "{written:?}");
        let mut tx = begin(&database).await;
        let found = customer_address::list(&mut tx, &customer_id("cus_1")).await;
        if written.is_ok() {
            assert!(matches!(found, Err(DbError::Inconsistent(_))), "{found:?}");
        } else {
            assert_eq!(found.unwrap(), []);
        }
    }

    /// Nobody has so many; who makes them all the same must not make the server hold more.
    async fn a_thousand_addresses_are_enough(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let values = (0..1_100).map(|number| format!("('cuaddr_{number:04}', 'cus_1')")).collect::<Vec<_>>().join(", ");
        test.sql(&format!("insert into customer_address (id, customer_id) values {values}")).await;
        let mut tx = begin(&database).await;
        let (id, identity) = (customer_id("cus_1"), identity_id("authid_1"));
        assert_eq!(customer_address::list(&mut tx, &id).await.unwrap().len(), 1_000);
        let session = customer_session::find(&mut tx, &id, &identity, true).await.unwrap().unwrap();
        assert_eq!((session.customer.id.as_str(), session.addresses.len()), ("cus_1", 1_000));
    }

    async fn a_channel_has_one_proof_and_a_value_may_have_several(test: TestDatabase) {
        let customers = "insert into customer (id, has_account) values ('cus_1', true), ('cus_2', true)";
        let database = open(&test, customers).await;
        let proof = |customer: &str, channel: &str, value: &str, seconds: i64| Proof {
            customer_id: customer_id(customer),
            channel: channel.to_owned(),
            value: value.to_owned(),
            proven_at: after(seconds),
        };
        let mut tx = begin(&database).await;
        for written in [
            proof("cus_2", "phone", "+1", 0),
            proof("cus_2", "phone", "+2", 1),
            proof("cus_1", "phone", "+2", 2),
            proof("cus_1", "email", "+2", 3),
        ] {
            let customer = customer::find(&mut tx, &written.customer_id).await.unwrap().unwrap();
            cr_proof::record(&mut tx, &customer, &written, now()).await.unwrap();
        }
        assert_eq!(cr_proof::list(&mut tx, "phone", "+1").await.unwrap(), []);
        let both = [proof("cus_1", "phone", "+2", 2), proof("cus_2", "phone", "+2", 1)];
        assert_eq!(cr_proof::list(&mut tx, "phone", "+2").await.unwrap(), both);
        cr_proof::delete(&mut tx, &customer_id("cus_1"), "phone").await.unwrap();
        assert_eq!(cr_proof::list(&mut tx, "phone", "+2").await.unwrap(), both[1..]);
        assert_eq!(cr_proof::list(&mut tx, "email", "+2").await.unwrap(), [proof("cus_1", "email", "+2", 3)]);
    }

    async fn a_proof_and_the_contacts_of_its_customer_are_written_together(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let mut tx = begin(&database).await;
        let mut row = customer::find(&mut tx, &customer_id("cus_1")).await.unwrap().unwrap();
        (row.email, row.phone, row.phone_flag) = (Some("ann@new.test".to_owned()), None, false);
        let proof = Proof {
            customer_id: row.id.clone(),
            channel: "email".to_owned(),
            value: "ann@new.test".to_owned(),
            proven_at: after(1),
        };
        cr_proof::record(&mut tx, &row, &proof, after(2)).await.unwrap();
        let found = customer::find(&mut tx, &row.id).await.unwrap().unwrap();
        assert!(found.is_email_verified() && !found.phone_flag, "{found:?}");
        assert_eq!((found.phone, found.updated_at), (None, after(2)));
        assert_eq!(cr_proof::list(&mut tx, "email", "ann@new.test").await.unwrap(), std::slice::from_ref(&proof));
        assert_eq!(cr_proof::list(&mut tx, "email", "Ann@shop.test").await.unwrap(), []);
        tx.commit().await.unwrap();

        test.sql("insert into customer (id, email, has_account) values ('cus_2', 'other@new.test', true)").await;
        let mut tx = begin(&database).await;
        row.email = Some("other@new.test".to_owned());
        let refused = Proof { value: "other@new.test".to_owned(), ..proof };
        let taken = cr_proof::record(&mut tx, &row, &refused, after(3)).await;
        assert!(matches!(taken, Err(DbError::NotUnique { constraint }) if constraint == "IDX_customer_email_has_account_unique"));
        if matches!(test.kind(), DatabaseKind::Sqlite) {
            // There the transaction goes on; PostgreSQL's is over.
            assert_eq!(cr_proof::list(&mut tx, "email", "other@new.test").await.unwrap(), []);
        }
    }

    /// What the look does not see is not read at all, and a contact goes to whoever asks.
    async fn a_look_at_a_contact_sees_whatever_is_not_the_customers_own(test: TestDatabase) {
        let own = r#"
            insert into customer (id, email, phone, has_account) values ('cus_1', 'Ann@shop.test', '+15551234567', true);
            insert into cr_proof (customer_id, channel, value, proven_at) values
                ('cus_1', 'email', 'Ann@shop.test', '2026-01-01T00:00:00.000Z'),
                ('cus_1', 'phone', '+15551234567', '2026-01-01T00:00:00.000Z');
            insert into auth_identity (id, app_metadata) values ('authid_1', '{"customer_id": "cus_1"}'),
                ('authid_2', '{"customer_id": "cus_2"}'), ('authid_3', null), ('authid_4', '{"user_id": "user_1"}'),
                ('authid_5', '{"customer_id": null}'), ('authid_6', '{"customer_id": ["cus_1"]}'), ('authid_7', '{"customer_id": "cus_1"}');
            update auth_identity set deleted_at = '2026-01-01T00:00:00.000Z' where id = 'authid_7';
            insert into provider_identity (id, entity_id, provider, auth_identity_id) values
                ('p1', 'Ann@shop.test', 'emailpass', 'authid_1'), ('p2', '+15551234567', 'phonepass', 'authid_1')"#;
        let database = open(&test, own).await;
        let ann = customer_id("cus_1");
        let (email, phone) = (("ann@shop.test", "Ann@shop.test"), ("+15551234567", "+1 (555) 123-4567"));
        let look = async |(canonical, value): (&str, &str)| {
            let mut tx = begin(&database).await;
            let claimed = Claimed { canonical, value, customer: &ann };
            if value.contains('@') {
                contact_claim::look_at_email(&mut tx, claimed).await.unwrap()
            } else {
                contact_claim::look_at_phone(&mut tx, claimed).await.unwrap()
            }
        };
        let own = |is_own_login| ContactClaims { has_others: false, is_own_login };
        assert_eq!((look(email).await, look(phone).await), (own(true), own(false)), "the login is for E.164");
        assert_eq!(look((phone.0, phone.0)).await, own(true));
        assert_eq!(look((email.0, email.0)).await, own(false), "the login is for another text");

        let proof = |channel: &str, value: &str| format!(
            "insert into cr_proof (customer_id, channel, value, proven_at) \
             values ('cus_2', '{channel}', '{value}', '2026-01-01T00:00:00.000Z')");
        let login = |provider: &str, text: &str, identity: &str| format!(
            "insert into provider_identity (id, entity_id, provider, auth_identity_id) values ('o1', '{text}', '{provider}', '{identity}')");
        let deleted = "update provider_identity set deleted_at = '2026-01-01T00:00:00.000Z' where id = 'o1'";
        for (name, claim, (by_email, by_phone)) in [
            ("a proof", proof("email", email.0), (true, false)),
            ("a proof as it is stored", proof("email", email.1), (true, false)),
            ("a phone's proof", proof("phone", phone.0), (false, true)),
            ("a phone's proof as it is stored", proof("phone", phone.1), (false, true)),
            ("somebody's login", login("emailpass", "ANN@shop.test", "authid_2"), (true, false)),
            ("somebody's phone", login("phonepass", phone.1, "authid_2"), (false, true)),
            ("nobody's login", login("emailpass", "ann@Shop.test", "authid_3"), (true, false)),
            ("nobody's any more", login("emailpass", "ann@Shop.test", "authid_5"), (true, false)),
            ("a list of owners", login("emailpass", "ann@Shop.test", "authid_6"), (true, false)),
            ("an administrator's login", login("emailpass", "ann@Shop.test", "authid_4"), (true, false)),
            ("a login that was soft-deleted", login("emailpass", "ann@Shop.test", "authid_2") + ";" + deleted, (true, false)),
            ("an account", "insert into customer (id, email, has_account) values ('cus_2', 'aNN@shop.test', true)".to_owned(), (true, false)),
            ("a guest", "insert into customer (id, email, has_account) values ('cus_2', 'ann@shop.test', false)".to_owned(), (false, false)),
        ] {
            test.sql(&claim).await;
            assert_eq!((look(email).await.has_others, look(phone).await.has_others), (by_email, by_phone), "{name}");
            test.sql("delete from cr_proof where customer_id = 'cus_2'; delete from provider_identity where id = 'o1'; \
                      delete from customer where id = 'cus_2'").await;
            assert_eq!(look(email).await, own(true), "after {name}");
        }
        test.sql("update provider_identity set auth_identity_id = 'authid_3'").await;
        let lost = ContactClaims { has_others: true, is_own_login: false };
        assert_eq!((look(email).await, look(phone).await), (lost, lost));
        test.sql("update provider_identity set auth_identity_id = 'authid_7'").await;
        assert_eq!((look(email).await, look((phone.0, phone.0)).await), (own(false), own(false)), "of an identity that is gone");
        test.sql("update provider_identity set auth_identity_id = 'authid_1', deleted_at = '2026-01-01T00:00:00.000Z'").await;
        assert_eq!((look(email).await, look((phone.0, phone.0)).await), (own(false), own(false)), "soft-deleted");
    }

    async fn an_active_request_is_pending_or_confirmed(test: TestDatabase) {
        let database = open(&test, "
            insert into account_deletion_request (id, customer_id, status) values ('adr_1', 'pending', 'pending');
            insert into account_deletion_request (id, customer_id, status, deletion_scheduled_at)
            values ('adr_2', 'confirmed', 'confirmed', '2026-02-01T00:00:00.000Z');
            insert into account_deletion_request (id, customer_id, status) values ('adr_3', 'cancelled', 'cancelled');
            insert into account_deletion_request (id, customer_id, status) values ('adr_4', 'completed', 'completed');
            insert into account_deletion_request (id, customer_id, status, deleted_at)
            values ('adr_5', 'deleted', 'pending', '2026-02-01T00:00:00.000Z')").await;
        let mut tx = begin(&database).await;
        for (customer, expected) in
            [("pending", Some("adr_1")), ("confirmed", Some("adr_2")), ("cancelled", None), ("completed", None), ("deleted", None)]
        {
            let found = account_deletion_request::find_active(&mut tx, &customer_id(customer)).await.unwrap();
            assert_eq!(found.as_ref().map(|it| it.id.as_str()), expected, "{customer}");
            let due = found.and_then(|it| it.deletion_scheduled_at);
            assert_eq!(due.is_some(), customer == "confirmed", "{customer}");
        }
    }
}
