//! `options` out of the tree: the rules' own struct, and the contradictions among its keys.

use cr_core::options::{
    ContactType, Erasure, Identifier, Limits, NoticeSection, Options, OtpCharset, OtpSection, PasswordHash,
    PasswordPolicy, PasswordResetSection,
};

use super::node::Node;
use super::reading::Reader;
use super::values;

/// Builds the options; what contradicts itself is told to the reader.
pub(crate) fn build(reader: &mut Reader<'_>) -> Options {
    let registration_identifier = identifier(reader, "options.registration.identifier").unwrap_or(Identifier::Email);
    let login_identifier = identifier(reader, "options.login.identifier").unwrap_or(registration_identifier);
    let options = Options {
        production: reader.production,
        storefront_url: reader.find_text("options.storefrontUrl").map(|url| url.trim_end_matches('/').to_owned()),
        registration_identifier,
        require_verification: reader.boolean("options.registration.require_verification"),
        verification_since: reader
            .find_text("options.registration.verification_since")
            .and_then(|text| text.parse().ok()),
        login_identifier,
        otp_length: reader.size("options.otpLength"),
        otp_charset: match reader.text("options.otpCharset").as_str() {
            "alphanumeric" => OtpCharset::Alphanumeric,
            _ => OtpCharset::Numeric,
        },
        otp_expiry_minutes: reader.integer("options.otpExpiryMinutes"),
        max_attempts: reader.integer("options.maxAttempts"),
        email_verification: otp_section(reader, "options.email_verification"),
        phone_verification: otp_section(reader, "options.phone_verification"),
        password_reset: password_reset(reader, login_identifier),
        account_deletion_request: otp_section(reader, "options.account_deletion_request"),
        scheduled_days: reader.integer("options.account_deletion_request.scheduled_days"),
        erasure: match reader.text("options.account_deletion_request.erasure").as_str() {
            "soft" => Erasure::Soft,
            "hard" => Erasure::Hard,
            _ => Erasure::Anonymize,
        },
        account_deletion_cancel: otp_section(reader, "options.account_deletion_cancel"),
        contact_change_notice: notice(reader, "options.contact_change_notice"),
        password_changed_notice: notice(reader, "options.password_changed_notice"),
        default_country: reader.find_text("options.phone.defaultCountry").map(|code| code.to_ascii_uppercase()),
        password: PasswordPolicy {
            min_length: reader.size("options.password.minLength"),
            max_length: reader.size("options.password.maxLength"),
            reject_common: reader.boolean("options.password.rejectCommon"),
        },
        password_hash: match reader.text("options.passwordHash").as_str() {
            "argon2id" => PasswordHash::Argon2id,
            _ => PasswordHash::Scrypt,
        },
        referral_max_levels: reader.size("options.referral.maxLevels"),
        referral_mask_contacts: reader.boolean("options.referral.maskContacts"),
        limits: limits(reader),
        jwt_expires_in: reader
            .node("projectConfig.http.jwtExpiresIn")
            .and_then(|node| values::lifetime_seconds(&node.value).ok())
            .unwrap_or_default(),
        event_webhooks: Vec::new(),
        auth_methods_per_actor: reader
            .node("projectConfig.http.authMethodsPerActor")
            .map(|node| node.entries().iter().map(|(actor, list)| (actor.clone(), list.texts())).collect())
            .unwrap_or_default(),
    };
    judge_lengths(reader, &options);
    judge_storefront(reader, &options);
    judge_verification(reader, &options);
    options
}

/// One of the three words.
fn identifier(reader: &Reader<'_>, path: &str) -> Option<Identifier> {
    match reader.find_text(path)?.as_str() {
        "phone" => Some(Identifier::Phone),
        "both" => Some(Identifier::Both),
        _ => Some(Identifier::Email),
    }
}

/// A section of codes, if set. Text messages have no subject; where a phone's codes go by mail, it is the e-mail's one.
fn otp_section(reader: &mut Reader<'_>, path: &str) -> Option<OtpSection> {
    if !reader.is_set(path) {
        return None;
    }
    let subject = reader.find_text(&format!("{path}.subject"));
    Some(OtpSection {
        channel: reader.text(&format!("{path}.channel")),
        template: reader.template(&format!("{path}.template")),
        subject: subject.unwrap_or_else(|| reader.text("options.email_verification.subject")),
        resend_throttle_seconds: reader.integer(&format!("{path}.resendThrottleSeconds")),
        auto_send_on_registration: reader.boolean(&format!("{path}.autoSendOnRegistration")),
    })
}

