//! What a process is told to do: each workflow by the name of its file, the worker and the jobs. A deed travels as one line of JSON.

use std::time::Duration;

use cr_core::app::App;
use cr_core::delivery::retry::RetryPolicy;
use cr_core::delivery::worker::Worker;
use cr_core::error::Error;
use cr_core::jobs::{process_account_deletions, prune};
use cr_core::modules::account_deletion_request::service::Decision;
use cr_core::modules::auth::token::{self, AuthClaims};
use cr_core::options::ContactType;
use cr_core::providers::notification::webhook::WebhookOptions;
use cr_core::providers::notification::{ProviderOptions, ProviderSettings, Providers};
use cr_core::storage::outbox;
use cr_core::workflows::create_api_key::ApiKeyType;
use cr_core::workflows::decide_account_deletion::Administrator;
use cr_core::workflows::{
    cancel_account_deletion, change_password, complete_password_reset, confirm_account_deletion, create_api_key,
    create_customer, create_user, decide_account_deletion, end_customer_sessions, list_referrals, login, register,
    request_account_deletion, request_account_deletion_cancel, request_password_reset, retrieve_customer,
    send_contact_change_otp, send_otp, undo_contact_change, update_contact, update_customer, verify_email, verify_otp,
    verify_phone,
};
use cr_db::models::customer;
use cr_types::ids::CustomerId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::SECRET;
use crate::shop;

/// Between two looks of who waits for the worker.
const LOOK: Duration = Duration::from_millis(5);

/// Who decides.
const BY: Administrator<'static> = Administrator { actor_type: "user", actor_id: "user_1" };

/// One deed with all that it needs. Tokens and codes are texts, as a client has them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub(super) enum Deed {
    Register { email: String, password: String },
    CreateCustomer { token: String, email: String, phone: Option<String>, referral_code: Option<String> },
    Login { email: String, password: String },
    SendOtp { token: String, id: String, contact: String },
    VerifyOtp { otp: String, code: String, token: String },
    SendContactChangeOtp { id: String, contact: String, value: String },
    UpdateContact { id: String, token: String, otp: String, code: String },
    UndoContactChange { undo: String },
    ChangePassword { id: String, token: String, old: String, new: String },
    RequestPasswordReset { email: String },
    CompletePasswordReset { email: String, reset: String, password: String },
    RequestAccountDeletion { id: String },
    ConfirmAccountDeletion { otp: String, code: String },
    RequestAccountDeletionCancel { email: String },
    CancelAccountDeletion { otp: String, code: String },
    DecideAccountDeletion { request: String, decision: String },
    EndCustomerSessions { id: String },
    UpdateCustomer { id: String, first_name: String },
    ListReferrals { id: String },
    RetrieveCustomer { id: String },
    VerifyEmail { id: String },
    VerifyPhone { id: String },
    CreateUser { email: String },
    CreateApiKey,
    Deliver,
    ProcessAccountDeletions,
    Prune,
}

/// E-mail or phone, by Medusa's word.
fn contact_type(word: &str) -> ContactType {
    if word == "phone" { ContactType::Phone } else { ContactType::Email }
}

/// A password or a key.
fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

/// What a token says.
fn claims(app: &App, token: &str) -> Result<AuthClaims, Error> {
    token::read_auth(&app.shared.keys, token, app.shared.env.clock.now()).ok_or_else(Error::unauthenticated)
}

impl Deed {
    /// Does it. The answer holds what a client would need of it.
    pub(super) async fn run(self, app: &App, sink: &str) -> Result<Value, Error> {
        match self {
            Self::Deliver => {
                deliver(app, sink).await?;
                Ok(Value::Null)
            }
            Self::ProcessAccountDeletions => {
                let report = process_account_deletions::run(app, &CancellationToken::new(), |_| {}).await?;
                Ok(json!({"completed": report.completed, "failed": report.failed}))
            }
            Self::Prune => Ok(json!(prune::run(app).await?)),
            Self::RequestPasswordReset { email } => {
                request_password_reset::run(app, shop::reset(ContactType::Email, &email)).await.map(Value::from)
            }
            Self::UndoContactChange { undo } => undo_contact_change::run(app, &undo).await.map(Value::from),
            Self::CreateUser { email } => Ok(json!(create_user::run(app, &email, secret(shop::PASSWORD)).await?)),
            Self::CreateApiKey => Ok(json!(create_api_key::run(app, ApiKeyType::Secret, "Shop").await?)),
            Self::RequestAccountDeletionCancel { email } => {
                let input = request_account_deletion_cancel::Input {
                    contact: ContactType::Email,
                    identifier: email,
                    address: None,
                };
                Ok(json!({"otp": request_account_deletion_cancel::run(app, input).await?.token}))
            }
            Self::ConfirmAccountDeletion { otp, code } => {
                let input = confirm_account_deletion::Input { token: otp, code };
                Ok(json!(confirm_account_deletion::run(app, input).await?.id))
            }
            Self::CancelAccountDeletion { otp, code } => {
                let input = cancel_account_deletion::Input { token: otp, code };
                Ok(json!(cancel_account_deletion::run(app, input).await?.id))
            }
            Self::EndCustomerSessions { id } => {
                let id = CustomerId::from_stored(id);
                Ok(json!(end_customer_sessions::run(app, &id, &BY).await?))
            }
            Self::DecideAccountDeletion { request, decision } => {
                let decision = if decision == "run" { Decision::Run } else { Decision::Hold };
                Ok(json!(decide_account_deletion::run(app, &request, decision, &BY).await?.id))
            }
            entering @ (Self::Register { .. } | Self::CreateCustomer { .. } | Self::Login { .. }) => {
                entering.enter(app).await
            }
            coding @ (Self::SendOtp { .. } | Self::VerifyOtp { .. } | Self::CompletePasswordReset { .. }) => {
                coding.prove(app).await
            }
            own => own.run_as_customer(app).await,
        }
    }

