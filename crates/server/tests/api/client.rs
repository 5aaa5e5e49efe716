//! The Rust client against the running server: every flow, and every class of error.

use std::time::Duration;

use cr_core::env::Env;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use customer_registration_client::helpers::{
    AccountLookup, CompletePasswordReset, create_complete_password_reset, create_request_password_reset,
};
use customer_registration_client::http::CodeSent;
use customer_registration_client::{Client, Contact, Error, NewCustomer, Page, Profile, Purpose, Whom};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{CHEAP, DEVELOPMENT, TestServer};

const EMAIL: &str = "ada@example.com";
const PHONE: &str = "+15551234567";

/// A secret of a text.
fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

/// A code that was sent, and what is in the message to a contact.
struct Code {
    token: String,
    code: String,
}

/// Waits for the message to a contact.
async fn received(server: &TestServer, sent: CodeSent, contact: &str) -> Code {
    let code = server.code_to(contact).await;
    server.clear_inbox();
    Code { token: sent.token, code }
}

/// What follows some words in the text of the newest message to a contact, up to what ends a token.
async fn token_in_message(server: &TestServer, contact: &str, words: &str) -> String {
    let inbox = server.state.http.inbox.clone().unwrap();
    let found = async {
        loop {
            let messages = inbox.messages();
            let rest = messages
                .iter()
                .filter(|it| it.to == contact)
                .find_map(|it| Some(it.text.split_once(words)?.1.to_owned()));
            if let Some(rest) = rest {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(rest.len());
                return rest[..end].to_owned();
            }
            server.app.shared.wake.messages.notify_one();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found).await.unwrap()
}

/// Registers, creates, proves both contacts and logs in: the login token.
async fn join(server: &TestServer, shop: &Client) -> String {
    let password = secret("correct horse 7");
    let registered = shop.register(Contact::Email(EMAIL), &password).await.unwrap().token;
    let new = NewCustomer { email: Some(EMAIL), phone: Some(PHONE), first_name: Some("Ada"), ..NewCustomer::default() };
    let customer = shop.create_customer(&registered, &new).await.unwrap().customer;
    assert_eq!((customer.email.as_deref(), customer.email_verified), (Some(EMAIL), Some(false)));
    let refused = shop.login(Contact::Email(EMAIL), &password).await.err().unwrap();
    assert_eq!((refused.status(), refused.code()), (Some(401), Some("verification_required")));
    let whom = Whom::Customer(customer.id.as_str());
    let sent = shop.send_otp(Some(&registered), Purpose::Email, whom).await.unwrap();
    let code = received(server, sent, EMAIL).await;
    let proven = shop.verify_otp(Some(&registered), &code.token, &code.code).await.unwrap();
    assert_eq!((proven.email_verified, proven.phone_verified, proven.needs_login), (Some(true), None, false));
    let login = proven.token.unwrap();
    let sent = shop.send_otp(Some(&login), Purpose::Phone, Whom::Contact(Contact::Phone(PHONE))).await.unwrap();
    let code = received(server, sent, PHONE).await;
    shop.verify_otp(Some(&login), &code.token, &code.code).await.unwrap();
    shop.login(Contact::Phone(PHONE), &password).await.unwrap().token
}

cr_testkit::both! {
    /// A storefront in Rust could not do what one in TypeScript can.
    async fn a_customer_goes_the_whole_way_by_the_rust_client(database: TestDatabase) {
        let server = TestServer::start(&database, DEVELOPMENT, &[], Env::system(), CHEAP).await;
        let key = create_api_key::run(&server.app, ApiKeyType::Publishable, "storefront").await.unwrap();
        let shop = Client::new(&format!("{}/", server.url), Some(&key)).unwrap();
        let login = join(&server, &shop).await;
        let login = shop.refresh(&login).await.unwrap().token;
        let profile = Profile { last_name: Some(Some("Lovelace")), first_name: Some(None), ..Profile::default() };
        let me = shop.update_customer(&login, &profile).await.unwrap();
        assert_eq!((me.first_name, me.last_name.as_deref()), (None, Some("Lovelace")));
        assert_eq!(shop.my_referrals(&login, None).await.unwrap().count, None);
        let page = shop.my_referrals(&login, Some(Page { limit: 5, offset: 0 })).await.unwrap();
        assert_eq!((page.children.len(), page.count, page.limit), (0, Some(0), Some(5)));

        let sent = shop.change_contact(&login, Contact::Email("new@example.com")).await.unwrap();
        let code = received(&server, sent, "new@example.com").await;
        let changed = shop.verify_contact(&login, &code.token, &code.code).await.unwrap();
        assert_eq!(shop.me(&changed.token).await.unwrap().email.as_deref(), Some("new@example.com"));
        let undo = token_in_message(&server, EMAIL, "undo-contact-change?token=").await;
        assert!(shop.undo_contact_change(&undo).await.unwrap().restored);
        assert_eq!(shop.me(&changed.token).await.err().unwrap().status(), Some(401), "all sessions ended");

        // Both contacts are as before, and proven, but the password is to be chosen anew.
        server.clear_inbox();
        create_request_password_reset(shop.clone())(AccountLookup::EmailOrPhone(EMAIL.to_owned())).await.unwrap();
        let token = token_in_message(&server, EMAIL, "reset-password?token=").await;
        let complete = create_complete_password_reset(shop.clone());
        let input = CompletePasswordReset {
            account: AccountLookup::Identifier(EMAIL.to_owned()),
            password: secret("a second good one"),
            token: secret(&token),
        };
        assert!(!format!("{input:?}").contains(&token));
        assert!(complete(input.clone()).await.unwrap().success);
        assert_eq!(complete(input.clone()).await.err().unwrap().to_string(), "Invalid token");
        let unsent = complete(CompletePasswordReset { token: secret(""), ..input }).await;
        assert!(matches!(unsent, Err(Error::Input("Field 'token' is required"))));
        let login = shop.login(Contact::Email(EMAIL), &secret("a second good one")).await.unwrap().token;
        let changed = shop.change_password(&login, &secret("a second good one"), &secret("the third good one")).await.unwrap();

        server.clear_inbox();
        let sent = shop.request_account_deletion(&changed.token, Some("Bye")).await.unwrap();
        let code = received(&server, sent, EMAIL).await;
        let confirmed = shop.confirm_account_deletion(&code.token, &code.code).await.unwrap().request;
        assert_eq!((confirmed.status.as_str(), confirmed.reason.as_deref()), ("confirmed", Some("Bye")));
        let leaving = shop.login(Contact::Email(EMAIL), &secret("the third good one")).await.err().unwrap();
        assert_eq!((leaving.status(), leaving.code()), (Some(403), Some("account_deletion_pending")));
        server.clear_inbox();
        let sent = shop.request_account_deletion_cancel(Contact::Email(EMAIL)).await.unwrap();
        let code = received(&server, sent, EMAIL).await;
        assert!(shop.cancel_account_deletion(&code.token, &code.code).await.unwrap().cancelled);
        shop.login(Contact::Email(EMAIL), &secret("the third good one")).await.unwrap();
        server.stop().await;
    }

    async fn what_is_refused_is_told_in_the_servers_words(database: TestDatabase) {
        let server = TestServer::start(&database, &DEVELOPMENT.replace("passwordChanges = \"off\"", "passwordChanges = \"1/15m\""), &[], Env::system(), CHEAP).await;
        let shop = Client::new(&server.url, None).unwrap();
        let login = join(&server, &shop).await;
        let wrong = shop.login(Contact::Email(EMAIL), &secret("wrong")).await.err().unwrap();
        let Error::Refused { status: 401, body, retry_after: None } = &wrong else { panic!("{wrong:?}") };
        assert_eq!((body.kind.as_deref(), wrong.to_string().as_str()), (Some("unauthorized"), "Invalid email or password"));
        let wrong = [secret("not mine"), secret("the third good one")];
        for (status, waits) in [(401, false), (429, true)] {
            let refused = shop.change_password(&login, &wrong[0], &wrong[1]).await.err().unwrap();
            let Error::Refused { retry_after, .. } = &refused else { panic!("{refused:?}") };
            assert_eq!((refused.status(), retry_after.is_some()), (Some(status), waits), "{refused:?}");
        }
        server.stop().await;
    }
}

/// Answers one connection with some bytes and closes it; without any it never answers.
async fn odd_server(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio_util::task::TaskTracker::new().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        assert!(read > 0);
        if bytes.is_empty() {
            std::future::pending::<()>().await;
        }
        stream.write_all(bytes).await.unwrap();
    });
    url
}

