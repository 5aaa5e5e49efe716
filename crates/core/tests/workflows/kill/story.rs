//! What people do in a life: everything that takes effect, in an order that chance decides.

use serde_json::json;

use super::deeds::Deed;
use super::life::Life;

/// Said of a code that was used.
const USED: &str = "OTP is no longer valid";
/// Seconds until a confirmed wish comes true, and some more.
const EIGHT_DAYS: i64 = 8 * 86_400;

/// Somebody with an account.
#[derive(Clone, Default)]
struct Person {
    id: String,
    email: String,
    phone: String,
    password: String,
    /// Of the last login.
    token: String,
    phone_proven: bool,
    is_leaving: bool,
}

/// The people of a life, and how many names were made up for them.
#[derive(Default)]
pub(super) struct Story {
    people: Vec<Person>,
    names: usize,
}

impl Story {
    /// Two people come, the second by the first; each does a few things; mostly one goes.
    pub(super) async fn tell(mut self, life: &mut Life<'_>) {
        for number in 0..2 {
            let referrer = self.people.first().map(|person| person.id.clone());
            let person = Self::enter(life, number, referrer).await;
            self.people.push(person);
        }
        for _ in 0..3 + life.below(4) {
            let whose = life.below(2);
            let mut person = self.people[whose].clone();
            self.act(life, &mut person);
            self.people[whose] = person;
        }
        if life.below(3) > 0 {
            let mut person = self.people[1].clone();
            Self::ask_to_leave(life, &mut person);
            Self::leave(life, &person);
            self.people[1] = person;
        }
        self.judge(life).await;
    }

    /// Somebody registers and proves the e-mail.
    async fn enter(life: &mut Life<'_>, number: usize, referral_code: Option<String>) -> Person {
        let mut person = Person {
            email: format!("p{number}@shop.test"),
            phone: format!("+1555123456{number}"),
            password: format!("Tr0ub4dor&{number}x"),
            ..Person::default()
        };
        let (email, password) = (person.email.clone(), person.password.clone());
        let token = life.get(&Deed::Register { email, password }, "token");
        let (email, phone) = (person.email.clone(), Some(person.phone.clone()));
        let create = Deed::CreateCustomer { token: token.clone(), email, phone, referral_code };
        life.insist(&create, "Customer with this email already has an account");
        let sql = format!("select id from customer where email = '{}' and deleted_at is null", person.email);
        let rows = life.database.rows(&sql).await;
        assert_eq!(rows.len(), 1, "{}", life.place());
        rows[0]["id"].as_str().unwrap().clone_into(&mut person.id);
        life.happened("customer.created", &person.id, 1);
        person.token = token;
        Self::prove(life, &person, "email");
        Self::log_in(life, &mut person);
        person
    }

    /// A code to a contact comes back.
    fn prove(life: &mut Life<'_>, person: &Person, contact: &str) {
        let (token, id) = (person.token.clone(), person.id.clone());
        let otp = life.get(&Deed::SendOtp { token: token.clone(), id, contact: contact.to_owned() }, "otp");
        life.deliver();
        let to = if contact == "email" { &person.email } else { &person.phone };
        let code = life.letter(&format!("{contact}_verification"), to, "code");
        life.insist(&Deed::VerifyOtp { otp, code, token }, USED);
        life.happened(&format!("customer.{contact}_verified"), &person.id, 1);
    }

    /// A fresh session.
    fn log_in(life: &mut Life<'_>, person: &mut Person) {
        let (email, password) = (person.email.clone(), person.password.clone());
        person.token = life.get(&Deed::Login { email, password }, "token");
    }

    /// Contacts that a notice goes to.
    fn proven(person: &Person) -> usize {
        1 + usize::from(person.phone_proven)
    }

    /// A word that nobody had before.
    fn new_name(&mut self) -> String {
        self.names += 1;
        format!("n{}", self.names)
    }

    /// One of the things that a customer does.
    fn act(&mut self, life: &mut Life<'_>, person: &mut Person) {
        let id = person.id.clone();
        match life.below(8) {
            0 => {
                life.insist(&Deed::UpdateCustomer { id, first_name: self.new_name() }, "");
                life.happened("customer.updated", &person.id, 1);
            }
            1 => self.change_password(life, person),
            2 => self.reset_password(life, person),
            3 => drop(self.change_email(life, person)),
            4 => self.change_email_and_undo(life, person),
            5 if !person.phone_proven => {
                Self::prove(life, person, "phone");
                person.phone_proven = true;
            }
            6 => {
                Self::ask_to_leave(life, person);
                Self::stay(life, person);
            }
            7 => drop(life.insist(&Deed::Prune, "")),
            _ => {
                let code = life.get(&Deed::ListReferrals { id: id.clone() }, "code");
                assert_eq!(life.get(&Deed::ListReferrals { id }, "code"), code, "{}", life.place());
            }
        }
    }

    /// A new password for the old one.
    fn change_password(&mut self, life: &mut Life<'_>, person: &mut Person) {
        let new = format!("Passw0rd-{}", self.new_name());
        let (id, token, old) = (person.id.clone(), person.token.clone(), person.password.clone());
        life.insist(&Deed::ChangePassword { id, token, old, new: new.clone() }, "Invalid password");
        Self::has_new_password(life, person, new);
    }

