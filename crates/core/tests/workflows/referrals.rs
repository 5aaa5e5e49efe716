//! Who brought whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cr_core::ctx::Ctx;
use cr_core::error::{Error, ErrorKind};
use cr_core::modules::customer::Customer;
use cr_core::modules::customer_registration::service::{HookFuture, RegistrationHook};
use cr_core::modules::referral_link::service::{Page, ReferralLinkModuleService, Selector};
use cr_core::options::{ContactType, Rate};
use cr_core::workflows::{create_customer, list_referrals};
use cr_types::ids::CustomerId;
use serde_json::{Map, json};

use crate::races::{at_once, winners};
use crate::shop::{Shop, assert_refused, customer, open, open_with};
use crate::steps::unwinds;

/// A registration of somebody whom a code brought.
async fn friend(shop: &Shop, email: &str, code: &str) -> create_customer::Input {
    let claims = shop.register(ContactType::Email, email).await;
    create_customer::Input { referral_code: Some(code.to_owned()), ..customer(&claims, Some(email), None) }
}

/// A customer whom a code brought.
async fn bring(shop: &Shop, email: &str, code: &str) -> CustomerId {
    let output = create_customer::run(&shop.app, friend(shop, email, code).await).await.unwrap();
    CustomerId::from_stored(output.customer["id"].as_str().unwrap())
}

/// A customer's own code.
async fn code_of(shop: &Shop, id: &CustomerId) -> String {
    list_referrals::run(&shop.app, id, None).await.unwrap().referral_code
}

