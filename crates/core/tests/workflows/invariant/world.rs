//! The people of one sequence, their letter boxes, and the second opinion on who has proven what.

use std::collections::BTreeSet;

use cr_core::delivery::payload::Payload;
use cr_core::keys::Seal;
use cr_core::modules::auth::session::{self, is_verified};
use cr_core::modules::auth::token::{AuthClaims, OtpKind};
use cr_core::options::ContactType;
use cr_db::models::customer;
use cr_testkit::connection::TestConnection;
use cr_types::ids::CustomerId;

use crate::shop::Shop;

/// How many of each there are: enough to get into each other's way.
pub(super) const PEOPLE: usize = 3;
const BOTH: [ContactType; 2] = [ContactType::Email, ContactType::Phone];

/// Somebody with a browser.
#[derive(Default)]
pub(super) struct Person {
    /// Of their last registration.
    pub(super) registered: Option<AuthClaims>,
    /// Of their last customer.
    pub(super) id: Option<CustomerId>,
    /// Of their last login.
    pub(super) login: Option<AuthClaims>,
}

/// A message in the box of its recipient.
pub(super) struct Letter {
    /// What it is sent for, such as the id of the code's row.
    pub(super) key: String,
    /// Whose account it is about.
    pub(super) about: CustomerId,
    /// On which channel it came.
    pub(super) contact: ContactType,
    /// What it says.
    pub(super) payload: Payload,
}

/// A contact that somebody is believed to have proven.
type Belief = (CustomerId, ContactType, String);

/// One sequence's people.
pub(super) struct World<'a> {
    pub(super) shop: &'a Shop,
    pub(super) connection: &'a mut TestConnection,
    pub(super) people: [Person; PEOPLE],
    pub(super) letters: Vec<Letter>,
    /// Tokens that the answers of sends held, whoever asked.
    pub(super) tokens: Vec<(OtpKind, String)>,
    number: u32,
    /// The newest message that is in the boxes already.
    newest: String,
    /// Every account that there ever was here.
    accounts: Vec<CustomerId>,
    /// What is proven now.
    believed: BTreeSet<Belief>,
    /// What was proven before something else took its place: only an undo brings it back.
    past: BTreeSet<Belief>,
}

impl<'a> World<'a> {
    /// Nobody has done anything yet.
    pub(super) fn new(shop: &'a Shop, connection: &'a mut TestConnection, number: u32) -> Self {
        Self {
            shop,
            connection,
            people: Default::default(),
            letters: Vec::new(),
            tokens: Vec::new(),
            number,
            newest: String::new(),
            accounts: Vec::new(),
            believed: BTreeSet::new(),
            past: BTreeSet::new(),
        }
    }

    /// One of the contacts of this sequence; e-mails come in two spellings.
    pub(super) fn contact(&self, contact: ContactType, index: usize) -> String {
        let (number, index) = (self.number, index % PEOPLE);
        match contact {
            ContactType::Email if index == 2 => format!("P2.{number}@Shop.test"),
            ContactType::Email => format!("p{index}.{number}@shop.test"),
            ContactType::Phone => format!("+1555{:07}", u64::from(number) * 3 + index as u64),
        }
    }

    /// The form in which two spellings of a contact are one.
    fn folded(contact: ContactType, value: &str) -> String {
        if contact == ContactType::Email { value.to_lowercase() } else { value.to_owned() }
    }

    /// A second of time passes, so that what comes later is later.
    pub(super) async fn begin(&mut self) {
        self.shop.clock.advance_seconds(1);
        if self.newest.is_empty() {
            let newest = self.connection.rows("select max(id) as id from cr_outbox").await;
            self.newest = newest[0]["id"].as_str().unwrap_or("0").to_owned();
        }
    }

    /// A person's login token, if the guard lets it in to an account that is not leaving.
    pub(super) async fn let_in(&self, person: usize) -> Option<(AuthClaims, CustomerId)> {
        let claims = self.people[person].login.clone()?;
        let mut tx = self.shop.app.db.read().await.unwrap();
        let found = session::live_customer(&mut tx, &claims, false).await.ok()?;
        (!found.is_deletion_active).then_some((claims, found.customer.id))
    }

    /// Remembers an account that came about from a registration of `value`. A reset of the password may have been asked for before: that
    /// letter was about nobody yet, and is about this account now.
    pub(super) fn remember(&mut self, id: &CustomerId, contact: ContactType, value: &str) {
        let value = Self::folded(contact, value);
        for letter in &mut self.letters {
            let to = Self::folded(letter.contact, &letter.payload.to);
            if !self.accounts.contains(&letter.about) && (letter.contact, &to) == (contact, &value) {
                letter.about = id.clone();
            }
        }
        self.accounts.push(id.clone());
    }

    /// Somebody who held a letter showed what was in it, and the server took it: whoever else was believed to have the contact has
    /// it no more.
    pub(super) fn shown(&mut self, about: &CustomerId, contact: ContactType, value: &str) {
        let value = Self::folded(contact, value);
        for beliefs in [&mut self.believed, &mut self.past] {
            beliefs.retain(|(whose, what, which)| whose == about || (*what, which) != (contact, &value));
        }
        self.believed.insert((about.clone(), contact, value));
    }

    /// A change of an account was undone: what was proven before it may be true again.
    pub(super) fn undone(&mut self, about: &CustomerId) {
        let back: Vec<Belief> = self.past.iter().filter(|(whose, ..)| whose == about).cloned().collect();
        self.believed.extend(back);
    }

    /// Delivers what was sent, and compares every flag with what is believed.
    ///
    /// # Errors
    /// The flag that is true although nobody proved its value, or that two accounts have.
    pub(super) async fn judge(&mut self) -> Result<(), String> {
        self.deliver().await;
        let mut now = BTreeSet::new();
        let mut tx = self.shop.app.db.read().await.unwrap();
        for id in &self.accounts {
            let Some(customer) = customer::find(&mut tx, id).await.unwrap() else { continue };
            for contact in BOTH.into_iter().filter(|contact| is_verified(&customer, *contact)) {
                let value = match contact {
                    ContactType::Email => customer.email.clone(),
                    ContactType::Phone => customer.phone.clone(),
                };
                let belief = (id.clone(), contact, Self::folded(contact, &value.unwrap_or_default()));
                if !self.believed.contains(&belief) {
                    return Err(format!("{belief:?} is true and was never proven"));
                }
                if now.iter().any(|(_, what, which)| (*what, which) == (contact, &belief.2)) {
                    return Err(format!("{belief:?} is true for two accounts"));
                }
                now.insert(belief);
            }
        }
        drop(tx);
        self.past.extend(self.believed.difference(&now).cloned());
        self.believed = now;
        Ok(())
    }

    /// Puts every message that was written since the last time into its box; what goes nowhere lies in none.
    async fn deliver(&mut self) {
        let sql = format!(
            "select id, payload, channel, receiver_id, idempotency_key from cr_outbox where id > '{}' order by id",
            self.newest
        );
        for row in self.connection.rows(&sql).await {
            let text = |name: &str| row[name].as_str().unwrap_or_default();
            text("id").clone_into(&mut self.newest);
            let contact = match text("channel") {
                "email" => ContactType::Email,
                "sms" => ContactType::Phone,
                _ => continue,
            };
            let opened = self.shop.app.shared.keys.open(Seal::Outbox, text("id"), text("payload")).unwrap();
            self.letters.push(Letter {
                key: text("idempotency_key").to_owned(),
                about: CustomerId::from_stored(text("receiver_id")),
                contact,
                payload: serde_json::from_slice(&opened).unwrap(),
            });
        }
    }
}
