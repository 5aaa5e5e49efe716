//! What each workflow finds when it is killed: the state before it, and the deed.

use cr_core::options::ContactType;
use cr_core::workflows::{
    register, request_account_deletion_cancel, send_contact_change_otp, update_contact, verify_otp,
};
use cr_testkit::START;
use cr_types::ids::CustomerId;

use super::deeds::Deed;
use crate::deletion::schedule;
use crate::shop::{PASSWORD, Shop, guess, registration};

/// Every deed that is killed, by the file of its workflow or job, a word behind a slash telling two of one apart.
pub(super) const CASES: [&str; 29] = [
    "register",
    "create_customer",
    "send_otp",
    "verify_otp",
    "verify_otp/phone",
    "send_contact_change_otp",
    "update_contact",
    "undo_contact_change",
    "change_password",
    "request_password_reset",
    "complete_password_reset",
    "request_account_deletion",
    "confirm_account_deletion",
    "request_account_deletion_cancel",
    "cancel_account_deletion",
    "decide_account_deletion",
    "decide_account_deletion/run",
    "end_customer_sessions",
    "update_customer",
    "list_referrals",
    "retrieve_customer",
    "adopt_verification",
    "adopt_verification/phone",
    "verify_email",
    "verify_phone",
    "create_user",
    "create_api_key",
    "process_account_deletions",
    "prune",
];

const ANN: &str = "ann@shop.test";
const PHONE: &str = "+15551234567";
/// What Ann changes to.
const NEW: &str = "new@shop.test";
const NEW_PASSWORD: &str = "C0rrect-horse-battery";

/// A registration's token.
async fn registered(shop: &Shop, email: &str) -> String {
    register::run(&shop.app, registration(ContactType::Email, email)).await.unwrap().token
}

/// Ann, who has proven nothing yet: a registration's token, and the id.
async fn account(shop: &Shop) -> (String, String) {
    let token = registered(shop, ANN).await;
    let id = shop.create(&shop.read(&token), Some(ANN), Some(PHONE)).await;
    (token, id)
}

/// Ann with a proven e-mail: a login token, and the id.
async fn member(shop: &Shop) -> (String, String) {
    let (token, id) = account(shop).await;
    let claims = shop.read(&token);
    let (otp, code) = shop.code(&claims, &id, ContactType::Email).await;
    let verified = verify_otp::run(&shop.app, guess(&otp, &code, Some(&claims))).await.unwrap();
    (verified.login.unwrap(), id)
}

/// Ann's wish for another e-mail: the code's token and the code.
async fn wish(shop: &Shop, id: &str) -> (String, String) {
    let input = send_contact_change_otp::Input {
        customer_id: CustomerId::from_stored(id),
        contact_type: ContactType::Email,
        new_value: NEW.to_owned(),
        address: None,
    };
    let otp = send_contact_change_otp::run(&shop.app, input).await.unwrap().token;
    let code = shop.code_of(&otp).await;
    (otp, code)
}

/// The state before a case, and its deed.
pub(super) async fn prepare(shop: &Shop, case: &str) -> Deed {
    match case {
        "create_user" => Deed::CreateUser { email: "admin@shop.test".to_owned() },
        "create_api_key" => Deed::CreateApiKey,
        "register" => {
            registered(shop, ANN).await;
            Deed::Register { email: ANN.to_owned(), password: PASSWORD.to_owned() }
        }
        "create_customer" => {
            let (_, friend) = shop.account("friend@shop.test", None).await;
            let (token, email) = (registered(shop, ANN).await, ANN.to_owned());
            Deed::CreateCustomer { token, email, phone: Some(PHONE.to_owned()), referral_code: Some(friend) }
        }
        "send_otp"
        | "verify_otp"
        | "verify_otp/phone"
        | "verify_email"
        | "verify_phone"
        | "adopt_verification"
        | "adopt_verification/phone"
        | "prune" => prepare_unproven(shop, case).await,
        "request_password_reset" | "complete_password_reset" => {
            member(shop).await;
            let email = ANN.to_owned();
            if case == "request_password_reset" {
                return Deed::RequestPasswordReset { email };
            }
            let reset = shop.reset_token(ContactType::Email, ANN).await;
            Deed::CompletePasswordReset { email, reset, password: NEW_PASSWORD.to_owned() }
        }
        "confirm_account_deletion"
        | "request_account_deletion_cancel"
        | "cancel_account_deletion"
        | "decide_account_deletion"
        | "decide_account_deletion/run"
        | "process_account_deletions" => prepare_leaving(shop, case).await,
        _ => prepare_member(shop, case).await,
    }
}

