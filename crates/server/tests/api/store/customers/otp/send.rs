//! `POST /store/customers/otp/send`.

use http::Method;
use serde_json::{Value, json};

use crate::stage::{EMAIL, PHONE, claims, request, schedule_deletion, stage, told, verified};
use crate::support::{Answer, TestServer};

const PATH: &str = "/store/customers/otp/send";
const SENT: &str = r#"200 {"token":"<token>","expires_at":"2026-01-02T03:19:05.678Z"}"#;
const NOBODY: &str = "cus_00000000000000000000000000";

/// The refusal within a throttle.
fn wait(seconds: u32) -> String {
    format!(
        r#"429 {{"type":"too_many_requests","message":"Please wait {seconds} seconds before requesting another code"}}"#
    )
}

/// An anonymous send to an e-mail.
async fn anonymous(server: &TestServer, email: &str) -> Answer {
    server.post(PATH, None, json!({"type": "email_verification", "email": email})).await
}

cr_testkit::both! {
    /// The body says one thing: whose, and which contact.
    async fn a_body_that_names_nobody_or_several_is_refused(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let (_, id) = server.customer(EMAIL, PHONE).await;
        let one = "Provide exactly one of: customer_id, email, phone";
        for (body, message) in [
            (json!({"customer_id": id}), "Invalid request: Field 'type' is required"),
            (json!({"type": "password_reset", "customer_id": id}), "Invalid request: Expected: 'email_verification, phone_verification' for field 'type', but got: 'password_reset'"),
            (json!({"type": "email_verification"}), one),
            (json!({"type": "email_verification", "email": EMAIL, "phone": PHONE}), one),
            (json!({"type": "email_verification", "email": EMAIL, "customer_id": id}), one),
            (json!({"type": "email_verification", "email": 5}), "Invalid request: Expected type: 'string' for field 'email', got: 'number'"),
            (json!({"type": "email_verification", "email": EMAIL, "foo": 1}), "Invalid request: Unrecognized fields: 'foo'"),
            (json!({"type": "email_verification", "email": "no e-mail"}), "Invalid request: Invalid email"),
            (json!({"type": "phone_verification", "phone": "x"}), "Invalid request: Invalid phone. Send it in the international form, such as +15551234567"),
        ] {
            let expected = format!(r#"400 {{"type":"invalid_data","message":"{message}"}}"#);
            assert_eq!(told(&server.post(PATH, None, body.clone()).await), expected, "{body}");
        }
        server.stop().await;
    }

    /// Without the identity's token nobody learns who exists, what they have, or what is proven.
    async fn whoever_asks_without_a_token_gets_the_same_answer(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let stranger = server.register("mallory@example.com").await;
        for token in [None, Some(stranger.as_str()), Some("nonsense")] {
            for body in [
                json!({"type": "email_verification", "customer_id": known.id}),
                json!({"type": "phone_verification", "customer_id": known.id}),
                json!({"type": "email_verification", "customer_id": NOBODY}),
                json!({"type": "email_verification", "customer_id": ""}),
                json!({"type": "email_verification", "email": EMAIL}),
                json!({"type": "email_verification", "email": "nobody@example.com"}),
                json!({"type": "phone_verification", "phone": PHONE}),
                json!({"type": "phone_verification", "phone": "+15559999999"}),
            ] {
                let answer = server.post(PATH, token, body.clone()).await;
                if body["customer_id"] == json!("") {
                    assert_ne!(answer.status.as_u16(), 500);
                    continue;
                }
                assert_eq!(told(&answer), SENT, "{body} {token:?}");
            }
        }
        server.stop().await;
    }

    /// The owner is told the truth.
    async fn whoever_asks_for_themselves_is_told_what_is_missing(database: TestDatabase) {
        let (server, _) = stage(&database, &[("[options.registration]\nidentifier = \"both\"", "[options.registration]\nidentifier = \"email\"")]).await;
        let registration = server.register(EMAIL).await;
        let created = server.post("/store/customers", Some(&registration), json!({"email": EMAIL})).await;
        let id = created.field("/customer/id");
        let ask = async |kind: &str| told(&server.post(PATH, Some(&registration), json!({"type": kind, "customer_id": id})).await);
        assert_eq!(ask("phone_verification").await, r#"400 {"type":"invalid_data","message":"Customer has no phone"}"#);
        assert_eq!(ask("email_verification").await, SENT);
        server.code_to(EMAIL).await;
        crate::stage::prove(&server, &registration, "email_verification", EMAIL).await;
        let proven = r#"400 {"type":"not_allowed","message":"Email is already verified"}"#;
        assert_eq!(ask("email_verification").await, proven);
        let by_email = json!({"type": "email_verification", "email": EMAIL});
        assert_eq!(told(&server.post(PATH, Some(&registration), by_email).await), proven);
        database.sql(&format!("update customer set deleted_at = '2026-01-02T03:04:05.678Z' where id = '{id}'")).await;
        assert_eq!(
            ask("email_verification").await,
            r#"404 {"type":"not_found","message":"Customer with id: <cus> was not found"}"#
        );
        server.stop().await;
    }

    /// A channel that the shop did not set up.
    async fn a_type_without_a_section_is_refused(database: TestDatabase) {
        let edits = [
            ("identifier = \"both\"", "identifier = \"email\""),
            ("phone_verification = { channel = \"sms\", resendThrottleSeconds = 0 }\n", ""),
        ];
        let (server, _) = stage(&database, &edits).await;
        assert_eq!(
            told(&server.post(PATH, None, json!({"type": "phone_verification", "phone": PHONE})).await),
            r#"400 {"type":"not_allowed","message":"OTP channel configuration not found for phone_verification"}"#
        );
        server.stop().await;
    }

    /// A phone cannot be verified by naming an e-mail.
    async fn the_contact_named_must_be_the_one_to_verify(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let answer = server.post(PATH, None, json!({"type": "phone_verification", "email": EMAIL})).await;
        assert_eq!((answer.status.as_u16(), answer.field("/type")), (400, "invalid_data".to_owned()));
        server.stop().await;
    }

    /// A double click sends one message; the owner still gets the token of the code that is on its way.
    async fn within_the_throttle_the_owner_gets_the_live_token(database: TestDatabase) {
        let (server, clock) = stage(&database, &[("resendThrottleSeconds = 0", "resendThrottleSeconds = 90")]).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        let body = json!({"type": "email_verification", "customer_id": id});
        let first = server.post(PATH, Some(&registration), body.clone()).await;
        assert_eq!(told(&first), SENT);
        clock.advance_seconds(89);
        let again = server.post(PATH, Some(&registration), body.clone()).await;
        assert_eq!(again.text, first.text);
        clock.advance_seconds(1);
        let later = server.post(PATH, Some(&registration), body).await;
        assert_eq!(told(&later), r#"200 {"token":"<token>","expires_at":"2026-01-02T03:20:35.678Z"}"#);
        assert_ne!(later.field("/token"), first.field("/token"));
        assert_eq!(database.rows("select id from cr_outbox").await.len(), 2);
        server.stop().await;
    }

    /// Strangers wait, whether or not there is anybody, and never make the owner wait.
    async fn within_the_throttle_strangers_wait(database: TestDatabase) {
        let (server, clock) = stage(&database, &[("resendThrottleSeconds = 0", "resendThrottleSeconds = 90")]).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        for (first, second) in [
            (json!({"email": EMAIL}), json!({"email": "ALICE@example.com"})),
            (json!({"email": "nobody@example.com"}), json!({"email": "nobody@example.com"})),
            (json!({"customer_id": id}), json!({"customer_id": id})),
            (json!({"customer_id": NOBODY}), json!({"customer_id": NOBODY})),
        ] {
            let ask = async |named: &Value| {
                let mut body = named.clone();
                body["type"] = json!("email_verification");
                server.post(PATH, None, body).await
            };
            let sent = ask(&first).await;
            assert_eq!(sent.status.as_u16(), 200, "{first} {}", sent.text);
            clock.advance_seconds(30);
            let refused = ask(&second).await;
            assert_eq!(told(&refused), wait(60), "{second}");
            assert_eq!(refused.headers["retry-after"], "60");
        }
        let own = server.post(PATH, Some(&registration), json!({"type": "email_verification", "customer_id": id})).await;
        assert_eq!(own.status.as_u16(), 200, "{}", own.text);
        server.stop().await;
    }

    /// Each limit by itself: one subject, one destination, one address. Sends by an id and sends by a contact have counters of
    /// their own, so that nobody learns which belong together.
    async fn each_limit_of_sends_holds(database: TestDatabase) {
        let by_id = || json!({"type": "email_verification", "customer_id": "ID"});
        let by = |at: &str| json!({"type": "email_verification", "email": at});
        for (limit, to, bodies, statuses) in [
            ("sendsPerSubject", "2/1h", vec![by(EMAIL), by(EMAIL), by(EMAIL), by("b@example.com")], vec![200, 200, 429, 200]),
            ("sendsPerSubject", "2/1h", vec![by("n@example.com"), by("n@example.com"), by("n@example.com")], vec![200, 200, 429]),
            ("sendsPerDestination", "2/1h", vec![by(EMAIL), by_id(), by(EMAIL), by(EMAIL)], vec![200, 200, 200, 429]),
            ("sendsPerDestination", "2/1h", vec![by_id(), by_id(), by_id()], vec![200, 200, 429]),
            ("sendsPerDestination", "2/1h", vec![by("n@example.com"), by("n@example.com"), by("n@example.com")], vec![200, 200, 429]),
            ("sendsPerAddress", "2/1h", vec![by(EMAIL), by("b@example.com"), by("c@example.com")], vec![200, 200, 429]),
        ] {
            let (server, clock) = stage(&database, &[(&format!("{limit} = \"off\""), &format!("{limit} = \"{to}\""))]).await;
            let id = match database.rows("select id from customer").await.first() {
                Some(row) => row["id"].as_str().unwrap().to_owned(),
                None => server.customer(EMAIL, PHONE).await.1,
            };
            for (body, status) in bodies.iter().zip(statuses) {
                let body: Value = serde_json::from_str(&body.to_string().replace("ID", &id)).unwrap();
                let answer = server.post(PATH, None, body.clone()).await;
                assert_eq!(answer.status.as_u16(), status, "{limit} {body} {}", answer.text);
                if status == 429 {
                    assert_eq!(told(&answer), wait(3600));
                }
            }
            clock.advance_seconds(3600);
            assert_eq!(anonymous(&server, EMAIL).await.status.as_u16(), 200, "{limit}");
            server.stop().await;
            database.sql("delete from cr_limit").await;
            database.sql("delete from otp_verification").await;
        }
    }

    /// A stranger's sends to a contact and the owner's own are counted apart.
    async fn a_stranger_does_not_use_up_the_owners_sends(database: TestDatabase) {
        let edits = [
            ("sendsPerSubject = \"off\"", "sendsPerSubject = \"1/1h\""),
            ("sendsPerDestination = \"off\"", "sendsPerDestination = \"1/1h\""),
        ];
        let (server, _) = stage(&database, &edits).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        assert_eq!(anonymous(&server, EMAIL).await.status.as_u16(), 200);
        assert_eq!(anonymous(&server, EMAIL).await.status.as_u16(), 429);
        let own = json!({"type": "email_verification", "customer_id": id});
        assert_eq!(server.post(PATH, Some(&registration), own).await.status.as_u16(), 200);
        server.stop().await;
    }

    /// An address limit counts the client, not the proxy in front of us.
    async fn the_address_is_the_clients(database: TestDatabase) {
        let edits = [
            ("sendsPerAddress = \"off\"", "sendsPerAddress = \"1/1h\""),
            ("trustProxy = []", "trustProxy = [\"loopback\"]"),
        ];
        let (server, _) = stage(&database, &edits).await;
        for (forwarded, status) in [("203.0.113.1", 200), ("203.0.113.1", 429), ("203.0.113.2", 200)] {
            let body = json!({"type": "email_verification", "email": EMAIL});
            let answer = server.raw(request(Method::POST, PATH, &[("x-forwarded-for", forwarded)], Some(body))).await;
            assert_eq!(answer.status.as_u16(), status, "{forwarded} {}", answer.text);
        }
        server.stop().await;
    }

    /// An attacker who opens accounts by the thousand leaves half of the budget to real customers.
    async fn half_of_a_channel_is_kept_for_customers_in_good_standing(database: TestDatabase) {
        let (server, _) = stage(&database, &[("sms = \"off\"", "sms = \"4/1h\"")]).await;
        let known = verified(&server).await;
        let mut fresh = Vec::new();
        for number in 0..3 {
            fresh.push(server.customer(&format!("f{number}@example.com"), &format!("+1555765432{number}")).await);
        }
        let text = async |token: &str, id: &str| {
            server.post(PATH, Some(token), json!({"type": "phone_verification", "customer_id": id})).await
        };
        for (at, status) in [(0, 200), (1, 200), (2, 429)] {
            let (token, id) = &fresh[at];
            assert_eq!(text(token, id).await.status.as_u16(), status);
        }
        for status in [200, 200, 429] {
            let answer = text(&known.login, &known.id).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        }
        assert_eq!(told(&text(&known.login, &known.id).await), wait(3600));
        // The other channel has a budget of its own.
        assert_eq!(anonymous(&server, "f0@example.com").await.status.as_u16(), 200);
        server.stop().await;
    }

    /// Guessing without end stops at the next code, not only at the next guess.
    async fn over_wrong_codes_no_new_code_is_sent(database: TestDatabase) {
        let (server, clock) = stage(&database, &[("wrongCodes = \"off\"", "wrongCodes = \"2/24h\"")]).await;
        server.customer(EMAIL, PHONE).await;
        let otp = anonymous(&server, EMAIL).await.field("/token");
        for (code, expected) in [
            ("x", r#"400 {"type":"invalid_data","message":"Invalid OTP code"}"#),
            ("y", r#"400 {"type":"invalid_data","message":"Invalid OTP code"}"#),
            ("z", r#"400 {"code":"otp_locked","type":"not_allowed","message":"Too many attempts. Request a new code."}"#),
        ] {
            let answer = server.post("/store/customers/otp/verify", None, json!({"token": otp, "code": code})).await;
            assert_eq!(told(&answer), expected, "{code}");
        }
        let refused = anonymous(&server, EMAIL).await;
        assert_eq!(told(&refused), wait(86_400));
        clock.advance_seconds(86_400);
        assert_eq!(anonymous(&server, EMAIL).await.status.as_u16(), 200);
        server.stop().await;
    }

    /// Whoever is about to go gets no codes as a customer.
    async fn an_account_that_is_about_to_go_is_told_so(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        let by_id = json!({"type": "phone_verification", "customer_id": known.id});
        for body in [json!({}), json!({"type": "phone_verification", "email": EMAIL}), by_id.clone()] {
            let answer = server.post(PATH, Some(&known.login), body.clone()).await;
            assert_eq!((answer.status.as_u16(), answer.field("/code").as_str()), (403, "account_deletion_pending"), "{body}");
        }
        let origins = "select origin from otp_verification where verified_at is null";
        assert!(database.rows(origins).await.is_empty());
        // A token that counts no more is nobody's.
        let ended = json!({"customer_id": known.id, "cr_not_before": 99_999_999_999_i64});
        let identity = claims(&known.login)["auth_identity_id"].as_str().unwrap().to_owned();
        database.sql(&format!("update auth_identity set app_metadata = '{ended}' where id = '{identity}'")).await;
        assert_eq!(told(&server.post(PATH, Some(&known.login), by_id).await), SENT);
        assert_eq!(database.rows(origins).await, [json!({"origin": "anonymous"})]);
        server.stop().await;
    }

    /// Of several clicks at once one sends, and each is told of the same code; over wrong codes none is.
    async fn clicks_that_race_send_one_code(database: TestDatabase) {
        let edits = [("resendThrottleSeconds = 0", "resendThrottleSeconds = 90"), ("wrongCodes = \"off\"", "wrongCodes = \"1/24h\"")];
        let (server, _) = stage(&database, &edits).await;
        let known = verified(&server).await;
        let body = json!({"type": "phone_verification", "customer_id": known.id});
        let click = || server.post(PATH, Some(&known.login), body.clone());
        let (one, two, three, four, five, six) = tokio::join!(click(), click(), click(), click(), click(), click());
        let told_of = [one, two, three, four, five, six].map(|sent| sent.field("/token"));
        assert!(told_of.iter().all(|token| *token == told_of[0]), "{told_of:?}");
        let select = "select count(*) as n from otp_verification where verified_at is null";
        assert_eq!(database.rows(select).await, [json!({"n": 1})]);
        let wrong = server.post("/store/customers/otp/verify", Some(&known.login), json!({"token": told_of[0], "code": "x"})).await;
        assert_eq!(wrong.status.as_u16(), 400);
        assert_eq!(told(&server.post(PATH, Some(&known.login), body).await), wait(86_400));
        server.stop().await;
    }

    /// Text messages to dear countries are money: the owner is told, nobody else is.
    async fn text_messages_go_to_listed_countries_only(database: TestDatabase) {
        let (server, _) = stage(&database, &[("wrongCodes = \"off\"", "wrongCodes = \"off\"\nsmsCountries = [\"49\"]")]).await;
        let (registration, id) = server.customer(EMAIL, PHONE).await;
        let body = json!({"type": "phone_verification", "customer_id": id});
        assert_eq!(told(&server.post(PATH, None, body.clone()).await), SENT);
        assert_eq!(
            told(&server.post(PATH, Some(&registration), body).await),
            r#"400 {"type":"not_allowed","message":"Text messages to this country are not enabled"}"#
        );
        let sent = database.rows("select id from cr_outbox where channel = 'sms'").await;
        assert!(sent.is_empty());
        server.stop().await;
    }
}
