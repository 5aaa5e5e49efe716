//! Rules among the options: sections, channels, contradictions.

use cr_core::options::{Identifier, TemplateSource};

use super::*;

#[test]
fn sections_bring_their_defaults_once_they_are_set() {
    let config = Folder::toml(
        "[options]\nstorefrontUrl = \"https://s.example.com/\"\n[options.email_verification]\nchannel = \"email\"\n\
         [options.password_reset]\ntemplate = \"builtin\"\n[options.account_deletion_request]\ntemplate = \"builtin\"\n",
    )
    .right();
    let options = config.options;
    assert_eq!(options.storefront_url.as_deref(), Some("https://s.example.com"));
    let email = options.email_verification.unwrap();
    assert_eq!(
        (email.template, email.resend_throttle_seconds, email.auto_send_on_registration),
        (TemplateSource::BuiltIn, 90, false)
    );
    assert_eq!(options.password_reset.unwrap().subject, "Reset Your Password");
    let deletion = options.account_deletion_request.unwrap();
    assert_eq!(
        (deletion.channel.as_str(), deletion.subject.as_str()),
        ("email", "Confirm your account deletion request")
    );
    assert_eq!(options.scheduled_days, 7);
    assert!(options.phone_verification.is_none() && options.account_deletion_cancel.is_none());
    assert_eq!(options.jwt_expires_in, 86_400);
    assert_eq!(options.limits.sends_per_destination.len(), 2);
    assert_eq!(options.limits.login_delay, 900);
}

#[test]
fn login_takes_what_registration_takes_unless_told() {
    for (text, registration, login) in [
        ("", Identifier::Email, Identifier::Email),
        ("[options]\nregistration.identifier = \"phone\"\n", Identifier::Phone, Identifier::Phone),
        (
            "[options]\nregistration.identifier = \"phone\"\nlogin.identifier = \"both\"\n",
            Identifier::Phone,
            Identifier::Both,
        ),
    ] {
        let options = Folder::toml(text).right().options;
        assert_eq!((options.registration_identifier, options.login_identifier), (registration, login), "{text}");
    }
}

#[test]
fn sections_tell_what_they_need() {
    check_wrong(
        &Folder::toml(
            "[options]\nlogin.identifier = \"both\"\n[options.email_verification]\n[options.phone_verification]\nautoSendOnRegistration = true\n\
             [options.password_reset]\nsubject = \"S\"\n[options.account_deletion_request]\n[options.account_deletion_cancel]\n",
        ),
        &[
            "options.email_verification.channel (config.toml:3): email_verification.channel is required",
            "options.phone_verification.channel (config.toml:4): phone_verification.channel is required",
            "options.account_deletion_request.template (config.toml:8): account_deletion_request.template is required",
            "options.account_deletion_cancel.template (config.toml:9): account_deletion_cancel.template is required",
            "options.password_reset.template (config.toml:6): password_reset.template is required when login takes email",
            "options.password_reset.sms_body (config.toml:6): password_reset.sms_body is required when login takes phone",
            "options.storefrontUrl (config.toml:6): storefrontUrl is required when password_reset is configured",
        ],
    );
}

/// Null is "not set": where a template must be named, it is missing.
#[test]
fn a_null_template_is_the_built_in_one_or_missing() {
    let text = "options:\n  email_verification: {channel: email, template: null}\n";
    let config = Folder::with("a.yaml", text).right();
    assert_eq!(config.options.email_verification.unwrap().template, TemplateSource::BuiltIn);
    check_wrong(
        &Folder::with("a.json", "{\"options\": {\n\"account_deletion_request\": {\"template\": null}}}"),
        &["options.account_deletion_request.template (a.json:2): account_deletion_request.template is required"],
    );
}

#[test]
fn what_was_wrong_is_not_also_missing() {
    check_wrong(
        &Folder::toml("[options]\nstorefrontUrl = 5\n[options.password_reset]\ntemplate = true\n"),
        &[
            "options.storefrontUrl (config.toml:2): must be a URL with `http://` or `https://`, but it is a whole number",
            "options.password_reset.template (config.toml:4): must be a path or `builtin`, but it is a boolean",
        ],
    );
}

#[test]
fn each_channel_that_an_option_names_has_one_provider() {
    let smtp = "[[notification.providers]]\nid = \"smtp\"\nchannels = [\"email\"]\noptions = { url = \"smtps://u:p@m\", from = \"a@b\" }\n";
    let whatsapp =
        "[options.phone_verification]\nchannel = \"whatsapp\"\n[options.email_verification]\nchannel = \"email\"\n";
    check_wrong(
        &Folder::toml(&format!("{smtp}{whatsapp}")),
        &["options.phone_verification.channel (config.toml:6): no provider serves the channel `whatsapp`"],
    );
    check_wrong(
        &Folder::toml(&format!("{smtp}{smtp}")),
        &[
            "notification.providers[1].channels (config.toml:7): Multiple providers are configured for the same channel: email",
        ],
    );
    let own = smtp.replace("[\"email\"]", "[\"email\", \"none\", \"event\"]");
    check_wrong(
        &Folder::toml(&own),
        &[
            "notification.providers[0].channels (config.toml:3): The channel `none` is the outbox's own",
            "notification.providers[0].channels (config.toml:3): The channel `event` is the outbox's own",
        ],
    );
    check_wrong(
        &Folder::toml(&format!(
            "{smtp}[options]\nstorefrontUrl = \"https://s.example.com\"\nlogin.identifier = \"both\"\n[options.password_reset]\ntemplate = \"builtin\"\nsms_body = \"x\"\n"
        )),
        &["options.password_reset.sms_body (config.toml:10): no provider serves the channel `sms`"],
    );
}

