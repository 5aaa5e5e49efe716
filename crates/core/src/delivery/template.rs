//! Templates: the built-in ones or the operator's files, read and checked at start, rendered when a message is enqueued.
//!
//! A template is HTML or text, told apart by whether it holds a tag. HTML escapes its values, text does not. Mail gets HTML
//! and a text part made from it; any other channel gets text, made from the HTML where that is all there is. The check at
//! start walks the template's syntax tree, so that a misspelt variable is found in a branch that seldom renders, too.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use cr_types::timestamp::Timestamp;
use handlebars::{Handlebars, RenderError, Template, no_escape};

use crate::app::Shared;
use crate::delivery::message::MessageKind;
use crate::delivery::{template_check, text};
use crate::options::{Options, TemplateSource};

/// The channel whose messages are mails; every other one carries text.
pub const EMAIL: &str = "email";

/// What is wrong with a template, for the list of start errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The option that names it, such as `options.email_verification.template`.
    pub key: String,
    /// A sentence naming the file and what to do.
    pub message: String,
}

/// A message as its recipient will see it.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line; only mail has one.
    pub subject: Option<String>,
    /// Only mail has it.
    pub html: Option<String>,
    /// The text message, or the mail's text part.
    pub text: String,
}

/// All templates, compiled.
pub struct Templates {
    /// Escapes its values.
    html: Handlebars<'static>,
    /// Does not.
    plain: Handlebars<'static>,
}

/// One kind's sources, before they are read.
struct Sources<'a> {
    kind: MessageKind,
    subject: &'a str,
    /// The option that `mail` comes from.
    key: String,
    mail: &'a TemplateSource,
    /// The option and text of the text message, where it has its own.
    phone: Option<(String, &'a str)>,
}

const BUILT_IN: TemplateSource = TemplateSource::BuiltIn;

