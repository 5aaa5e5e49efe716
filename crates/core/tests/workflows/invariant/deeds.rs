//! What people do. Whatever is impossible at the moment is not done, and whatever is refused changes nothing.

use cr_core::jobs::process_account_deletions;
use cr_core::modules::auth::token::{self, OtpKind};
use cr_core::options::{ContactType, Identifier};
use cr_core::workflows::{
    cancel_account_deletion, change_password, complete_password_reset, confirm_account_deletion, create_customer,
    login, register, request_account_deletion, request_account_deletion_cancel, request_password_reset,
    send_contact_change_otp, send_otp, undo_contact_change, update_contact, update_customer, verify_otp,
};
use cr_types::ids::CustomerId;
use proptest::prelude::*;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::world::{PEOPLE, World};
use crate::shop::{PASSWORD, credentials, customer, guess, registration, reset};

/// The number of a token that chooses among all kinds.
const ANY_KIND: usize = 3;

/// One of the two channels, by a number.
fn channel(number: usize) -> ContactType {
    if number.is_multiple_of(2) { ContactType::Email } else { ContactType::Phone }
}

/// What came with a token: the code of its message, or one that somebody made up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Guess {
    Right,
    Wrong,
    OfAnotherLetter,
}

/// One deed. Numbers choose a person, a contact, a token or a letter, by their remainder.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Register { person: usize, contact: usize },
    Create { person: usize, email: usize, phone: usize },
    Login { person: usize, channel: usize, contact: usize },
    SendOtp { person: usize, of: usize, channel: usize, contact: Option<usize>, signed_in: bool },
    VerifyOtp { person: usize, token: usize, guess: Guess, signed_in: bool },
    ChangeContact { person: usize, channel: usize, contact: usize },
    VerifyContact { person: usize, token: usize, guess: Guess },
    Undo { letter: usize },
    RequestReset { channel: usize, contact: usize },
    CompleteReset { letter: usize },
    ChangePassword { person: usize },
    RequestDeletion { person: usize },
    ConfirmDeletion { token: usize, guess: Guess },
    RequestStay { channel: usize, contact: usize },
    Stay { token: usize, guess: Guess },
    DaysPassAndTheJobRuns,
    AdminWritesContact { of: usize, channel: usize, contact: usize },
    ClaimsToBeVerified { person: usize },
}

/// Sequences that begin with two people who are there already, so that most of what follows is possible.
pub(super) fn sequences() -> impl Strategy<Value = Vec<Deed>> {
    let beginnings = (0..PEOPLE, 0..2usize).prop_map(|(contact, channel)| {
        [0, 1]
            .into_iter()
            .flat_map(|person| {
                [
                    Deed::Register { person, contact: contact + person },
                    Deed::Create { person, email: contact + person, phone: contact + person },
                    Deed::SendOtp { person, of: person, channel, contact: None, signed_in: true },
                    Deed::VerifyOtp { person, token: 0, guess: Guess::Right, signed_in: true },
                ]
            })
            .collect::<Vec<_>>()
    });
    (beginnings, prop::collection::vec(deed(), 1..14)).prop_map(|(mut deeds, more)| {
        deeds.extend(more);
        deeds
    })
}