cr_testkit::both! {
    async fn a_code_links_a_new_customer_to_the_whole_line(database: TestDatabase) {
        let shop = open_with(database, |options| options.referral_max_levels = 2).await;
        let (_, ann) = shop.account("ann@shop.test", None).await;
        let ann = CustomerId::from_stored(ann);
        let bob = bring(&shop, "bob@shop.test", &code_of(&shop, &ann).await).await;
        let eve = bring(&shop, "eve@shop.test", &code_of(&shop, &bob).await.to_lowercase()).await;
        let dan = bring(&shop, "dan@shop.test", eve.as_str()).await;
        let mut cx = shop.app.begin_read().await.unwrap();
        let page = Page { limit: 10, offset: 0 };
        for (id, line) in [
            (&bob, json!({"1": ann})),
            (&eve, json!({"1": bob, "2": ann})),
            (&dan, json!({"1": eve, "2": bob})),
        ] {
            let selector = Selector { customer_id: Some(id.clone()), referrer_id: None };
            let links = ReferralLinkModuleService::list(&mut cx, &selector, page).await.unwrap();
            assert_eq!((links.len(), &links[0].parent_customers_by_level), (1, &line));
        }
    }

    async fn a_referred_registration_makes_one_customer_and_one_link(database: TestDatabase) {
        let shop = open(database).await;
        let (_, ann) = shop.account("ann@shop.test", None).await;
        let claims = shop.register(ContactType::Email, "bob@shop.test").await;
        let metadata: Map<_, _> = json!({"referral_code": ann, "source": "app"}).as_object().unwrap().clone();
        let input = || create_customer::Input { metadata: Some(metadata.clone()), ..customer(&claims, Some("bob@shop.test"), None) };
        let steps = ["validate-customer-account-creation", "create-customers", "set-auth-app-metadata", "create-referral-link", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| async move { create_customer::run(&app, input()).await }).await;
        assert_eq!(first.customer["metadata"], json!({"source": "app"}));
        assert_refused(second, ErrorKind::Duplicate, "Customer with this email already has an account");
        assert_eq!(shop.count("referral_link").await, 1);

        let input = friend(&shop, "eve@shop.test", &ann).await;
        let claims = input.claims.clone();
        let results = at_once(&shop, 20, move |app, _| {
            let input = create_customer::Input { referral_code: Some(ann.clone()), ..customer(&claims, Some("eve@shop.test"), None) };
            async move { create_customer::run(&app, input).await }
        }).await;
        assert_eq!(winners(&results), 1);
        assert_eq!(shop.count("referral_link").await, 2);
    }

    async fn an_unknown_code_is_refused_and_counted_by_address(database: TestDatabase) {
        let shop = open_with(database, |options| options.limits.referral_guesses = vec![Rate { count: 2, seconds: 3600 }]).await;
        let (_, ann) = shop.account("ann@shop.test", None).await;
        let claims = shop.register(ContactType::Email, "bob@shop.test").await;
        let from = |address: &str, code: &str| create_customer::Input {
            referral_code: Some(code.to_owned()),
            address: Some(address.to_owned()),
            ..customer(&claims, Some("bob@shop.test"), None)
        };
        for code in ["NOBODY22", "cus_0"] {
            let result = create_customer::run(&shop.app, from("192.0.2.1", code)).await;
            assert_refused(result, ErrorKind::InvalidData, "Referral code is not valid");
        }
        let right = create_customer::run(&shop.app, from("192.0.2.1", &ann)).await;
        assert_eq!(right.err().map(|error| error.kind), Some(ErrorKind::TooManyRequests));
        create_customer::run(&shop.app, from("192.0.2.2", &ann)).await.unwrap();
    }

    async fn the_own_code_is_made_once_whoever_asks_first(database: TestDatabase) {
        let shop = open(database).await;
        let (_, ann) = shop.account("ann@shop.test", None).await;
        let id = CustomerId::from_stored(ann);
        let whose = &id;
        let steps = ["generate-referral-code", "commit"];
        let (first, second) = unwinds(&shop, &steps, |app| async move {
            list_referrals::run(&app, whose, None).await.map(|output| output.referral_code)
        }).await;
        assert_eq!((first.len(), &first), (8, &second.unwrap()));
        let (_, bob) = shop.account("bob@shop.test", None).await;
        let bob = CustomerId::from_stored(bob);
        let results = at_once(&shop, 20, move |app, _| {
            let bob = bob.clone();
            async move { list_referrals::run(&app, &bob, None).await.map(|output| output.referral_code) }
        }).await;
        let codes: std::collections::BTreeSet<String> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(codes.len(), 1);
    }

    /// The gone and the going are not shown; contacts are masked where the shop wants that.
    async fn children_are_shown_newest_first_without_the_gone(database: TestDatabase) {
        let shop = open_with(database, |options| options.referral_mask_contacts = true).await;
        let (_, ann) = shop.account("ann@shop.test", None).await;
        let ann = CustomerId::from_stored(ann);
        let mut ids = Vec::new();
        for name in ["bob", "eve", "dan", "kim"] {
            shop.clock.advance_seconds(1);
            ids.push(bring(&shop, &format!("{name}@shop.test"), ann.as_str()).await);
        }
        shop.database.sql(&format!("update customer set deleted_at = '2026-01-02T03:04:05.678Z' where id = '{}'", ids[1])).await;
        shop.database.sql(&format!(
            "insert into account_deletion_request (id, customer_id, status, created_at, updated_at) \
             values ('adr_0', '{}', 'confirmed', '{now}', '{now}')", ids[2], now = shop.now()
        )).await;
        let output = list_referrals::run(&shop.app, &ann, None).await.unwrap();
        let shown: Vec<_> = output.children.iter().map(|child| (child.customer_id.clone(), child.email.clone().unwrap())).collect();
        assert_eq!(shown, [(ids[3].clone(), "k***@shop.test".to_owned()), (ids[0].clone(), "b***@shop.test".to_owned())]);
        let page = list_referrals::run(&shop.app, &ann, Some(Page { limit: 1, offset: 1 })).await.unwrap();
        assert_eq!((page.children[0].customer_id.clone(), page.count), (ids[0].clone(), 2));
    }

    /// The methods that Medusa generates for a model.
    async fn the_service_has_medusas_methods(database: TestDatabase) {
        let shop = open(database).await;
        let ids: Vec<CustomerId> = ["cus_a", "cus_b", "cus_c"].map(CustomerId::from_stored).to_vec();
        let mut cx = shop.app.begin().await.unwrap();
        let link = ReferralLinkModuleService::create(&mut cx, &ids[1], &ids[0]).await.unwrap();
        assert_eq!(ReferralLinkModuleService::retrieve(&mut cx, &link.id).await.unwrap(), link);
        let twice = ReferralLinkModuleService::create(&mut cx, &ids[1], &ids[2]).await;
        assert_eq!(twice.err().map(|error| error.kind), Some(ErrorKind::Duplicate));
        let own = ReferralLinkModuleService::create(&mut cx, &ids[2], &ids[2]).await;
        assert_refused(own, ErrorKind::InvalidData, "Referral code is not valid");
        let moved = ReferralLinkModuleService::update(&mut cx, &link.id, &ids[2]).await.unwrap();
        assert_eq!(moved.parent_customers_by_level, json!({"1": "cus_c"}));
        let all = Selector::default();
        let page = Page { limit: 10, offset: 0 };
        assert_eq!(ReferralLinkModuleService::list_and_count(&mut cx, &all, page).await.unwrap(), (vec![moved], 1));
        ReferralLinkModuleService::soft_delete(&mut cx, &link.id).await.unwrap();
        let gone = ReferralLinkModuleService::retrieve(&mut cx, &link.id).await;
        assert_refused(gone, ErrorKind::NotFound, &format!("ReferralLink with id: {} was not found", link.id));
        ReferralLinkModuleService::restore(&mut cx, &link.id).await.unwrap();
        ReferralLinkModuleService::delete(&mut cx, &link.id).await.unwrap();
        assert_eq!(ReferralLinkModuleService::restore(&mut cx, &link.id).await.err().map(|error| error.kind), Some(ErrorKind::NotFound));
    }

    /// A hook judges and adds before, sees the customer after, and can refuse at either moment with nothing left behind.
    async fn hooks_take_part_in_a_registration(database: TestDatabase) {
        let mut shop = open(database).await;
        let hook = Arc::new(House::default());
        shop.app = shop.app.clone().with_registration_hooks(vec![Arc::clone(&hook) as _]);
        let claims = shop.register(ContactType::Email, "ann@shop.test").await;
        let nameless = create_customer::Input { first_name: None, ..customer(&claims, Some("ann@shop.test"), None) };
        assert_refused(create_customer::run(&shop.app, nameless).await, ErrorKind::InvalidData, "Tell us your first name");
        hook.refuses.store(1, Ordering::SeqCst);
        let late = create_customer::run(&shop.app, customer(&claims, Some("ann@shop.test"), None)).await;
        assert_refused(late, ErrorKind::NotAllowed, "Not today");
        assert_eq!(shop.count("customer").await, 0);
        hook.refuses.store(0, Ordering::SeqCst);
        let output = create_customer::run(&shop.app, customer(&claims, Some("ann@shop.test"), None)).await.unwrap();
        assert_eq!(output.customer["metadata"], json!({"source": "app"}));
    }

    /// What a hook names is no guess of the client's: it links, and does not stay in the metadata.
    async fn a_hook_may_name_who_brought_somebody(database: TestDatabase) {
        let mut shop = open(database).await;
        let (_, ann) = shop.account("ann@shop.test", None).await;
        shop.app = shop.app.clone().with_registration_hooks(vec![Arc::new(Friend(ann.clone())) as _]);
        let claims = shop.register(ContactType::Email, "bob@shop.test").await;
        let bob = create_customer::run(&shop.app, customer(&claims, Some("bob@shop.test"), None)).await.unwrap();
        assert_eq!(bob.customer["metadata"], json!({}));
        assert_eq!(shop.value("select referrer_id from referral_link").await, json!(ann));
        shop.app = shop.app.clone().with_registration_hooks(vec![Arc::new(Friend("nobody".to_owned())) as _]);
        let claims = shop.register(ContactType::Email, "eve@shop.test").await;
        let refused = create_customer::run(&shop.app, customer(&claims, Some("eve@shop.test"), None)).await;
        assert_refused(refused, ErrorKind::InvalidData, "Referral code is not valid");
    }

    /// Nobody stands above themselves, however the links are moved.
    async fn a_line_never_closes_to_a_ring(database: TestDatabase) {
        let shop = open(database).await;
        let (_, ann) = shop.account("ann@shop.test", None).await;
        let ann = CustomerId::from_stored(ann);
        let bob = bring(&shop, "bob@shop.test", ann.as_str()).await;
        let eve = bring(&shop, "eve@shop.test", bob.as_str()).await;
        let mut cx = shop.app.begin().await.unwrap();
        for referrer in [&ann, &bob, &eve] {
            let ring = ReferralLinkModuleService::create(&mut cx, &ann, referrer).await;
            assert_refused(ring, ErrorKind::InvalidData, "Referral code is not valid");
        }
        let selector = Selector { customer_id: Some(bob.clone()), referrer_id: None };
        let link = ReferralLinkModuleService::list(&mut cx, &selector, Page { limit: 1, offset: 0 }).await.unwrap().remove(0);
        let ring = ReferralLinkModuleService::update(&mut cx, &link.id, &eve).await;
        assert_refused(ring, ErrorKind::InvalidData, "Referral code is not valid");
    }

    /// A code that a limit holds back on registration costs nothing of what the narrower limits count.
    async fn a_code_that_is_held_back_on_registration_was_never_counted(database: TestDatabase) {
        let shop = open_with(database, |options| {
            options.email_verification.as_mut().unwrap().auto_send_on_registration = true;
            options.email_verification.as_mut().unwrap().resend_throttle_seconds = 90;
            options.limits.sends_per_address = vec![Rate { count: 1, seconds: 3600 }];
        }).await;
        let claims = shop.register(ContactType::Email, "bob@shop.test").await;
        let input = create_customer::Input { address: Some("192.0.2.1".to_owned()), ..customer(&claims, Some("bob@shop.test"), None) };
        assert_eq!(create_customer::run(&shop.app, input).await.unwrap().verifications.unwrap().len(), 1);
        let counted = shop.count("cr_limit").await;
        let claims = shop.register(ContactType::Email, "ann@shop.test").await;
        let input = create_customer::Input { address: Some("192.0.2.1".to_owned()), ..customer(&claims, Some("ann@shop.test"), None) };
        let output = create_customer::run(&shop.app, input).await.unwrap();
        assert_eq!(output.verifications.unwrap().len(), 0);
        assert_eq!(shop.count("cr_limit").await, counted);
    }
}

