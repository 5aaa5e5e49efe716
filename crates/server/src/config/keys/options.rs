//! The keys under `options`: the plugin's own names (camelCase and `snake_case` as they are there), and ours.

use super::{Key, Kind, key};

/// Which credentials.
const IDENTIFIER: Kind = Kind::Choice(&["email", "phone", "both"]);
/// Seconds between two sends.
const THROTTLE: Kind = Kind::Integer(0, 3_600);
/// What a throttle is, the same in each section.
const THROTTLE_DOC: &str = "Seconds between two sends to one customer; 0: no wait.";
/// What a template is, where the built-in one is the default.
const TEMPLATE_DOC: &str =
    "Path of the message's template, relative to the configuration file; `builtin` (or null): the built-in one.";
/// What a template is, where one must be named.
const NAMED_TEMPLATE_DOC: &str =
    "Path of the message's template, relative to the configuration file; `builtin` names the built-in one.";

/// `options` without `limits`.
pub(super) static OPTIONS: &[Key] = &[
    key(
        "options.storefrontUrl",
        Kind::Url(&["http", "https"]),
        "Base of links in messages. Required when `password_reset` is set.",
    )
    .unset("none"),
    key("options.registration.identifier", IDENTIFIER, "Which credential registration takes."),
    key("options.registration.require_verification", Kind::Boolean, "Whether login asks for a verified contact."),
    key(
        "options.registration.verification_since",
        Kind::DateTime,
        "Customers created before may log in unverified, so that a live shop is not locked out.",
    )
    .unset("when `migrate` first ran"),
    key("options.login.identifier", IDENTIFIER, "Which credentials login takes.").unset("`registration.identifier`"),
    key("options.otpLength", Kind::Integer(4, 12), "Characters of a code."),
    key(
        "options.otpCharset",
        Kind::Choice(&["numeric", "alphanumeric"]),
        "What codes are made of. `alphanumeric`: upper case without 0 O 1 I L, compared without case.",
    ),
    key(
        "options.otpExpiryMinutes",
        Kind::Integer(1, 1_440),
        "Minutes that a code lives. Above 10 `config check` names ASVS 6.5.5.",
    ),
    key("options.maxAttempts", Kind::Integer(1, 20), "Wrong codes before a code is locked."),
    key("options.email_verification", Kind::Section, "Verification of e-mail addresses by a code.").unset("off"),
    key("options.email_verification.channel", Kind::Text, "Notification channel, usually `email`.")
        .required()
        .example("\"email\""),
    key("options.email_verification.template", Kind::Template, TEMPLATE_DOC),
    key("options.email_verification.subject", Kind::Text, "The mail's subject."),
    key("options.email_verification.resendThrottleSeconds", THROTTLE, THROTTLE_DOC),
    key(
        "options.email_verification.autoSendOnRegistration",
        Kind::Boolean,
        "Sends a code as soon as a customer is made.",
    ),
    key("options.phone_verification", Kind::Section, "Verification of phone numbers by a code.").unset("off"),
    key("options.phone_verification.channel", Kind::Text, "Notification channel, usually `sms`.")
        .required()
        .example("\"sms\""),
    key("options.phone_verification.template", Kind::Template, TEMPLATE_DOC),
    key("options.phone_verification.resendThrottleSeconds", THROTTLE, THROTTLE_DOC),
    key(
        "options.phone_verification.autoSendOnRegistration",
        Kind::Boolean,
        "Sends a code as soon as a customer is made.",
    ),
    key("options.password_reset", Kind::Section, "Resetting a forgotten password by a link.").unset("off"),
    key("options.password_reset.template", Kind::Template, NAMED_TEMPLATE_DOC).unset("required if login takes e-mail"),
    key("options.password_reset.subject", Kind::Text, "The mail's subject."),
    key(
        "options.password_reset.sms_body",
        Kind::Text,
        "The text message; `{{token}}`, `{{reset_url}}` and `{{phone}}` are filled in.",
    )
    .unset("required if login takes phone"),
    key("options.account_deletion_request", Kind::Section, "Customers may have their account deleted.").unset("off"),
    key("options.account_deletion_request.channel", Kind::Text, "Notification channel."),
    key("options.account_deletion_request.template", Kind::Template, NAMED_TEMPLATE_DOC)
        .required()
        .example("\"builtin\""),
    key("options.account_deletion_request.subject", Kind::Text, "The mail's subject."),
    key(
        "options.account_deletion_request.scheduled_days",
        Kind::Integer(0, 365),
        "Days from the confirmation to the deletion.",
    ),
    key("options.account_deletion_request.resendThrottleSeconds", THROTTLE, THROTTLE_DOC),
    key(
        "options.account_deletion_request.erasure",
        Kind::Choice(&["anonymize", "soft", "hard"]),
        "What becomes of the customer's row: emptied of personal fields, soft-deleted as Medusa does, or removed.",
    ),
    key("options.account_deletion_cancel", Kind::Section, "Customers may take a deletion back by a code.").unset("off"),
    key("options.account_deletion_cancel.channel", Kind::Text, "Notification channel."),
    key("options.account_deletion_cancel.template", Kind::Template, NAMED_TEMPLATE_DOC)
        .required()
        .example("\"builtin\""),
    key("options.account_deletion_cancel.subject", Kind::Text, "The mail's subject."),
    key("options.account_deletion_cancel.resendThrottleSeconds", THROTTLE, THROTTLE_DOC),
    key("options.contact_change_notice.template", Kind::Template, TEMPLATE_DOC),
    key("options.contact_change_notice.subject", Kind::Text, "Subject of the mail to a contact that was replaced."),
    key("options.contact_change_notice.disable", Kind::Boolean, "Sends no such notice."),
    key("options.password_changed_notice.template", Kind::Template, TEMPLATE_DOC),
    key("options.password_changed_notice.subject", Kind::Text, "Subject of the mail that tells of a new password."),
    key("options.password_changed_notice.disable", Kind::Boolean, "Sends no such notice."),
    key("options.phone.defaultCountry", Kind::Country, "The country of numbers that are given without a calling code.")
        .unset("none: numbers need `+` and a calling code"),
    key("options.password.minLength", Kind::Integer(1, 1_024), "Fewest bytes of a password."),
    key("options.password.maxLength", Kind::Integer(8, 4_096), "Most bytes of a password."),
    key("options.password.rejectCommon", Kind::Boolean, "Refuses passwords from a list of common ones."),
    key(
        "options.passwordHash",
        Kind::Choice(&["scrypt", "argon2id"]),
        "How new passwords are hashed. `argon2id` only where no Medusa reads the rows.",
    ),
    key("options.referral.maxLevels", Kind::Integer(1, 100), "Levels of referrers that are recorded."),
    key("options.referral.maskContacts", Kind::Boolean, "Shows the contacts of referred customers masked."),
];