/// Any deed, the ones that matter more often.
fn deed() -> impl Strategy<Value = Deed> {
    // Mostly the two who are there already, and mostly the newest token and letter: so that one deed leads to another.
    let person = prop_oneof![4 => Just(0usize), 3 => Just(1), 1 => Just(2)];
    let (channel, contact) = (0..2usize, 0..PEOPLE);
    let token = prop_oneof![5 => Just(0usize), 2 => Just(1), 1 => Just(2), 1 => Just(3)];
    let letter = prop_oneof![3 => Just(0usize), 2 => Just(1), 1 => 2..6usize];
    let guess = prop_oneof![6 => Just(Guess::Right), 1 => Just(Guess::Wrong), 1 => Just(Guess::OfAnotherLetter)];
    prop_oneof![
        2 => (person.clone(), contact.clone()).prop_map(|(person, contact)| Deed::Register { person, contact }),
        2 => (person.clone(), contact.clone(), contact.clone())
            .prop_map(|(person, email, phone)| Deed::Create { person, email, phone }),
        2 => (person.clone(), channel.clone(), contact.clone())
            .prop_map(|(person, channel, contact)| Deed::Login { person, channel, contact }),
        4 => (person.clone(), person.clone(), channel.clone(), prop::option::of(contact.clone()), any::<bool>())
            .prop_map(|(person, of, channel, contact, signed_in)| Deed::SendOtp { person, of, channel, contact, signed_in }),
        5 => (person.clone(), token.clone(), guess.clone(), any::<bool>())
            .prop_map(|(person, token, guess, signed_in)| Deed::VerifyOtp { person, token, guess, signed_in }),
        4 => (person.clone(), channel.clone(), contact.clone())
            .prop_map(|(person, channel, contact)| Deed::ChangeContact { person, channel, contact }),
        5 => (person.clone(), token.clone(), guess.clone())
            .prop_map(|(person, token, guess)| Deed::VerifyContact { person, token, guess }),
        3 => letter.clone().prop_map(|letter| Deed::Undo { letter }),
        2 => (channel.clone(), contact.clone()).prop_map(|(channel, contact)| Deed::RequestReset { channel, contact }),
        3 => letter.prop_map(|letter| Deed::CompleteReset { letter }),
        1 => person.clone().prop_map(|person| Deed::ChangePassword { person }),
        1 => person.clone().prop_map(|person| Deed::RequestDeletion { person }),
        1 => (token.clone(), guess.clone()).prop_map(|(token, guess)| Deed::ConfirmDeletion { token, guess }),
        1 => (channel.clone(), contact.clone()).prop_map(|(channel, contact)| Deed::RequestStay { channel, contact }),
        1 => (token, guess).prop_map(|(token, guess)| Deed::Stay { token, guess }),
        1 => Just(Deed::DaysPassAndTheJobRuns),
        3 => (person.clone(), channel, contact)
            .prop_map(|(of, channel, contact)| Deed::AdminWritesContact { of, channel, contact }),
        1 => person.prop_map(|person| Deed::ClaimsToBeVerified { person }),
    ]
}

impl Deed {
    /// Does it.
    pub(super) async fn run(self, world: &mut World<'_>) {
        match self {
            Self::Register { person, contact } => world.register(person, contact).await,
            Self::Create { person, email, phone } => world.create(person, email, phone).await,
            Self::Login { person, channel: on, contact } => world.log_in(person, channel(on), contact).await,
            Self::SendOtp { person, of, channel: on, contact, signed_in } => {
                world.send_otp(person, of, channel(on), contact, signed_in).await;
            }
            Self::VerifyOtp { person, token, guess, signed_in } => {
                world.verify_otp(person, token, guess, signed_in).await;
            }
            Self::ChangeContact { person, channel: on, contact } => {
                world.change_contact(person, channel(on), contact).await;
            }
            Self::VerifyContact { person, token, guess } => world.verify_contact(person, token, guess).await,
            Self::Undo { letter } => world.undo(letter).await,
            Self::RequestReset { channel: on, contact } => {
                let input = reset(channel(on), &world.contact(channel(on), contact));
                drop(request_password_reset::run(&world.shop.app, input).await);
            }
            Self::CompleteReset { letter } => world.complete_reset(letter).await,
            Self::ChangePassword { person } => world.change_password(person).await,
            Self::RequestDeletion { person } => world.request_deletion(person).await,
            Self::ConfirmDeletion { token, guess } => world.confirm_deletion(token, guess).await,
            Self::RequestStay { channel: on, contact } => {
                let identifier = world.contact(channel(on), contact);
                let input = request_account_deletion_cancel::Input { contact: channel(on), identifier, address: None };
                let sent = request_account_deletion_cancel::run(&world.shop.app, input).await;
                world.tokens.extend(sent.map(|sent| (OtpKind::Cancellation, sent.token)));
            }
            Self::Stay { token, guess } => world.stay(token, guess).await,
            Self::DaysPassAndTheJobRuns => {
                world.shop.clock.advance_seconds(8 * 86_400);
                process_account_deletions::run(&world.shop.app, &CancellationToken::new(), |_| {}).await.unwrap();
            }
            Self::AdminWritesContact { of, channel: on, contact } => world.admin_writes(of, channel(on), contact).await,
            Self::ClaimsToBeVerified { person } => world.claim(person).await,
        }
    }
}

/// An element counted from the newest.
fn newest<T>(list: &[T], number: usize) -> Option<&T> {
    list.len().checked_sub(1 + number % list.len().max(1)).and_then(|position| list.get(position))
}