impl Templates {
    /// Reads and checks every template that the options name. A section that is not configured gets the built-in one.
    ///
    /// # Errors
    /// Every problem at once: a file that cannot be read, text that does not parse, a variable that its kind has not.
    pub fn load(options: &Options) -> Result<Self, Vec<TemplateProblem>> {
        let mut templates = Self::none();
        let mut problems = Vec::new();
        for sources in all_sources(options) {
            templates.add(&sources, &mut problems);
        }
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    /// One kind alone, with `source` as its subject, its mail and its text message: any text, judged as [`Templates::load`]
    /// judges a file.
    ///
    /// # Errors
    /// As [`Templates::load`].
    pub fn of_source(kind: MessageKind, source: &str) -> Result<Self, Vec<TemplateProblem>> {
        let mut templates = Self::none();
        let mut problems = Vec::new();
        for (name, html) in [("subject", false), ("mail", text::is_html(source)), ("phone", text::is_html(source))] {
            templates.register(&form(kind, name), kind, name, source, html, &mut problems);
        }
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    /// Without any template.
    fn none() -> Self {
        let mut templates = Self { html: Handlebars::new(), plain: Handlebars::new() };
        templates.html.set_strict_mode(true);
        templates.plain.set_strict_mode(true);
        templates.plain.register_escape_fn(no_escape);
        templates
    }

    /// The templates in use at this moment; a reload replaces them for messages to come.
    pub fn of(shared: &Shared) -> Arc<Self> {
        Arc::clone(&shared.templates.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The names that a kind's template may use.
    pub fn variables(kind: MessageKind) -> Vec<&'static str> {
        let own: &[&'static str] = match kind {
            MessageKind::EmailVerification | MessageKind::PhoneVerification => &OTP,
            MessageKind::PasswordReset => &["token", "reset_url"],
            MessageKind::AccountDeletionRequest | MessageKind::AccountDeletionCancel => &DELETION,
            MessageKind::AccountDeletionNotice => &["scheduled_days", "deletion_scheduled_at"],
            MessageKind::ContactChangeNotice | MessageKind::PasswordChangedNotice => &["undo_url", "channel"],
        };
        EVERY.iter().chain(own).copied().collect()
    }

    /// The values with everything that the kind's template may use: `otp` and `code` are each other, `customer_name` is
    /// `there` unless it is a plain name, `expires_at` is the message's own, and what is missing is empty.
    pub fn complete(
        kind: MessageKind,
        mut given: BTreeMap<&'static str, String>,
        expires_at: Option<Timestamp>,
    ) -> BTreeMap<&'static str, String> {
        if let Some(code) = given.get("otp").or_else(|| given.get("code")).cloned() {
            given.insert("otp", code.clone());
            given.insert("code", code);
        }
        let name = given.get("customer_name").map_or("", String::as_str);
        let name = plain_name(name).unwrap_or("there").to_owned();
        given.insert("customer_name", name);
        for variable in Self::variables(kind) {
            given.entry(variable).or_insert_with(|| match (variable, expires_at) {
                ("expires_at", Some(moment)) => moment.to_string(),
                _ => String::new(),
            });
        }
        given
    }

    /// Renders for a channel. `variables` are what [`Templates::complete`] gave.
    ///
    /// # Errors
    /// When a value is missing, which `complete` rules out.
    pub fn render(
        &self,
        kind: MessageKind,
        channel: &str,
        variables: &BTreeMap<&'static str, String>,
    ) -> Result<Rendered, RenderError> {
        if channel != EMAIL {
            let name = form(kind, "phone");
            let text = if self.html.has_template(&name) {
                text::from_html(&self.html.render(&name, variables)?)
            } else {
                self.plain.render(&name, variables)?.trim().to_owned()
            };
            return Ok(Rendered { subject: None, html: None, text });
        }
        let subject = one_line(&self.plain.render(&form(kind, "subject"), variables)?);
        let name = form(kind, "mail");
        let (html, text) = if self.html.has_template(&name) {
            let html = self.html.render(&name, variables)?;
            let text = text::from_html(&html);
            (html, text)
        } else {
            let text = self.plain.render(&name, variables)?.trim().to_owned();
            (text::to_html(&text), text)
        };
        Ok(Rendered { subject: Some(subject), html: Some(html), text })
    }

    /// Reads, checks and registers one kind's templates.
    fn add(&mut self, sources: &Sources<'_>, problems: &mut Vec<TemplateProblem>) {
        let kind = sources.kind;
        let section = format!("options.{}", kind.as_str());
        self.register(&form(kind, "subject"), kind, &format!("{section}.subject"), sources.subject, false, problems);
        match sources.mail {
            TemplateSource::BuiltIn => {
                let mail = built_in_mail(kind);
                self.register(&form(kind, "mail"), kind, &sources.key, &mail, true, problems);
                if sources.phone.is_none() {
                    self.register(&form(kind, "phone"), kind, &sources.key, built_in_text(kind), false, problems);
                }
            }
            TemplateSource::File(path) => match std::fs::read_to_string(path) {
                Ok(source) => {
                    let html = text::is_html(&source);
                    self.register(&form(kind, "mail"), kind, &sources.key, &source, html, problems);
                    if sources.phone.is_none() {
                        self.register(&form(kind, "phone"), kind, &sources.key, &source, html, &mut Vec::new());
                    }
                }
                Err(error) => problems.push(TemplateProblem {
                    key: sources.key.clone(),
                    message: format!("Template {} cannot be read: {error}", path.display()),
                }),
            },
        }
        if let Some((key, source)) = &sources.phone {
            self.register(&form(kind, "phone"), kind, key, source, text::is_html(source), problems);
        }
    }

    /// Compiles one template, checks its variables and files it under `name`.
    fn register(
        &mut self,
        name: &str,
        kind: MessageKind,
        key: &str,
        source: &str,
        html: bool,
        problems: &mut Vec<TemplateProblem>,
    ) {
        let template = match Template::compile(source) {
            Ok(template) => template,
            Err(error) => {
                let message = format!("Template does not parse: {}", one_line(&error.reason().to_string()));
                problems.push(TemplateProblem { key: key.to_owned(), message });
                return;
            }
        };
        for message in template_check::problems(&template, &Self::variables(kind), html) {
            problems.push(TemplateProblem { key: key.to_owned(), message });
        }
        let registry = if html { &mut self.html } else { &mut self.plain };
        registry.register_template(name, template);
    }
}

/// What every template may use.
const EVERY: [&str; 3] = ["customer_name", "email", "phone"];
/// What one with a code may use besides.
const OTP: [&str; 4] = ["otp", "code", "expires_at", "expiry_minutes"];
/// What those of the account's deletion may use besides.
const DELETION: [&str; 6] = ["otp", "code", "expires_at", "expiry_minutes", "scheduled_days", "deletion_scheduled_at"];

/// The registered name of one form of a kind.
fn form(kind: MessageKind, form: &str) -> String {
    format!("{}.{form}", kind.as_str())
}

/// Where each kind's subject and templates come from.
fn all_sources(options: &Options) -> Vec<Sources<'_>> {
    MessageKind::ALL.into_iter().map(|kind| sources(options, kind)).collect()
}

/// Where one kind's subject and templates come from.
fn sources(options: &Options, kind: MessageKind) -> Sources<'_> {
    let section = match kind {
        MessageKind::EmailVerification => options.email_verification.as_ref(),
        MessageKind::PhoneVerification => options.phone_verification.as_ref(),
        MessageKind::AccountDeletionRequest => options.account_deletion_request.as_ref(),
        MessageKind::AccountDeletionCancel => options.account_deletion_cancel.as_ref(),
        MessageKind::PasswordReset
        | MessageKind::AccountDeletionNotice
        | MessageKind::ContactChangeNotice
        | MessageKind::PasswordChangedNotice => None,
    };
    let (subject, mail) = match kind {
        MessageKind::ContactChangeNotice => {
            let notice = &options.contact_change_notice;
            (notice.subject.as_str(), &notice.template)
        }
        MessageKind::PasswordChangedNotice => {
            let notice = &options.password_changed_notice;
            (notice.subject.as_str(), &notice.template)
        }
        MessageKind::PasswordReset => match &options.password_reset {
            Some(reset) => (reset.subject.as_str(), reset.template.as_ref().unwrap_or(&BUILT_IN)),
            None => (default_subject(kind), &BUILT_IN),
        },
        _ => {
            section.map_or((default_subject(kind), &BUILT_IN), |section| (section.subject.as_str(), &section.template))
        }
    };
    let subject = if subject.trim().is_empty() { default_subject(kind) } else { subject };
    let phone = (kind == MessageKind::PasswordReset).then(|| {
        let body = options.password_reset.as_ref().and_then(|reset| reset.sms_body.as_deref());
        ("options.password_reset.sms_body".to_owned(), body.unwrap_or(built_in_text(kind)))
    });
    Sources { kind, subject, key: format!("options.{}.template", kind.as_str()), mail, phone }
}