/// `options.limits`.
pub(super) static LIMITS: &[Key] = &[
    key(
        "options.limits.wrongCodes",
        Kind::Limit,
        "Wrong codes a subject (customer, or what an anonymous request named), purpose and origin.",
    ),
    key("options.limits.sendsPerSubject", Kind::Limit, "Sends a subject, purpose and origin."),
    key(
        "options.limits.sendsPerDestination",
        Kind::Limit,
        "Sends to a contact, over customers and purposes; with a bearer token and anonymous ones \
        apart.",
    ),
    key("options.limits.sendsPerAddress", Kind::Limit, "Sends that a client address (/64 in IPv6) asks for."),
    key(
        "options.limits.sendsPerChannel.*",
        Kind::Limit,
        "Sends on a channel, all together; half is kept for customers who ask with a session and \
        have a proven channel or are older than `verification_since`.",
    )
    .unset("no limit"),
    key("options.limits.smsCountries", Kind::CallingCodes, "Calling codes that text messages may go to; empty: all."),
    key(
        "options.limits.loginFailures",
        Kind::Limit,
        "Failed logins an identifier before each further one has to wait.",
    ),
    key("options.limits.loginDelay", Kind::Integer(0, 86_400), "Seconds of that wait at most; it doubles from 1."),
    key("options.limits.loginFailuresPerAddress", Kind::Limit, "Failed logins a client address."),
    key("options.limits.registrationsPerAddress", Kind::Limit, "Registrations a client address."),
    key("options.limits.resets", Kind::Limit, "Password resets a contact."),
    key("options.limits.cancelRequestsPerAddress", Kind::Limit, "Requests to take a deletion back, a client address."),
    key("options.limits.passwordChanges", Kind::Limit, "Wrong old passwords a customer."),
    key("options.limits.referralGuesses", Kind::Limit, "Unknown referral codes a client address."),
];