    /// A new password for a link.
    fn reset_password(&mut self, life: &mut Life<'_>, person: &mut Person) {
        let (email, new) = (person.email.clone(), format!("Passw0rd-{}", self.new_name()));
        life.insist(&Deed::RequestPasswordReset { email: email.clone() }, "");
        life.deliver();
        let reset = life.letter("password_reset", &email, "token");
        life.insist(&Deed::CompletePasswordReset { email, reset, password: new.clone() }, "Invalid token");
        Self::has_new_password(life, person, new);
    }

    /// Everybody is told once, the old password is over, the new one logs in.
    fn has_new_password(life: &mut Life<'_>, person: &mut Person, new: String) {
        life.happened("password_changed_notice", &person.id, Self::proven(person));
        let (email, password) = (person.email.clone(), std::mem::replace(&mut person.password, new));
        life.is_refused(&Deed::Login { email, password });
        Self::log_in(life, person);
    }

    /// Another e-mail; the old one comes back.
    fn change_email(&mut self, life: &mut Life<'_>, person: &mut Person) -> String {
        let value = format!("{}@shop.test", self.new_name());
        let (id, token) = (person.id.clone(), person.token.clone());
        let wish = Deed::SendContactChangeOtp { id: id.clone(), contact: "email".to_owned(), value: value.clone() };
        let otp = life.get(&wish, "otp");
        life.deliver();
        let code = life.letter("email_verification", &value, "code");
        life.insist(&Deed::UpdateContact { id, token, otp, code }, USED);
        life.happened("customer.contact_changed", &person.id, 1);
        life.happened("contact_change_notice", &person.id, Self::proven(person));
        let old = std::mem::replace(&mut person.email, value);
        Self::log_in(life, person);
        old
    }

    /// Another e-mail, and "this was not me".
    fn change_email_and_undo(&mut self, life: &mut Life<'_>, person: &mut Person) {
        let old = self.change_email(life, person);
        life.deliver();
        let url = life.letter("contact_change_notice", &old, "undo_url");
        let undo = url.split_once("token=").unwrap().1.to_owned();
        life.insist(&Deed::UndoContactChange { undo }, "This change cannot be undone any more");
        // One for each contact that there was.
        life.happened("customer.contact_changed", &person.id, 2);
        person.email = old;
        Self::log_in(life, person);
    }

    /// A wish to go, confirmed.
    fn ask_to_leave(life: &mut Life<'_>, person: &mut Person) {
        let otp = life.get(&Deed::RequestAccountDeletion { id: person.id.clone() }, "otp");
        life.deliver();
        let code = life.letter("account_deletion_request", &person.email, "code");
        life.insist(&Deed::ConfirmAccountDeletion { otp, code }, USED);
        life.happened("account_deletion.confirmed", &person.id, 1);
        life.happened("account_deletion_notice", &person.id, Self::proven(person));
        person.is_leaving = true;
    }

    /// The wish is taken back.
    fn stay(life: &mut Life<'_>, person: &mut Person) {
        let otp = life.get(&Deed::RequestAccountDeletionCancel { email: person.email.clone() }, "otp");
        life.deliver();
        let code = life.letter("account_deletion_cancel", &person.email, "code");
        life.insist(&Deed::CancelAccountDeletion { otp, code }, USED);
        life.happened("account_deletion.cancelled", &person.id, 1);
        person.is_leaving = false;
        Self::log_in(life, person);
    }

    /// The time has come. What was for the customer was delivered before: what is not goes with the account.
    fn leave(life: &mut Life<'_>, person: &Person) {
        life.deliver();
        life.wait(EIGHT_DAYS);
        life.insist(&Deed::ProcessAccountDeletions, "");
        life.happened("account_deletion.completed", &person.id, 1);
        life.happened("customer.deleted", &person.id, 1);
    }

    /// Who stays logs in by what they have; who went is gone; one friend was brought once.
    async fn judge(&self, life: &mut Life<'_>) {
        for person in &self.people {
            let (email, password) = (person.email.clone(), person.password.clone());
            let login = Deed::Login { email, password };
            let sql = format!("select email, phone from customer where id = '{}' and deleted_at is null", person.id);
            let rows = life.database.rows(&sql).await;
            if person.is_leaving {
                life.is_refused(&login);
                assert_eq!(rows.len(), 0, "{}", life.place());
                continue;
            }
            life.get(&login, "token");
            assert_eq!(rows, [json!({"email": person.email, "phone": person.phone})], "{}", life.place());
        }
        let credentials = life.database.rows("select id from provider_identity").await.len();
        let staying = self.people.iter().filter(|person| !person.is_leaving);
        assert_eq!(credentials, staying.map(Self::proven).sum::<usize>(), "{}", life.place());
        let brought = life.database.rows("select customer_id from referral_link").await;
        assert_eq!(brought, [json!({"customer_id": self.people[1].id})], "{}", life.place());
        let audited = "select id from cr_audit where action = 'account_deletion.completed'";
        let gone = self.people.iter().filter(|person| person.is_leaving).count();
        assert_eq!(life.database.rows(audited).await.len(), gone, "{}", life.place());
    }
}