/// A storefront must be able to tell a server that is down from one that says no.
#[test]
fn what_is_no_answer_of_ours_is_told_apart() {
    cr_testkit::run(async {
        for address in ["", "shop.example.com", "ftp://shop.example.com", "http://shop.example.com/?a=b"] {
            assert!(matches!(Client::new(address, None), Err(Error::Address(_))), "{address}");
        }
        for (bytes, status) in [
            (&b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\noops"[..], 502),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", 200),
            (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", 302),
        ] {
            let odd = Client::new(&odd_server(bytes).await, None).unwrap().refresh("t").await.err().unwrap();
            assert!(matches!(odd, Error::NotUnderstood { .. }), "{odd:?}");
            assert_eq!(odd.status(), Some(status));
        }
        let closed = Client::new("http://127.0.0.1:1", None).unwrap().me("a.secret.token").await.err().unwrap();
        assert!(matches!(closed, Error::Unreachable(_)), "{closed:?}");
        assert!(!format!("{closed:?}").contains("secret"), "{closed:?}");
        let hasty = reqwest::Client::builder().timeout(Duration::from_millis(50)).build().unwrap();
        let silent = Client::with_http(hasty, &odd_server(b"").await, None).unwrap();
        let Err(Error::Unreachable(late)) = silent.me("t").await else { panic!("an answer came") };
        assert!(late.is_timeout());
    });
}
