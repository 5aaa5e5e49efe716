//! `referral_link` and `cr_referral_code`: who brought whom, and by which word.

use cr_db::DbError;
use cr_db::models::{cr_referral_code, referral_link};
use serde_json::json;

use super::{after, begin, customer_id, now, open};

/// A referrer, four friends: one alive, one soft-deleted, one about to go, one guest who came back.
const CUSTOMERS: &str = "
insert into customer (id, email, first_name, has_account, created_at, updated_at, deleted_at) values
  ('cus_a', 'a@shop.test', null, true, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', null),
  ('cus_b', 'b@shop.test', 'Bob', true, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', null),
  ('cus_c', 'c@shop.test', null, true, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('cus_d', 'd@shop.test', null, true, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', null),
  ('cus_e', 'e@shop.test', null, true, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', null);
insert into account_deletion_request (id, customer_id, status, created_at, updated_at) values
  ('adr_1', 'cus_d', 'confirmed', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
  ('adr_2', 'cus_e', 'cancelled', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
";

cr_testkit::both! {
    async fn a_link_is_one_a_customer_and_is_found_changed_hidden_and_shown(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let (a, b, c) = (customer_id("cus_a"), customer_id("cus_b"), customer_id("cus_c"));
        let parents = json!({"1": "cus_a"});
        let link = referral_link::insert(&mut tx, "refl_1", &b, &a, &parents, now()).await.unwrap().unwrap();
        assert_eq!((link.customer_id.as_str(), link.created_at, link.updated_at, link.deleted_at), ("cus_b", now(), now(), None));
        assert_eq!(referral_link::insert(&mut tx, "refl_2", &b, &c, &parents, now()).await.unwrap(), None);
        assert_eq!(referral_link::find(&mut tx, "refl_1").await.unwrap(), Some(link.clone()));
        assert_eq!(referral_link::find_of_customer(&mut tx, &b).await.unwrap(), Some(link));
        assert_eq!(referral_link::find_of_customer(&mut tx, &a).await.unwrap(), None);
        let moved = referral_link::update(&mut tx, "refl_1", &c, &json!({"1": "cus_c"}), after(1)).await.unwrap().unwrap();
        assert_eq!((moved.referrer_id.as_str(), moved.updated_at, &moved.parent_customers_by_level), ("cus_c", after(1), &json!({"1": "cus_c"})));
        assert!(referral_link::update(&mut tx, "refl_0", &c, &parents, now()).await.unwrap().is_none());
        for (customer, referrer, count) in [
            (None, None, 1), (Some("cus_b"), None, 1), (None, Some("cus_c"), 1), (Some("cus_b"), Some("cus_a"), 0), (Some("cus_a"), None, 0),
        ] {
            assert_eq!(referral_link::count(&mut tx, customer, referrer).await.unwrap(), count);
            let listed = referral_link::list(&mut tx, customer, referrer, 9, 0).await.unwrap();
            assert_eq!(i64::try_from(listed.len()).unwrap(), count, "{customer:?} {referrer:?}");
        }
        assert_eq!(referral_link::list(&mut tx, None, None, 9, 1).await.unwrap(), []);
        assert!(referral_link::soft_delete(&mut tx, "refl_1", after(2)).await.unwrap());
        assert!(!referral_link::soft_delete(&mut tx, "refl_1", after(2)).await.unwrap());
        assert_eq!(referral_link::find(&mut tx, "refl_1").await.unwrap(), None);
        assert_eq!(referral_link::find_of_customer(&mut tx, &b).await.unwrap(), None);
        assert!(referral_link::restore(&mut tx, "refl_1", after(3)).await.unwrap());
        assert!(!referral_link::restore(&mut tx, "refl_1", after(3)).await.unwrap());
        referral_link::soft_delete(&mut tx, "refl_1", after(4)).await.unwrap();
        referral_link::insert(&mut tx, "refl_3", &b, &a, &parents, after(5)).await.unwrap().unwrap();
        assert!(referral_link::delete(&mut tx, "refl_3").await.unwrap());
        assert!(!referral_link::delete(&mut tx, "refl_3").await.unwrap());
        referral_link::insert(&mut tx, "refl_4", &b, &a, &parents, after(6)).await.unwrap().unwrap();
        let clash = referral_link::restore(&mut tx, "refl_1", after(7)).await;
        assert!(matches!(clash, Err(DbError::NotUnique { constraint }) if constraint == "IDX_referral_link_customer_id_unique"));
    }

    async fn children_are_those_who_are_there_and_stay(test: TestDatabase) {
        let database = open(&test, CUSTOMERS).await;
        let mut tx = begin(&database).await;
        let a = customer_id("cus_a");
        for (number, name) in (1..).zip(["b", "c", "d", "e"]) {
            let id = format!("refl_{number}");
            let customer = customer_id(&format!("cus_{name}"));
            referral_link::insert(&mut tx, &id, &customer, &a, &json!({"1": "cus_a"}), after(number)).await.unwrap();
        }
        let children = referral_link::list_children(&mut tx, &a, i64::MAX, 0).await.unwrap();
        let told: Vec<_> = children.iter().map(|child| (child.referral_link_id.as_str(), child.customer_id.as_str())).collect();
        assert_eq!(told, [("refl_4", "cus_e"), ("refl_1", "cus_b")]);
        let bob = &children[1];
        assert_eq!((bob.first_name.as_deref(), bob.email.as_deref(), bob.phone.as_deref()), (Some("Bob"), Some("b@shop.test"), None));
        assert_eq!((bob.referred_at, bob.created_at.to_string()), (after(1), "2026-01-01T00:00:00.000Z".to_owned()));
        assert_eq!(referral_link::count_children(&mut tx, &a).await.unwrap(), 2);
        assert_eq!(referral_link::list_children(&mut tx, &a, 1, 1).await.unwrap(), std::slice::from_ref(bob));
    }

    async fn a_code_is_one_a_customer_and_nobody_elses(test: TestDatabase) {
        let database = open(&test, "").await;
        let mut tx = begin(&database).await;
        let (a, b) = (customer_id("cus_a"), customer_id("cus_b"));
        assert!(cr_referral_code::insert(&mut tx, &a, "AAAA2222", now()).await.unwrap());
        assert!(!cr_referral_code::insert(&mut tx, &a, "BBBB2222", now()).await.unwrap());
        assert!(!cr_referral_code::insert(&mut tx, &b, "AAAA2222", now()).await.unwrap());
        assert_eq!(cr_referral_code::find(&mut tx, &a).await.unwrap().as_deref(), Some("AAAA2222"));
        assert_eq!(cr_referral_code::find(&mut tx, &b).await.unwrap(), None);
        assert_eq!(cr_referral_code::find_customer(&mut tx, "AAAA2222").await.unwrap(), Some(a.clone()));
        assert_eq!(cr_referral_code::find_customer(&mut tx, "aaaa2222").await.unwrap(), None);
    }
}