/// Subjects where the options give none; the reset's and the deletion's are the plugin's defaults.
fn default_subject(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::EmailVerification | MessageKind::PhoneVerification => "Your verification code",
        MessageKind::PasswordReset => "Reset Your Password",
        MessageKind::AccountDeletionRequest => "Confirm your account deletion request",
        MessageKind::AccountDeletionCancel => "Confirm cancellation of account deletion",
        MessageKind::AccountDeletionNotice => "Your account will be deleted",
        MessageKind::ContactChangeNotice => "Your contact details were changed",
        MessageKind::PasswordChangedNotice => "Your password was changed",
    }
}

/// The frame that all built-in mails share.
const LAYOUT: &str = include_str!("../../../../templates/emails/layout.html");
/// Divides a built-in mail's file: above it the line that inboxes show after the subject, below it the content.
const CONTENT: &str = "<!-- content -->";

/// A kind's built-in mail, as one HTML document.
fn built_in_mail(kind: MessageKind) -> String {
    let source = match kind {
        MessageKind::EmailVerification | MessageKind::PhoneVerification => {
            include_str!("../../../../templates/emails/email_verification.html")
        }
        MessageKind::PasswordReset => include_str!("../../../../templates/emails/password_reset.html"),
        MessageKind::AccountDeletionRequest => {
            include_str!("../../../../templates/emails/account_deletion_request.html")
        }
        MessageKind::AccountDeletionCancel => include_str!("../../../../templates/emails/account_deletion_cancel.html"),
        MessageKind::AccountDeletionNotice => include_str!("../../../../templates/emails/account_deletion_notice.html"),
        MessageKind::ContactChangeNotice => include_str!("../../../../templates/emails/contact_change_notice.html"),
        MessageKind::PasswordChangedNotice => {
            include_str!("../../../../templates/emails/password_changed_notice.html")
        }
    };
    let (preheader, content) = source.split_once(CONTENT).unwrap_or(("", source));
    LAYOUT.replace("<!-- preheader -->", preheader.trim()).replace(CONTENT, content.trim())
}

/// A kind's built-in text message.
fn built_in_text(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::EmailVerification | MessageKind::PhoneVerification => {
            include_str!("../../../../templates/sms/phone_verification.txt")
        }
        MessageKind::PasswordReset => include_str!("../../../../templates/sms/password_reset.txt"),
        MessageKind::AccountDeletionRequest => include_str!("../../../../templates/sms/account_deletion_request.txt"),
        MessageKind::AccountDeletionCancel => include_str!("../../../../templates/sms/account_deletion_cancel.txt"),
        MessageKind::AccountDeletionNotice => include_str!("../../../../templates/sms/account_deletion_notice.txt"),
        MessageKind::ContactChangeNotice => include_str!("../../../../templates/sms/contact_change_notice.txt"),
        MessageKind::PasswordChangedNotice => include_str!("../../../../templates/sms/password_changed_notice.txt"),
    }
}

/// The longest name, in characters, that a greeting repeats.
const LONGEST_NAME: usize = 60;

/// The name as given, or `None` where it would carry more than a name: whoever registers chooses it and the address that
/// the greeting goes to, so a name must not smuggle a link into our mail.
fn plain_name(name: &str) -> Option<&str> {
    let name = name.trim();
    let like_a_link = name.contains(['/', '\\', '@', ':', '<', '>', '\u{2024}', '\u{ff0e}', '\u{3002}'])
        || name.split_whitespace().any(|word| {
            word.split_once('.').is_some_and(|(before, after)| {
                before.chars().count() > 1 && after.chars().filter(|letter| letter.is_alphanumeric()).count() > 1
            })
        });
    let plain = !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.contains(char::is_control);
    (plain && !like_a_link).then_some(name)
}

/// The text with everything that would break a line or a header as one space.
fn one_line(text: &str) -> String {
    text.split(|character: char| character.is_control() || character.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
