//! The customer: profile, codes, contacts, password, referrals.

use cr_types::http::{
    CodeSent, ContactChanged, Customer, CustomerBody, PasswordChanged, Referrals, Restored, Verified,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Client, Contact, Error, object};

/// A customer to be made. What is `None` is not sent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewCustomer<'a> {
    /// The registered one, or one besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// The registered one, or one besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<&'a str>,
    /// The first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<&'a str>,
    /// The last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<&'a str>,
    /// The company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_name: Option<&'a str>,
    /// Who brought them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referral_code: Option<&'a str>,
    /// Whatever the shop keeps there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// What changes of a profile. The outer `None` leaves a field, `Some(None)` empties it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Profile<'a> {
    /// The first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<Option<&'a str>>,
    /// The last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<Option<&'a str>>,
    /// The company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_name: Option<Option<&'a str>>,
    /// Keys that change; a key with an empty text goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// Which contact a code is to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `email_verification`.
    Email,
    /// `phone_verification`.
    Phone,
}

/// Whose contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom<'a> {
    /// By `cus_…`.
    Customer(&'a str),
    /// By the contact.
    Contact(Contact<'a>),
}

/// Part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Entries at most, 1000 being the most.
    pub limit: u32,
    /// Entries left out.
    pub offset: u64,
}

impl Client {
    /// Makes the customer of a registration token.
    ///
    /// # Errors
    /// 400 for bad input or an unknown referral code; 401; 422 when an account has a contact.
    pub async fn create_customer(&self, registered: &str, new: &NewCustomer<'_>) -> Result<CustomerBody, Error> {
        self.post("/store/customers", Some(registered), new).await
    }

    /// The customer of a login token.
    ///
    /// # Errors
    /// 401; 403 while the account is leaving.
    pub async fn me(&self, token: &str) -> Result<Customer, Error> {
        let body: CustomerBody = self.get("/store/customers/me", token).await?;
        Ok(body.customer)
    }

    /// Changes the profile. Contacts change by [`Client::change_contact`].
    ///
    /// # Errors
    /// 400 for bad input; 401; 403 while the account is leaving.
    pub async fn update_customer(&self, token: &str, profile: &Profile<'_>) -> Result<Customer, Error> {
        let body: CustomerBody = self.post("/store/customers/me", Some(token), profile).await?;
        Ok(body.customer)
    }

    /// Sends a code to a contact that is not proven yet. Without a token of that customer the answer is the same for everybody.
    ///
    /// # Errors
    /// 400 for bad input or, with such a token, a contact that is missing or proven; 429 with the seconds to wait.
    pub async fn send_otp(&self, token: Option<&str>, purpose: Purpose, whom: Whom<'_>) -> Result<CodeSent, Error> {
        let kind = match purpose {
            Purpose::Email => "email_verification",
            Purpose::Phone => "phone_verification",
        };
        let named = match whom {
            Whom::Customer(id) => ("customer_id", Some(id)),
            Whom::Contact(contact) => contact.pair(),
        };
        self.post("/store/customers/otp/send", token, &object([("type", Some(kind)), named])).await
    }

    /// Proves a contact by the code that came. With a token of that customer's the answer may hold a login token.
    ///
    /// # Errors
    /// 401 for a token that is none; 400 for a wrong, expired or used code, code `otp_locked` after too many.
    pub async fn verify_otp(&self, token: Option<&str>, otp_token: &str, code: &str) -> Result<Verified, Error> {
        self.post("/store/customers/otp/verify", token, &came_back(otp_token, code)).await
    }

    /// Sends a code to a contact that the customer wants to have.
    ///
    /// # Errors
    /// 400 for bad input or the present contact; 401; 422 when another account has proven it; 429.
    pub async fn change_contact(&self, token: &str, contact: Contact<'_>) -> Result<CodeSent, Error> {
        self.post("/store/customers/me/contact", Some(token), &object([contact.pair()])).await
    }

    /// Changes the contact by the code that came. All other sessions of the customer are over.
    ///
    /// # Errors
    /// As [`Client::verify_otp`]; 401 for somebody else's token; 422 when another account has proven the contact meanwhile.
    pub async fn verify_contact(&self, token: &str, otp_token: &str, code: &str) -> Result<ContactChanged, Error> {
        self.post("/store/customers/me/contact/verify", Some(token), &came_back(otp_token, code)).await
    }

    /// Takes a change of contact back, with the token of the link in the notice.
    ///
    /// # Errors
    /// 401 for a token that is none or too old; 400 when there is nothing to take back.
    pub async fn undo_contact_change(&self, undo_token: &str) -> Result<Restored, Error> {
        self.post("/store/customers/contact/undo", None, &object([("token", Some(undo_token))])).await
    }

    /// Changes the password. All other sessions of the customer are over.
    ///
    /// # Errors
    /// 401 for a wrong old one; 400 for a new one against the policy; 409 when it changed meanwhile; 429.
    pub async fn change_password(
        &self,
        token: &str,
        old: &SecretString,
        new: &SecretString,
    ) -> Result<PasswordChanged, Error> {
        let new = Some(new.expose_secret());
        let body = [("old_password", Some(old.expose_secret())), ("new_password", new), ("confirm_password", new)];
        self.post("/store/customers/change-password", Some(token), &object(body)).await
    }

    /// Whom the customer brought, and the code that brings more; all of them without a page.
    ///
    /// # Errors
    /// 401; 403 while the account is leaving.
    pub async fn my_referrals(&self, token: &str, page: Option<Page>) -> Result<Referrals, Error> {
        let query = page.map(|page| format!("?limit={}&offset={}", page.limit, page.offset)).unwrap_or_default();
        self.get(&format!("/store/my-referrals{query}"), token).await
    }
}

/// `{token, code}`.
pub(crate) fn came_back(token: &str, code: &str) -> Value {
    object([("token", Some(token)), ("code", Some(code))])
}
