//! The plugin's services as a program that embeds this one calls them.

use cr_core::error::ErrorKind;
use cr_core::modules::auth::token::OtpKind;
use cr_core::modules::otp_verification::guess;
use cr_core::modules::otp_verification::service::{Asker, NewOtp, OtpPurpose, OtpVerificationService};
use cr_types::ids::CustomerId;

use crate::shop::{assert_refused, open};

cr_testkit::both! {
    /// Made, verified, used up, and what it proved written down: by nothing but the service.
    async fn codes_are_made_verified_and_prove_by_the_service(database: TestDatabase) {
        let shop = open(database).await;
        let (_, id) = shop.account("ann@shop.test", None).await;
        let id = CustomerId::from_stored(id);
        let mut cx = shop.app.begin().await.unwrap();
        let subject = Asker::Bearer(id.clone()).subject(&cx.shared.keys);
        let destination = cx.shared.keys.contact_hmac("email", "ann@shop.test");
        let new = NewOtp {
            customer_id: &id,
            purpose: OtpPurpose::EmailVerification,
            kind: OtpKind::Verify,
            origin: "bearer",
            subject: &subject,
            destination: &destination,
            sealed: None,
        };
        let made = OtpVerificationService::generate_otp_with_code(&mut cx, &new).await.unwrap();
        let unsealed = OtpVerificationService::generate_otp_for_contact_change(&mut cx, &new).await;
        assert_eq!(unsealed.err().map(|error| error.kind), Some(ErrorKind::Internal));
        cx.commit().await.unwrap();
        let wrong = OtpVerificationService::verify_otp(&shop.app, &made.token, "x", OtpKind::Verify).await;
        assert_refused(wrong, ErrorKind::InvalidData, "Invalid OTP code");
        let other = OtpVerificationService::verify_otp(&shop.app, &made.token, &made.code, OtpKind::Deletion).await;
        assert_refused(other, ErrorKind::Unauthorized, "Invalid or expired token");
        let otp = OtpVerificationService::verify_otp(&shop.app, &made.token, &made.code, OtpKind::Verify).await.unwrap();
        let mut cx = shop.app.begin().await.unwrap();
        let proven = OtpVerificationService::get_customer_verification_by_customer_id(&mut cx, &id).await.unwrap();
        assert_eq!(proven, Some((false, false)));
        guess::consume(&mut cx, &otp, &[]).await.unwrap();
        OtpVerificationService::update_email_verified(&mut cx, &id).await.unwrap();
        let nobody = OtpVerificationService::update_phone_verified(&mut cx, &id).await;
        assert_refused(nobody, ErrorKind::InvalidData, "Customer has no phone");
        let proven = OtpVerificationService::get_customer_verification_by_customer_id(&mut cx, &id).await.unwrap();
        assert_eq!(proven, Some((true, false)));
        cx.commit().await.unwrap();
    }
}
