//! A customer's way through a server, and the codes in what a shop's other servers got.

use cr_testkit::smtp_sink::SinkMessage;
use cr_testkit::webhook_sink::SinkRequest;
use serde_json::{Value, json};

use crate::shop::Server;

/// The password of every customer here.
pub(crate) const PASSWORD: &str = "Tr0ub4dor&3x";

/// Somebody who has registered and is not verified yet.
pub(crate) struct Customer {
    /// The address.
    pub(crate) email: &'static str,
    /// The number, E.164.
    pub(crate) phone: &'static str,
    /// The id, `cus_…`.
    pub(crate) id: String,
    /// The registration's token.
    pub(crate) token: String,
}

impl Customer {
    /// Registers and creates an account.
    pub(crate) async fn register(server: &Server, email: &'static str, phone: &'static str) -> Self {
        let body = json!({"email": email, "password": PASSWORD});
        let registered = server.post("/auth/customer/emailpass/register", None, &body).await;
        assert_eq!(registered.status, 200, "{registered:?}");
        let token = registered.field("/token");
        let created = server.post("/store/customers", Some(&token), &json!({"email": email, "phone": phone})).await;
        assert_eq!(created.status, 200, "{created:?}");
        Self { email, phone, id: created.field("/customer/id"), token }
    }

    /// Asks for a code by e-mail: the code's token.
    pub(crate) async fn ask_by_mail(&self, server: &Server) -> String {
        let body = json!({"customer_id": self.id, "type": "email_verification"});
        let sent = server.post("/store/customers/otp/send", Some(&self.token), &body).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        sent.field("/token")
    }

    /// Asks for a code by text message: the code's token.
    pub(crate) async fn ask_by_text(&self, server: &Server) -> String {
        let body = json!({"customer_id": self.id, "type": "phone_verification"});
        let sent = server.post("/store/customers/otp/send", Some(&self.token), &body).await;
        assert_eq!(sent.status, 200, "{sent:?}");
        sent.field("/token")
    }

    /// Enters a code, which must be right: the token of the login that comes with it.
    pub(crate) async fn verify(&self, server: &Server, otp: &str, code: &str) -> String {
        let body = json!({"token": otp, "code": code});
        let verified = server.post("/store/customers/otp/verify", Some(&self.token), &body).await;
        assert_eq!(verified.status, 200, "{verified:?}");
        verified.field("/token")
    }

    /// Logs in with the phone number, as a person writes it, and looks at the account: the login's token.
    pub(crate) async fn log_in(&self, server: &Server, credentials: Value) -> String {
        let answer = server.post("/auth/customer/emailpass", None, &credentials).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.field("/token");
        let me = server.get("/store/customers/me", Some(&token)).await;
        assert_eq!((me.status, me.field("/customer/id")), (200, self.id.clone()), "{me:?}");
        token
    }
}

/// The six digits that stand alone in a text.
pub(crate) fn code_in(text: &str) -> String {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '#');
    let mut codes = words.filter(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit()));
    codes.next().unwrap_or_else(|| panic!("no code in {text}")).to_owned()
}

/// The code of a mail, the same in both of its parts.
pub(crate) fn code_of(message: &SinkMessage) -> String {
    let mail = message.mail();
    let code = code_in(mail.text.as_deref().unwrap());
    let html = mail.html.unwrap();
    assert!(html.contains(&format!(">{code}</td>")), "{html}");
    code
}

/// The code of a text message.
pub(crate) fn code_of_text(request: &SinkRequest) -> String {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    code_in(body["data"]["content"]["text"].as_str().unwrap())
}