/// With an account that has proven nothing.
async fn prepare_unproven(shop: &Shop, case: &str) -> Deed {
    let (token, id) = account(shop).await;
    let contact = if case == "verify_otp/phone" { ContactType::Phone } else { ContactType::Email };
    match case {
        "send_otp" => Deed::SendOtp { token, id, contact: "email".to_owned() },
        "verify_email" => Deed::VerifyEmail { id },
        "verify_phone" => Deed::VerifyPhone { id },
        "adopt_verification" | "adopt_verification/phone" => {
            let (value, entity_type) = if case == "adopt_verification" { (ANN, "email") } else { (PHONE, "phone") };
            let sql = format!(
                "insert into auth_verification (id, auth_identity_id, entity_id, entity_type, code_provider, \
                 verified_at, requested_at, created_at, updated_at) select 'authver_1', auth_identity_id, '{value}', \
                 '{entity_type}', 'token', '{START}', '{START}', '{START}', '{START}' from provider_identity"
            );
            shop.database.sql(&sql).await;
            Deed::RetrieveCustomer { id }
        }
        _ => {
            let (otp, code) = shop.code(&shop.read(&token), &id, contact).await;
            if case == "prune" {
                shop.clock.advance_seconds(3 * 86_400);
                return Deed::Prune;
            }
            Deed::VerifyOtp { otp, code, token }
        }
    }
}

/// With a member who is about to leave.
async fn prepare_leaving(shop: &Shop, case: &str) -> Deed {
    let (_, id) = member(shop).await;
    let customer = CustomerId::from_stored(id.clone());
    if case == "confirm_account_deletion" {
        let input = crate::deletion::wish(&customer);
        let otp = cr_core::workflows::request_account_deletion::run(&shop.app, input).await.unwrap().token;
        let code = shop.code_of(&otp).await;
        return Deed::ConfirmAccountDeletion { otp, code };
    }
    let request = schedule(shop, &customer).await;
    match case {
        "request_account_deletion_cancel" => Deed::RequestAccountDeletionCancel { email: ANN.to_owned() },
        "cancel_account_deletion" => {
            let input = request_account_deletion_cancel::Input {
                contact: ContactType::Email,
                identifier: ANN.to_owned(),
                address: None,
            };
            let otp = request_account_deletion_cancel::run(&shop.app, input).await.unwrap().token;
            let code = shop.code_of(&otp).await;
            Deed::CancelAccountDeletion { otp, code }
        }
        "decide_account_deletion" => Deed::DecideAccountDeletion { request, decision: "hold".to_owned() },
        "decide_account_deletion/run" => Deed::DecideAccountDeletion { request, decision: "run".to_owned() },
        _ => {
            shop.clock.advance_seconds(8 * 86_400);
            Deed::ProcessAccountDeletions
        }
    }
}

/// With a member in good standing.
async fn prepare_member(shop: &Shop, case: &str) -> Deed {
    let (token, id) = member(shop).await;
    match case {
        "send_contact_change_otp" => {
            Deed::SendContactChangeOtp { id, contact: "email".to_owned(), value: NEW.to_owned() }
        }
        "update_contact" => {
            let (otp, code) = wish(shop, &id).await;
            Deed::UpdateContact { id, token, otp, code }
        }
        "undo_contact_change" => {
            let (otp, code) = wish(shop, &id).await;
            let customer_id = CustomerId::from_stored(id);
            let input = update_contact::Input { customer_id, claims: shop.read(&token), token: otp, code };
            update_contact::run(&shop.app, input).await.unwrap();
            let notice = shop.messages("contact_change_notice").await.remove(0);
            Deed::UndoContactChange { undo: notice.data["undo_url"].split_once("token=").unwrap().1.to_owned() }
        }
        "change_password" => Deed::ChangePassword { id, token, old: PASSWORD.to_owned(), new: NEW_PASSWORD.to_owned() },
        "request_account_deletion" => Deed::RequestAccountDeletion { id },
        "end_customer_sessions" => Deed::EndCustomerSessions { id },
        "update_customer" => Deed::UpdateCustomer { id, first_name: "Anna".to_owned() },
        "list_referrals" => Deed::ListReferrals { id },
        "retrieve_customer" => {
            // Somebody wrote past us, so that a flag has to be put right.
            shop.database.sql(&format!("update customer set email = '{NEW}' where id = '{id}'")).await;
            Deed::RetrieveCustomer { id }
        }
        other => panic!("there is no case {other}"),
    }
}