/// `password_reset`, if set, with what the accepted credentials ask of it.
fn password_reset(reader: &mut Reader<'_>, login: Identifier) -> Option<PasswordResetSection> {
    const PATH: &str = "options.password_reset";
    if !reader.is_set(PATH) {
        return None;
    }
    let template = reader.find_template("options.password_reset.template");
    let sms_body = reader.find_text("options.password_reset.sms_body");
    if template.is_none() && login.takes(ContactType::Email) {
        reader.tell_missing(
            "options.password_reset.template",
            PATH,
            "password_reset.template is required when login takes email",
            "Add `template = \"builtin\"`, or a path, to `[options.password_reset]`.",
        );
    }
    if sms_body.is_none() && login.takes(ContactType::Phone) {
        reader.tell_missing(
            "options.password_reset.sms_body",
            PATH,
            "password_reset.sms_body is required when login takes phone",
            "Add `sms_body = \"Reset your password: {{reset_url}}\"` to `[options.password_reset]`.",
        );
    }
    if reader.node("options.storefrontUrl").is_none() {
        reader.tell_missing(
            "options.storefrontUrl",
            PATH,
            "storefrontUrl is required when password_reset is configured",
            "Add `storefrontUrl = \"https://shop.example.com\"` to `[options]`.",
        );
    }
    Some(PasswordResetSection { template, subject: reader.text("options.password_reset.subject"), sms_body })
}

/// A notice; its keys all have defaults.
fn notice(reader: &mut Reader<'_>, path: &str) -> NoticeSection {
    NoticeSection {
        template: reader.template(&format!("{path}.template")),
        subject: reader.text(&format!("{path}.subject")),
        disable: reader.boolean(&format!("{path}.disable")),
    }
}

/// `limits`.
fn limits(reader: &Reader<'_>) -> Limits {
    let limit = |name: &str| reader.limit(&format!("options.limits.{name}"));
    let per_channel = reader.node("options.limits.sendsPerChannel").map_or(&[][..], Node::entries);
    Limits {
        wrong_codes: limit("wrongCodes"),
        sends_per_subject: limit("sendsPerSubject"),
        sends_per_destination: limit("sendsPerDestination"),
        sends_per_address: limit("sendsPerAddress"),
        sends_per_channel: per_channel
            .iter()
            .map(|(channel, node)| (channel.clone(), values::limit(&node.value).unwrap_or_default()))
            .collect(),
        sms_countries: reader
            .node("options.limits.smsCountries")
            .and_then(|node| values::calling_codes(node).ok())
            .unwrap_or_default(),
        login_failures: limit("loginFailures"),
        login_delay: reader.integer("options.limits.loginDelay"),
        login_failures_per_address: limit("loginFailuresPerAddress"),
        registrations_per_address: limit("registrationsPerAddress"),
        resets: limit("resets"),
        cancel_requests_per_address: limit("cancelRequestsPerAddress"),
        password_changes: limit("passwordChanges"),
        referral_guesses: limit("referralGuesses"),
    }
}

/// Password lengths must leave room; codes that live long or are quickly guessed are noted.
fn judge_lengths(reader: &mut Reader<'_>, options: &Options) {
    if options.password.min_length > options.password.max_length {
        reader.tell(
            "options.password.minLength",
            "minLength is greater than maxLength: no password would be taken",
            "Lower minLength or raise maxLength.",
        );
    }
    if options.otp_expiry_minutes > 10 {
        reader.notes.push(format!(
            "options.otpExpiryMinutes is {}: OWASP ASVS 6.5.5 asks for codes that live 10 minutes at most.",
            options.otp_expiry_minutes
        ));
    }
    // Of 31 characters five are more than six of ten.
    let enough = if options.otp_charset == OtpCharset::Numeric { 6 } else { 5 };
    if options.otp_length < enough {
        reader.notes.push(format!(
            "options.otpLength is {}: OWASP ASVS 6.5.4 asks for codes of 20 bits, which six digits or five letters and digits come to.",
            options.otp_length
        ));
    }
}

/// A storefront is a plain base of links, and encrypted in production.
fn judge_storefront(reader: &mut Reader<'_>, options: &Options) {
    let Some(url) = &options.storefront_url else { return };
    if url.contains(['?', '#']) {
        reader.tell(
            "options.storefrontUrl",
            "storefrontUrl has a query or a fragment, so no path can be added to it",
            "Leave what follows `?` or `#` out.",
        );
    }
    if options.production && url.to_ascii_lowercase().starts_with("http://") {
        reader.warnings.push(
            "options.storefrontUrl is not https: reset links travel in the clear. Use an https address in production."
                .to_owned(),
        );
    }
}

/// Warns where nobody who registers could ever log in; both are kept possible for shops that verify elsewhere.
fn judge_verification(reader: &mut Reader<'_>, options: &Options) {
    let contacts = [ContactType::Email, ContactType::Phone];
    let registers = |contact: &ContactType| options.registration_identifier.takes(*contact);
    if !contacts.iter().any(|contact| registers(contact) && options.login_identifier.takes(*contact)) {
        reader.warnings.push(
            "options.login.identifier takes no credential that options.registration.identifier gives: \
                new customers cannot log in."
                .to_owned(),
        );
    }
    let verifiable = |contact: &ContactType| registers(contact) && options.verification(*contact).is_some();
    if options.require_verification && !contacts.iter().any(verifiable) {
        reader.warnings.push(
            "options.registration.require_verification is true, but no verification section is set for \
                what customers register with: new customers cannot log in. Set options.email_verification \
                or options.phone_verification."
                .to_owned(),
        );
    }
}