    /// The ways into a shop.
    async fn enter(self, app: &App) -> Result<Value, Error> {
        match self {
            Self::Register { email, password } => {
                let input =
                    register::Input { password: secret(&password), ..shop::registration(ContactType::Email, &email) };
                Ok(json!({"token": register::run(app, input).await?.token}))
            }
            Self::CreateCustomer { token, email, phone, referral_code } => {
                let claims = claims(app, &token)?;
                let input =
                    create_customer::Input { referral_code, ..shop::customer(&claims, Some(&email), phone.as_deref()) };
                Ok(json!({"id": create_customer::run(app, input).await?.customer.get("id")}))
            }
            Self::Login { email, password } => {
                let input =
                    login::Input { password: secret(&password), ..shop::credentials(ContactType::Email, &email) };
                Ok(json!({"token": login::run(app, input).await?.token}))
            }
            other => panic!("{other:?} is no way in"),
        }
    }

    /// Codes and links.
    async fn prove(self, app: &App) -> Result<Value, Error> {
        match self {
            Self::SendOtp { token, id, contact } => {
                let claims = claims(app, &token)?;
                let input = send_otp::Input {
                    contact: contact_type(&contact),
                    named: send_otp::Named::Customer(id),
                    claims: Some(claims),
                    session: None,
                    address: None,
                };
                Ok(json!({"otp": send_otp::run(app, input).await?.token}))
            }
            Self::VerifyOtp { otp, code, token } => {
                let claims = claims(app, &token)?;
                Ok(json!({"token": verify_otp::run(app, shop::guess(&otp, &code, Some(&claims))).await?.login}))
            }
            Self::CompletePasswordReset { email, reset, password } => {
                let input = complete_password_reset::Input {
                    actor_type: "customer".to_owned(),
                    contact: ContactType::Email,
                    identifier: email,
                    token: reset,
                    password: secret(&password),
                };
                complete_password_reset::run(app, input).await.map(Value::from)
            }
            other => panic!("{other:?} proves nothing"),
        }
    }

    /// What a customer does with their own account, named by its id.
    async fn run_as_customer(self, app: &App) -> Result<Value, Error> {
        let customer_id = CustomerId::from_stored;
        match self {
            Self::SendContactChangeOtp { id, contact, value } => {
                let input = send_contact_change_otp::Input {
                    customer_id: customer_id(id),
                    contact_type: contact_type(&contact),
                    new_value: value,
                    address: None,
                };
                Ok(json!({"otp": send_contact_change_otp::run(app, input).await?.token}))
            }
            Self::UpdateContact { id, token, otp, code } => {
                let claims = claims(app, &token)?;
                let input = update_contact::Input { customer_id: customer_id(id), claims, token: otp, code };
                Ok(json!({"token": update_contact::run(app, input).await?.token}))
            }
            Self::ChangePassword { id, token, old, new } => {
                let input = change_password::Input {
                    customer_id: customer_id(id),
                    claims: claims(app, &token)?,
                    old_password: secret(&old),
                    new_password: secret(&new),
                    confirm_password: secret(&new),
                };
                Ok(json!({"token": change_password::run(app, input).await?.token}))
            }
            Self::RequestAccountDeletion { id } => {
                let input =
                    request_account_deletion::Input { customer_id: customer_id(id), reason: None, address: None };
                Ok(json!({"otp": request_account_deletion::run(app, input).await?.token}))
            }
            Self::UpdateCustomer { id, first_name } => {
                let input = update_customer::Input { first_name: Some(Some(first_name)), ..Default::default() };
                Ok(Value::Object(update_customer::run(app, &customer_id(id), input).await?))
            }
            Self::ListReferrals { id } => {
                Ok(json!({"code": list_referrals::run(app, &customer_id(id), None).await?.referral_code}))
            }
            Self::RetrieveCustomer { id } => {
                let mut tx = app.db.read().await?;
                let found = customer::find(&mut tx, &customer_id(id)).await?.ok_or_else(Error::unauthenticated)?;
                drop(tx);
                Ok(Value::Object(retrieve_customer::run(app, &found, &[]).await?.body()))
            }
            Self::VerifyEmail { id } => Ok(json!(verify_email::run(app, &customer_id(id)).await?.email_verified)),
            Self::VerifyPhone { id } => Ok(json!(verify_phone::run(app, &customer_id(id)).await?.phone_verified)),
            other => panic!("{other:?} is no deed of a customer"),
        }
    }
}

/// Lets the worker run as the program does, until nothing waits any more.
async fn deliver(app: &App, sink: &str) -> Result<(), Error> {
    let posts = ProviderSettings {
        id: "sink".to_owned(),
        channels: vec!["email".to_owned(), "sms".to_owned()],
        options: ProviderOptions::Webhook(WebhookOptions { url: secret(sink), secret: secret(SECRET), ca_file: None }),
    };
    let providers = Providers::build(&[posts]).and_then(|all| all.with_events(&app.shared.options.event_webhooks));
    let providers = providers.unwrap_or_else(|problems| panic!("{problems:?}"));
    let stop = CancellationToken::new();
    let mut worker = JoinSet::new();
    worker.spawn(Worker::new(app.clone(), providers, RetryPolicy::default()).run(stop.clone()));
    while outbox::look(&app.db, 1).await?.0.pending > 0 {
        tokio::time::sleep(LOOK).await;
    }
    stop.cancel();
    worker.join_all().await;
    Ok(())
}