/// Wants a first name, notes a source, and refuses afterwards when told to.
#[derive(Default)]
struct House {
    refuses: AtomicUsize,
}

impl RegistrationHook for House {
    fn before<'a>(&'a self, _cx: &'a mut Ctx, input: &'a mut create_customer::Input) -> HookFuture<'a> {
        Box::pin(async move {
            if input.first_name.is_none() {
                return Err(Error::invalid_data("Tell us your first name"));
            }
            input.metadata.get_or_insert_default().insert("source".to_owned(), "app".into());
            Ok(())
        })
    }

    fn after<'a>(&'a self, _cx: &'a mut Ctx, customer: &'a Customer) -> HookFuture<'a> {
        Box::pin(async move {
            assert!(customer.id.as_str().starts_with("cus_"));
            if self.refuses.load(Ordering::SeqCst) > 0 { Err(Error::not_allowed("Not today")) } else { Ok(()) }
        })
    }
}

/// Says who brought everybody.
struct Friend(String);

impl RegistrationHook for Friend {
    fn before<'a>(&'a self, _cx: &'a mut Ctx, input: &'a mut create_customer::Input) -> HookFuture<'a> {
        Box::pin(async move {
            input.metadata.get_or_insert_default().insert("referral_code".to_owned(), self.0.clone().into());
            Ok(())
        })
    }
}
