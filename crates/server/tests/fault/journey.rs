//! The first journey with codes out of real conversations: SMTP with STARTTLS and AUTH, and a signed webhook.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cr_testkit::smtp_sink::SinkTls;
use cr_testkit::webhook_sink::SinkRequest;
use cr_testkit::{SmtpSink, WebhookSink};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::customer::{Customer, PASSWORD, code_of, code_of_text};
use crate::shop::{MAILER, Shop, WEBHOOK_KEY};

cr_testkit::both! {
    /// What a shop with a mail server and an SMS gateway does on its first day.
    async fn a_customer_signs_up_with_codes_from_mail_and_text_message(database: TestDatabase) {
        let mails = SmtpSink::start(SinkTls::StartTls, MAILER).await;
        let texts = WebhookSink::start().await;
        let shop = Shop::with(&database, &mails, &texts, "");
        let server = shop.serve().await;
        let customer = Customer::register(&server, "alice@example.com", "+15551234567").await;
        let by_mail = json!({"email": customer.email, "password": PASSWORD});
        let early = server.post("/auth/customer/emailpass", None, &by_mail).await;
        assert_eq!((early.status, early.field("/code")), (401, "verification_required".to_owned()));

        let otp = customer.ask_by_mail(&server).await;
        let mail = mails.wait_for(1).await.remove(0);
        assert!(mail.encrypted);
        assert_eq!((mail.user.as_deref(), mail.sender.as_str()), (Some("mailer"), "no-reply@shop.test"));
        assert_eq!(mail.recipients, [customer.email]);
        assert_eq!(mail.mail().header("Subject"), Some("Verify your email"));
        assert_eq!(mail.mail().parts, ["multipart/alternative", "text/plain", "text/html"]);
        customer.verify(&server, &otp, &code_of(&mail)).await;
        let login = customer.log_in(&server, by_mail).await;

        let otp = customer.ask_by_text(&server).await;
        let text = texts.wait_for(1).await.remove(0);
        assert_eq!(text.path, "/texts?key=h00k-t0ken");
        assert!(is_signed(&text), "{text:?}");
        let body: Value = serde_json::from_str(&text.body).unwrap();
        assert_eq!((&body["data"]["to"], &body["data"]["channel"]), (&json!(customer.phone), &json!("sms")));
        let verified = json!({"token": otp, "code": code_of_text(&text)});
        let verified = server.post("/store/customers/otp/verify", Some(&login), &verified).await;
        assert_eq!(verified.status, 200, "{verified:?}");
        customer.log_in(&server, json!({"phone": "+1 (555) 123-4567", "password": PASSWORD})).await;
        server.program.stop().await;
        assert_eq!((mails.messages().len(), texts.requests().len()), (1, 1));
    }
}

/// Checks the signature as the Standard Webhooks specification says.
pub(crate) fn is_signed(request: &SinkRequest) -> bool {
    let header = |name| request.header(name).unwrap_or_else(|| panic!("no {name}"));
    let signed = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), request.body);
    let tag = STANDARD.decode(header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(WEBHOOK_KEY).unwrap();
    mac.update(signed.as_bytes());
    mac.verify_slice(&tag).is_ok()
}