#[test]
fn contradictions_are_refused() {
    check_wrong(
        &Folder::toml(
            "[projectConfig]\ndatabaseDriverOptions.pool = { min = 9, max = 3 }\n[options]\nstorefrontUrl = \"https://s.example.com/?a=b\"\n\
             password = { minLength = 20, maxLength = 10 }\n[notification]\nretry = { firstSeconds = 60, maxSeconds = 5 }\n\
             [admin]\npath = \"/store/app\"\n[metrics]\nlisten = \"127.0.0.1:9000\"\n",
        ),
        &[
            "options.password.minLength (config.toml:5): minLength is greater than maxLength: no password would be taken",
            "options.storefrontUrl (config.toml:4): storefrontUrl has a query or a fragment, so no path can be added to it",
            "notification.retry.firstSeconds (config.toml:7): firstSeconds is greater than maxSeconds",
            "projectConfig.databaseDriverOptions.pool.min (config.toml:2): min is greater than max",
            "admin.path (config.toml:9): the path belongs to the API",
            "metrics.listen (config.toml:11): metrics must not be on the public port",
        ],
    );
}

#[test]
fn log_levels_are_words_or_directives() {
    for (level, right) in [
        ("info", true),
        ("DEBUG", true),
        ("off", true),
        ("info,cr_core=debug", true),
        ("cr_core::delivery=trace", true),
        ("inof", false),
        ("verbose", false),
        ("cr_core=loud", false),
    ] {
        let folder = Folder::toml(&format!("[log]\nlevel = \"{level}\"\n"));
        assert_eq!(Config::load(&folder.sources).is_ok(), right, "{level}");
    }
}

/// A range's ends are taken, what lies beyond is not.
#[test]
fn numbers_have_both_ends_of_their_range() {
    for (key, least, most) in [
        ("otpLength", 4, 12),
        ("otpExpiryMinutes", 1, 1440),
        ("maxAttempts", 1, 20),
        ("email_verification.resendThrottleSeconds", 0, 3600),
        ("account_deletion_request.scheduled_days", 0, 365),
    ] {
        let section = "email_verification.channel = \"email\"\naccount_deletion_request.template = \"builtin\"\n";
        let is_right = |number: i64| {
            Config::load(&Folder::toml(&format!("[options]\n{section}{key} = {number}\n")).sources).is_ok()
        };
        let found = [least - 1, least, most, most + 1].map(is_right);
        assert_eq!(found, [false, true, true, false], "{key}");
    }
}

#[test]
fn long_lived_codes_are_noted_and_hopeless_logins_warned_of() {
    let config = Folder::toml("[projectConfig.http]\njwtSecret = \"x\"\n").right();
    assert!(config.notes.iter().any(|note| note.contains("ASVS 6.5.5")), "{:?}", config.notes);
    assert!(config.warnings.iter().any(|warning| warning.contains("require_verification")), "{:?}", config.warnings);
    let config = Folder::toml("[projectConfig.http]\njwtSecret = \"x\"\n[options]\notpExpiryMinutes = 10\nregistration.require_verification = false\nlogin.identifier = \"phone\"\n").right();
    assert_eq!((config.notes.len(), config.warnings.len()), (0, 1), "{:?}", config.warnings);
}

#[test]
fn codes_that_are_quickly_guessed_are_noted() {
    for (charset, length, is_noted) in [
        ("numeric", 4, true),
        ("numeric", 5, true),
        ("numeric", 6, false),
        ("alphanumeric", 4, true),
        ("alphanumeric", 5, false),
    ] {
        let text = format!("[options]\notpCharset = \"{charset}\"\notpLength = {length}\n");
        let notes = Folder::toml(&text).right().notes;
        let is_told = notes.iter().any(|note| note.contains("ASVS 6.5.4"));
        assert_eq!(is_told, is_noted, "{length} of {charset}: {notes:?}");
    }
}

#[test]
fn dates_numbers_and_countries_have_their_forms() {
    let config = Folder::toml(
        "[projectConfig.http]\njwtExpiresIn = 3600\n[options]\nregistration.verification_since = 2026-01-31T00:00:00Z\nphone.defaultCountry = \"de\"\n",
    )
    .right();
    assert_eq!(config.options.verification_since.unwrap().to_string(), "2026-01-31T00:00:00.000Z");
    assert_eq!(config.options.default_country.as_deref(), Some("DE"));
    assert_eq!(config.options.jwt_expires_in, 3600);
    check_wrong(
        &Folder::toml("[options]\nregistration.verification_since = 2026-01-31\nphone.defaultCountry = \"Germany\"\n"),
        &[
            "options.registration.verification_since (config.toml:2): must be a date and time with offset, but it is `2026-01-31`",
            "options.phone.defaultCountry (config.toml:3): must be an ISO 3166 country of two letters, but it is `Germany`",
        ],
    );
}

/// Whoever asks for metrics must not believe that they are served.
#[test]
fn what_does_nothing_yet_is_told_and_nothing_else() {
    let config =
        Folder::toml("[gateway]\nupstream = \"http://127.0.0.1:9001\"\n[metrics]\nlisten = \"127.0.0.1:9100\"\n")
            .right();
    let told: Vec<_> = config.warnings.iter().filter(|warning| warning.contains("nothing of this version")).collect();
    assert_eq!(told, ["metrics.listen is set, but nothing of this version reads it yet."]);
    let unset = Folder::empty().right();
    assert!(!unset.warnings.iter().any(|warning| warning.contains("nothing of this version")), "{:?}", unset.warnings);
}
