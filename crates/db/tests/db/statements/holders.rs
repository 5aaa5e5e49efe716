//! Whom a contact means.

use cr_db::models::contact_holder::{self, ContactHolders, ContactLogin};
use cr_db::models::customer;

use super::accounts::CUSTOMERS;
use super::{begin, customer_id, open};

cr_testkit::both! {
    async fn accounts_are_listed_by_contact_without_guests_and_deleted_ones(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let mut tx = begin(&database).await;
        let by_email = customer::list_accounts_by_email(&mut tx, "ann@shop.test").await.unwrap();
        assert_eq!(by_email.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["cus_1"]);
        let holders = contact_holder::find_by_email(&mut tx, "ann@shop.test").await.unwrap();
        assert_eq!(holders, ContactHolders { accounts: by_email, logins: Vec::new() });
        for (raw, e164, count) in [("x", "+15551234567", 1), ("+15551234567", "y", 1), ("x", "y", 0)] {
            let holders = contact_holder::find_by_phone(&mut tx, raw, e164).await.unwrap();
            assert_eq!(holders.accounts.len(), count, "{raw} {e164}");
        }
    }

    async fn logins_are_found_by_contact_with_and_without_accounts(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        test.sql("insert into auth_identity (id, app_metadata, deleted_at) values \
                  ('authid_1', '{\"customer_id\": \"cus_1\"}', null), ('authid_2', '{\"user_id\": \"user_1\"}', null), \
                  ('authid_3', null, null), ('authid_4', '{\"customer_id\": \"cus_4\"}', '2026-01-01T00:00:00.000Z'); \
                  insert into provider_identity (id, entity_id, provider, auth_identity_id, deleted_at) values \
                  ('1', 'Ann@shop.test', 'emailpass', 'authid_1', null), ('2', 'ANN@shop.test', 'emailpass', 'authid_2', null), \
                  ('3', 'ann@Shop.test', 'emailpass', 'authid_3', null), ('4', 'ann@shop.test', 'emailpass', 'authid_4', null), \
                  ('5', 'ann@shop.tesT', 'emailpass', 'authid_1', '2026-01-01T00:00:00.000Z'), \
                  ('6', '+15550001111', 'phonepass', 'authid_1', null), ('7', '+15550002222', 'emailpass', 'authid_1', null)").await;
        let mut tx = begin(&database).await;
        let login = |entity_id: &str, customer: Option<&str>| ContactLogin {
            entity_id: entity_id.to_owned(),
            customer_id: customer.map(customer_id),
        };
        let holders = contact_holder::find_by_email(&mut tx, "ann@shop.test").await.unwrap();
        assert_eq!(holders.accounts.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["cus_1"]);
        let mut logins = holders.logins;
        logins.sort_by(|one, other| one.entity_id.cmp(&other.entity_id));
        let expected = [login("ANN@shop.test", None), login("Ann@shop.test", Some("cus_1")), login("ann@Shop.test", None)];
        assert_eq!(logins, expected);
        for (raw, e164) in [("+15550001111", "x"), ("x", "+15550001111")] {
            let holders = contact_holder::find_by_phone(&mut tx, raw, e164).await.unwrap();
            assert_eq!(holders, ContactHolders { accounts: Vec::new(), logins: vec![login("+15550001111", Some("cus_1"))] });
        }
        for nobody in ["+15550002222", "nobody"] {
            assert_eq!(contact_holder::find_by_phone(&mut tx, nobody, nobody).await.unwrap(), ContactHolders::default());
            assert_eq!(contact_holder::find_by_email(&mut tx, "nobody@shop.test").await.unwrap(), ContactHolders::default());
        }
    }
}