impl World<'_> {
    /// By the contact that this shop registers.
    async fn register(&mut self, person: usize, contact: usize) {
        let by_phone = self.shop.app.shared.options.registration_identifier == Identifier::Phone;
        let channel = if by_phone { ContactType::Phone } else { ContactType::Email };
        let input = registration(channel, &self.contact(channel, contact));
        if let Ok(output) = register::run(&self.shop.app, input).await {
            self.people[person].registered = Some(self.shop.read(&output.token));
        }
    }

    async fn create(&mut self, person: usize, email: usize, phone: usize) {
        let Some(claims) = self.people[person].registered.clone() else { return };
        let (email, phone) = (self.contact(ContactType::Email, email), self.contact(ContactType::Phone, phone));
        let input = customer(&claims, Some(&email), Some(&phone));
        if let Ok(output) = create_customer::run(&self.shop.app, input).await {
            let id = CustomerId::from_stored(output.customer["id"].as_str().unwrap());
            let by_phone = self.shop.app.shared.options.registration_identifier == Identifier::Phone;
            let (channel, value) = if by_phone { (ContactType::Phone, phone) } else { (ContactType::Email, email) };
            self.remember(&id, channel, &value);
            self.people[person].id = Some(id);
        }
    }

    async fn log_in(&mut self, person: usize, channel: ContactType, contact: usize) {
        let input = credentials(channel, &self.contact(channel, contact));
        if let Ok(output) = login::run(&self.shop.app, input).await {
            self.people[person].login = Some(self.shop.read(&output.token));
        }
    }

    async fn send_otp(
        &mut self,
        person: usize,
        of: usize,
        contact: ContactType,
        named: Option<usize>,
        signed_in: bool,
    ) {
        let named = match (named, &self.people[of].id) {
            (Some(value), _) => send_otp::Named::Contact(contact, self.contact(contact, value)),
            (None, Some(id)) => send_otp::Named::Customer(id.as_str().to_owned()),
            (None, None) => return,
        };
        let claims = self.claims(person, signed_in);
        let input = send_otp::Input { contact, named, claims, session: None, address: None };
        let sent = send_otp::run(&self.shop.app, input).await;
        self.tokens.extend(sent.map(|sent| (OtpKind::Verify, sent.token)));
    }

    /// The token that a person's browser has, if it is sent.
    fn claims(&self, person: usize, signed_in: bool) -> Option<token::AuthClaims> {
        let person = &self.people[person];
        person.login.clone().or_else(|| person.registered.clone()).filter(|_| signed_in)
    }

    /// A token of a kind, now and then of any, with the code that a guess is; and, when it is the right one, the letter it was read in.
    fn guessed(&self, number: usize, guess: Guess, kind: OtpKind) -> Option<(String, String, Option<usize>)> {
        let fitting = |made: &&(OtpKind, String)| number == ANY_KIND || made.0 == kind;
        let tokens: Vec<&String> = self.tokens.iter().filter(fitting).map(|(_, token)| token).collect();
        let token = (*newest(&tokens, number)?).clone();
        let otp = token::read_otp(&self.shop.app.shared.keys, &token)?;
        let own = self.letters.iter().position(|letter| letter.key == otp.id.as_str());
        let read = match guess {
            Guess::Right => own,
            Guess::Wrong => None,
            Guess::OfAnotherLetter => self.letters.iter().rposition(|letter| letter.key != otp.id.as_str()),
        };
        let code = read.and_then(|letter| self.letters[letter].payload.data.get("code").cloned());
        Some((token, code.unwrap_or_else(|| "000000".to_owned()), own.filter(|_| matches!(guess, Guess::Right))))
    }

    /// The code of a letter was taken.
    fn taken(&mut self, letter: Option<usize>) {
        if let Some(letter) = letter {
            let (about, contact) = (self.letters[letter].about.clone(), self.letters[letter].contact);
            let to = self.letters[letter].payload.to.clone();
            self.shown(&about, contact, &to);
        }
    }

    async fn verify_otp(&mut self, person: usize, number: usize, chosen: Guess, signed_in: bool) {
        let Some((token, code, letter)) = self.guessed(number, chosen, OtpKind::Verify) else { return };
        let claims = self.claims(person, signed_in);
        if let Ok(output) = verify_otp::run(&self.shop.app, guess(&token, &code, claims.as_ref())).await {
            self.taken(letter);
            if let Some(login) = output.login {
                self.people[person].login = Some(self.shop.read(&login));
            }
        }
    }

    async fn change_contact(&mut self, person: usize, contact_type: ContactType, contact: usize) {
        let Some((_, customer_id)) = self.let_in(person).await else { return };
        let new_value = self.contact(contact_type, contact);
        let input = send_contact_change_otp::Input { customer_id, contact_type, new_value, address: None };
        let sent = send_contact_change_otp::run(&self.shop.app, input).await;
        self.tokens.extend(sent.map(|sent| (OtpKind::ContactChange, sent.token)));
    }

    async fn verify_contact(&mut self, person: usize, number: usize, guess: Guess) {
        let Some((claims, customer_id)) = self.let_in(person).await else { return };
        let Some((token, code, letter)) = self.guessed(number, guess, OtpKind::ContactChange) else { return };
        let input = update_contact::Input { customer_id, claims, token, code };
        if let Ok(output) = update_contact::run(&self.shop.app, input).await {
            self.taken(letter);
            self.people[person].login = Some(self.shop.read(&output.token));
        }
    }

    /// What follows a word in the newest letters that have it: the letter and the token.
    fn link(&self, number: usize, word: &str) -> Option<(usize, String)> {
        let links: Vec<(usize, String)> = self
            .letters
            .iter()
            .enumerate()
            .filter_map(|(position, letter)| {
                let (_, rest) = letter.payload.text.split_once(word)?;
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(rest.len());
                Some((position, rest[..end].to_owned()))
            })
            .collect();
        newest(&links, number).cloned()
    }

    async fn undo(&mut self, number: usize) {
        let Some((letter, token)) = self.link(number, "undo-contact-change?token=") else { return };
        if undo_contact_change::run(&self.shop.app, &token).await.is_ok() {
            let about = self.letters[letter].about.clone();
            self.undone(&about);
        }
    }

    async fn complete_reset(&mut self, number: usize) {
        let Some((letter, token)) = self.link(number, "reset-password?token=") else { return };
        let (contact, to) = (self.letters[letter].contact, self.letters[letter].payload.to.clone());
        let input = complete_password_reset::Input {
            actor_type: "customer".to_owned(),
            contact,
            identifier: to,
            token,
            password: SecretString::from(PASSWORD.to_owned()),
        };
        if complete_password_reset::run(&self.shop.app, input).await.is_ok() {
            self.taken(Some(letter));
        }
    }

    async fn change_password(&mut self, person: usize) {
        let Some((claims, customer_id)) = self.let_in(person).await else { return };
        let secret = |text: &str| SecretString::from(text.to_owned());
        let new = "another g00d one";
        for (old, new) in [(PASSWORD, new), (new, PASSWORD)] {
            let input = change_password::Input {
                customer_id: customer_id.clone(),
                claims: claims.clone(),
                old_password: secret(old),
                new_password: secret(new),
                confirm_password: secret(new),
            };
            if let Ok(output) = change_password::run(&self.shop.app, input).await {
                self.people[person].login = Some(self.shop.read(&output.token));
            }
        }
    }

    async fn request_deletion(&mut self, person: usize) {
        let Some((_, customer_id)) = self.let_in(person).await else { return };
        let input = request_account_deletion::Input { customer_id, reason: None, address: None };
        let sent = request_account_deletion::run(&self.shop.app, input).await;
        self.tokens.extend(sent.map(|sent| (OtpKind::Deletion, sent.token)));
    }

    async fn confirm_deletion(&mut self, number: usize, guess: Guess) {
        let Some((token, code, _)) = self.guessed(number, guess, OtpKind::Deletion) else { return };
        drop(confirm_account_deletion::run(&self.shop.app, confirm_account_deletion::Input { token, code }).await);
    }

    async fn stay(&mut self, number: usize, guess: Guess) {
        let Some((token, code, _)) = self.guessed(number, guess, OtpKind::Cancellation) else { return };
        drop(cancel_account_deletion::run(&self.shop.app, cancel_account_deletion::Input { token, code }).await);
    }

    /// Medusa's admin writes a contact past us: the flag of what was there before must not be this one's. Written back, it is.
    async fn admin_writes(&mut self, of: usize, contact: ContactType, value: usize) {
        let Some(id) = self.people[of].id.clone() else { return };
        let (column, value) = (contact.as_str(), self.contact(contact, value));
        let sql = format!("update customer set {column} = '{value}' where id = '{id}' and deleted_at is null");
        if self.connection.try_sql(&sql).await.is_ok() {
            self.undone(&id);
        }
    }

    /// Flags in the metadata are the customer's own words.
    async fn claim(&mut self, person: usize) {
        let Some((_, id)) = self.let_in(person).await else { return };
        let metadata = serde_json::json!({"email_verified": true, "phone_verified": true}).as_object().cloned();
        let input =
            update_customer::Input { company_name: None, first_name: None, last_name: None, metadata: Some(metadata) };
        drop(update_customer::run(&self.shop.app, &id, input).await);
    }
}
