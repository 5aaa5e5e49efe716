//! The environment over the file, by Medusa's names and by ours.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn medusas_names_override_the_file() {
    let config = Folder::toml("[projectConfig.http]\nport = 1\nstoreCors = \"a\"\n")
        .env(&[
            ("DATABASE_URL", "postgres://u:p@h/d"),
            ("JWT_SECRET", "jwt"),
            ("COOKIE_SECRET", "cookie"),
            ("STORE_CORS", "http://a,http://b"),
            ("ADMIN_CORS", "http://c"),
            ("AUTH_CORS", "http://d"),
            ("HOST", "localhost"),
            ("PORT", "9005"),
        ])
        .right();
    assert_eq!(config.database.url, "postgres://u:p@h/d");
    assert_eq!(config.http.jwt_secrets[0].expose_secret(), "jwt");
    assert_eq!(config.http.cookie_secret.expose_secret(), "cookie");
    let cors = (config.http.store_cors.as_deref(), config.http.admin_cors.as_deref(), config.http.auth_cors.as_deref());
    assert_eq!(cors, (Some("http://a,http://b"), Some("http://c"), Some("http://d")));
    assert_eq!((config.http.host.as_str(), config.http.port), ("localhost", 9005));
}

/// Case and single underscores do not matter, since people spell camelCase keys in capitals differently.
#[test]
fn our_names_are_compared_without_case_and_underscores() {
    for name in [
        "CUSTOMER_REGISTRATION__OPTIONS__OTP_LENGTH",
        "CUSTOMER_REGISTRATION__OPTIONS__OTPLENGTH",
        "customer_registration__options__otpLength",
        "CUSTOMER_REGISTRATION__options__otp_length",
    ] {
        assert_eq!(Folder::empty().env(&[(name, "9")]).right().options.otp_length, 9, "{name}");
    }
    let config = Folder::empty()
        .env(&[
            ("CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__TRUST_PROXY", "loopback, 10.1.0.0/16"),
            ("CUSTOMER_REGISTRATION__PROJECTCONFIG__HTTP__JWT_SECRET", r#"["one","two"]"#),
            ("CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__AUTH_METHODS_PER_ACTOR__CUSTOMER", "emailpass,phonepass"),
            ("CUSTOMER_REGISTRATION__OPTIONS__EMAIL_VERIFICATION__AUTO_SEND_ON_REGISTRATION", "true"),
            ("CUSTOMER_REGISTRATION__OPTIONS__LIMITS__SENDS_PER_CHANNEL__SMS", "1/1h,2/1d"),
            ("CUSTOMER_REGISTRATION__OPTIONS__LIMITS__SMS_COUNTRIES", "49,+43"),
            ("CUSTOMER_REGISTRATION__OPTIONS__LIMITS__RESETS", "off"),
        ])
        .right();
    assert_eq!(config.http.trust_proxy.len(), 3);
    assert_eq!(config.http.jwt_secrets.len(), 2);
    let expected = ("customer".to_owned(), vec!["emailpass".to_owned(), "phonepass".to_owned()]);
    assert_eq!(config.options.auth_methods_per_actor, [expected]);
    assert!(config.options.email_verification.unwrap().auto_send_on_registration);
    let sms = config.options.limits.sends_per_channel.iter().find(|(channel, _)| channel == "sms").unwrap();
    assert_eq!(sms.1.len(), 2);
    assert_eq!(config.options.limits.sends_per_channel.len(), 2);
    assert_eq!(config.options.limits.sms_countries, ["49", "43"]);
    assert!(config.options.limits.resets.is_empty());
}

#[test]
fn a_variable_sets_a_section_that_the_file_has_not() {
    let config =
        Folder::toml("").env(&[("CUSTOMER_REGISTRATION__OPTIONS__PHONE_VERIFICATION__CHANNEL", "sms")]).right();
    assert_eq!(config.options.phone_verification.unwrap().channel, "sms");
    assert!(config.options.email_verification.is_none());
}

#[test]
fn elements_of_lists_are_numbers() {
    let text = "[[notification.providers]]\nid = \"smtp\"\nchannels = [\"email\"]\noptions = { url = \"smtp://h\", from = \"a@b\" }\n";
    let folder = Folder::toml(text).env(&[
        ("CUSTOMER_REGISTRATION__NOTIFICATION__PROVIDERS__0__OPTIONS__FROM", "c@d"),
        ("CUSTOMER_REGISTRATION__NOTIFICATION__PROVIDERS__1__ID", "webhook"),
        ("CUSTOMER_REGISTRATION__NOTIFICATION__PROVIDERS__1__CHANNELS", "sms"),
        ("CUSTOMER_REGISTRATION__NOTIFICATION__PROVIDERS__1__OPTIONS__URL", "https://h"),
        ("CUSTOMER_REGISTRATION__NOTIFICATION__PROVIDERS__1__OPTIONS__SECRET_FILE", "hook"),
    ]);
    folder.write("hook", "quiet\n");
    let providers = folder.right().notification.providers;
    assert_eq!(providers.len(), 2);
    assert!(matches!(&providers[0].kind, super::super::ProviderKind::Smtp { from, .. } if from == "c@d"));
    let super::super::ProviderKind::Webhook { secret, .. } = &providers[1].kind else { panic!("no webhook") };
    assert_eq!(secret.expose_secret(), "quiet");
    check_wrong(
        &Folder::toml(text).env(&[("CUSTOMER_REGISTRATION__NOTIFICATION__PROVIDERS__5__ID", "webhook")]),
        &["CUSTOMER_REGISTRATION__NOTIFICATION__PROVIDERS__5__ID: no key has this name"],
    );
}

#[test]
fn empty_variables_are_not_set() {
    let config = Folder::empty().env(&[("STORE_CORS", ""), ("PORT", ""), ("JWT_SECRET_FILE", "")]).right();
    assert_eq!((config.http.store_cors, config.http.port), (None, 9000));
}

#[test]
fn wrong_variables_are_told_by_name() {
    check_wrong(
        &Folder::empty().env(&[
            ("PORT", "http"),
            ("DATABASE_URL", "mysql://u:hunter2@h/d"),
            ("CUSTOMER_REGISTRATION__OPTIONS__LIMITS", "5/1h"),
            ("CUSTOMER_REGISTRATION__OPTION__OTP_LENGTH", "6"),
            ("CUSTOMER_REGISTRATION__", "6"),
            ("CUSTOMER_REGISTRATION__OPTIONS__OTP_LENGTH__X", "6"),
            ("CUSTOMER_REGISTRATION__OPTIONS__OTP_LENGTH_FILE", "6"),
            ("CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__JWT_EXPIRES_IN", "3600"),
        ]),
        &[
            "CUSTOMER_REGISTRATION__: no key has this name",
            "options.limits (CUSTOMER_REGISTRATION__OPTIONS__LIMITS): cannot be read: it is not JSON: trailing characters",
            "CUSTOMER_REGISTRATION__OPTIONS__OTP_LENGTH_FILE: no key has this name",
            "CUSTOMER_REGISTRATION__OPTIONS__OTP_LENGTH__X: no key has this name",
            "CUSTOMER_REGISTRATION__OPTION__OTP_LENGTH: no key has this name",
            "projectConfig.http.jwtExpiresIn (CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__JWT_EXPIRES_IN): must be a number of seconds, or text with a unit, but `\"3600\"` is a bare number in a text: it reads as 3600 seconds, or, as Medusa's `jsonwebtoken` takes it, as 3600 milliseconds",
            "projectConfig.databaseUrl (DATABASE_URL): must be a URL with `sqlite://` or `postgres://`, but it is neither SQLite nor PostgreSQL",
            "projectConfig.http.port (PORT): must be a whole number from 0 to 65535, but it is text",
        ],
    );
}

/// Two names for one key must not hide each other.
#[test]
fn two_variables_for_one_key_must_agree() {
    let twice =
        |value| Folder::empty().env(&[("PORT", "9001"), ("CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__PORT", value)]);
    assert_eq!(twice("9001").right().http.port, 9001);
    check_wrong(
        &twice("9002"),
        &[
            "projectConfig.http.port (PORT): is given differently by `CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__PORT` and `PORT`",
        ],
    );
}

/// The usual names of other programs are left alone.
#[test]
fn foreign_variables_do_not_matter() {
    Folder::empty()
        .env(&[("CUSTOMER_REGISTRATION_CONFIG", "x"), ("PATH", "/bin"), ("CUSTOMER_REGISTRATIONS", "1"), ("é", "1")])
        .right();
}
