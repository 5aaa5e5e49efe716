//! Files: formats, lines, unknown keys, wrong types, everything at once.

use super::super::{Origin, ProviderKind};
use super::*;

/// With nothing at all `serve` must work and every flow must be open.
#[test]
fn no_file_and_no_variables_give_the_development_defaults() {
    let folder = Folder::empty();
    let config = folder.right();
    let options = &config.options;
    assert_eq!(config.database.url, "sqlite://customer-registration.db?mode=rwc");
    assert_eq!((config.http.host.as_str(), config.http.port), ("127.0.0.1", 9000));
    assert_eq!(options.storefront_url.as_deref(), Some("http://localhost:8000"));
    assert!(options.require_verification && !config.production);
    assert!(options.email_verification.is_some() && options.phone_verification.is_some());
    assert!(options.account_deletion_request.is_some() && options.account_deletion_cancel.is_some());
    assert!(options.password_reset.as_ref().is_some_and(|reset| reset.template.is_some() && reset.sms_body.is_some()));
    assert_eq!(config.notification.providers.len(), 1);
    assert_eq!(config.notification.providers[0].channels, ["email", "sms"]);
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
}

/// The usual file is found in the working folder; development defaults do not mix into a file.
#[test]
fn the_usual_file_is_taken_and_replaces_the_development_defaults() {
    let folder = Folder::empty();
    folder.write("customer-registration.toml", "[options]\notpLength = 8\n");
    let config = folder.right();
    assert_eq!(config.options.otp_length, 8);
    assert!(config.options.email_verification.is_none() && config.options.storefront_url.is_none());
    assert_eq!(config.notification.providers[0].id, "local");
}

#[test]
fn the_three_formats_say_the_same() {
    let toml = "[projectConfig.http]\nport = 9001\ntrustProxy = [\"private\"]\n[options.email_verification]\nchannel = \"email\"\n[options.limits]\nresets = [\"1/1h\", \"2/1d\"]\n";
    let yaml = "projectConfig:\n  http:\n    port: 9001\n    trustProxy: [private]\noptions:\n  email_verification:\n    channel: email\n    template: null\n  limits:\n    resets: [1/1h, 2/1d]\n";
    let json = r#"{"projectConfig": {"http": {"port": 9001, "trustProxy": ["private"]}},
        "options": {"email_verification": {"channel": "email", "template": null}, "limits": {"resets": ["1/1h", "2/1d"]}}}"#;
    for (name, text) in [("a.toml", toml), ("a.yaml", yaml), ("a.yml", yaml), ("a.json", json), ("a.JSON", json)] {
        let config = Folder::with(name, text).right();
        assert_eq!(config.http.port, 9001, "{name}");
        assert_eq!(config.http.trust_proxy.len(), 4, "{name}");
        assert_eq!(config.options.limits.resets.len(), 2, "{name}");
        assert_eq!(config.options.email_verification.unwrap().resend_throttle_seconds, 90, "{name}");
    }
}

#[test]
fn a_file_that_is_none_is_one_problem() {
    for (name, text, line) in [
        ("a.ini", "", "a.ini: `.ini` is no format of a configuration file"),
        ("a.json", "[]", "a.json:1: the file holds a list, not keys and values"),
        ("a.json", "{", "a.json:1: not valid JSON: EOF while parsing an object"),
        ("a.yaml", "a: 1\na: 2\n", "a.yaml:2: not valid YAML: duplicate key `a`"),
    ] {
        check_wrong(&Folder::with(name, text), &[line]);
    }
    let mut folder = Folder::empty();
    folder.sources.config_path = Some("missing.toml".into());
    let found = lines(&folder.wrong());
    assert!(found[0].starts_with("missing.toml: the configuration file cannot be read"), "{found:?}");
}

/// Both would count on one counter, each for the other.
#[test]
fn two_rates_of_one_window_are_refused() {
    let folder = Folder::toml("[options.limits]\nresets = [\"5/1h\", \"20/24h\", \"3/60m\"]\n");
    let found = lines(&folder.wrong());
    assert!(found[0].contains("two of its rates have a window of 3600 seconds: keep the narrower one"), "{found:?}");
}

/// One run tells everything, so that nobody fixes one line a start.
#[test]
fn all_problems_are_told_at_once_with_key_line_and_fix() {
    let folder = Folder::toml(
        "[projectConfig]\nredisUrl = \"x\"\n[projectConfig.http]\nport = 99999\njwtExpiresIn = \"3600\"\n\
         publishableKey = \"require\"\n[options]\notp_length = 6\notpCharset = \"numerc\"\notpExpiryMinutes = \"15\"\n\
         [options.email_verification]\nresendThrottleSeconds = -1\n[options.password_reset]\nsubject = \"S\"\n\
         [options.limits]\nresets = \"5\"\nloginFailure = \"off\"\n[[notification.providers]]\nid = \"smpt\"\n\
         [[notification.providers]]\nid = \"twilio\"\nchannels = [\"sms\"]\noptions = { accountSid = \"AC\", token = \"x\" }\n",
    )
    .env(&[("CUSTOMER_REGISTRATION__OPTIONS__MAX_ATTEMPTS", "many"), ("CUSTOMER_REGISTRATION__OPTIONS__OTP_LENGHT", "6")]);
    let told = super::super::commands::check(&folder.sources).unwrap_err();
    insta::assert_snapshot!(told, @r###"
    19 problems in the configuration:
    - projectConfig.redisUrl (config.toml:2): is not a known key
      fix: Remove it; `config schema` and docs/CONFIGURATION.md list all keys.
    - projectConfig.http.port (config.toml:4): must be a whole number from 0 to 65535, but it is 99999
      fix: Write, for example, `port = 9000`.
    - projectConfig.http.jwtExpiresIn (config.toml:5): must be a number of seconds, or text with a unit, but `"3600"` is a bare number in a text: it reads as 3600 seconds, or, as Medusa's `jsonwebtoken` takes it, as 3600 milliseconds
      fix: Write `3600` without quotes, or `"3600s"`, for seconds; `"3600ms"` for milliseconds.
    - projectConfig.http.publishableKey (config.toml:6): must be one of `auto`, `required`, `off`, but it is `require`
      fix: Did you mean `publishableKey = "required"`?
    - options.otp_length (config.toml:8): is not a known key
      fix: Did you mean `options.otpLength`?
    - options.otpCharset (config.toml:9): must be `numeric` or `alphanumeric`, but it is `numerc`
      fix: Did you mean `otpCharset = "numeric"`?
    - options.otpExpiryMinutes (config.toml:10): must be a whole number from 1 to 1440, but it is text
      fix: Write it without quotes: `otpExpiryMinutes = 15`.
    - options.email_verification.resendThrottleSeconds (config.toml:12): must be a whole number from 0 to 3600, but it is -1
      fix: Write, for example, `resendThrottleSeconds = 90`.
    - options.limits.resets (config.toml:16): must be `"N/window"`, a list of such, or `"off"`, but `5` is not of the form `N/window`
      fix: Write, for example, `resets = "5/1h"`.
    - options.limits.loginFailure (config.toml:17): is not a known key
      fix: Did you mean `options.limits.loginFailures`?
    - notification.providers[0].id (config.toml:19): must be one of `local`, `smtp`, `twilio`, `webhook`, but it is `smpt`
      fix: Did you mean `id = "smtp"`?
    - notification.providers[1].options.token (config.toml:23): is not a known key
      fix: Remove it; `config schema` and docs/CONFIGURATION.md list all keys.
    - options.maxAttempts (CUSTOMER_REGISTRATION__OPTIONS__MAX_ATTEMPTS): must be a whole number from 1 to 20, but it is text
      fix: Write, for example, `maxAttempts = 5`.
    - CUSTOMER_REGISTRATION__OPTIONS__OTP_LENGHT: no key has this name
      fix: Did you mean `CUSTOMER_REGISTRATION__OPTIONS__OTP_LENGTH`?
    - options.email_verification.channel (config.toml:11): email_verification.channel is required
      fix: Add `channel = "email"`.
    - notification.providers[1].options.authToken (config.toml:23): notification.providers[1].options.authToken is required
      fix: Add `authToken = "…"`.
    - notification.providers[1].options.from (config.toml:23): notification.providers[1].options.from is required
      fix: Add `from = "+15550001111"`.
    - options.password_reset.template (config.toml:13): password_reset.template is required when login takes email
      fix: Add `template = "builtin"`, or a path, to `[options.password_reset]`.
    - options.storefrontUrl (config.toml:13): storefrontUrl is required when password_reset is configured
      fix: Add `storefrontUrl = "https://shop.example.com"` to `[options]`.
    "###);
}

#[test]
fn a_wrong_kind_of_table_is_one_problem() {
    check_wrong(
        &Folder::toml("options = 5\nnotification.providers = { id = \"smtp\" }\n[projectConfig]\nhttp = [1]\n"),
        &[
            "options (config.toml:1): must be a table, but it is a whole number",
            "notification.providers (config.toml:2): must be a list of tables, but it is a table",
            "projectConfig.http (config.toml:4): must be a table, but it is a list",
        ],
    );
}

/// A template is looked for beside the file that names it, not where the server was started.
#[test]
fn templates_stand_beside_the_configuration_file() {
    let folder = Folder::empty();
    std::fs::create_dir_all(folder.path().join("etc/templates")).unwrap();
    folder.write("etc/templates/verify.html", "x");
    folder.write("etc/c.toml", "[options.email_verification]\nchannel = \"email\"\ntemplate = \"templates/verify.html\"\n[options.phone_verification]\nchannel = \"sms\"\ntemplate = \"templates/none.txt\"\n");
    let mut folder = folder;
    folder.sources.config_path = Some("etc/c.toml".into());
    let file = folder.path().join("etc").join("templates/none.txt");
    check_wrong(
        &folder,
        &[&format!(
            "options.phone_verification.template (etc/c.toml:6): the template `{}` is not there",
            file.display()
        )],
    );
    folder.write("etc/templates/none.txt", "x");
    let config = folder.right();
    let source = config.options.email_verification.unwrap().template;
    assert_eq!(source, cr_core::options::TemplateSource::File(folder.path().join("etc").join("templates/verify.html")));
}

#[test]
fn problems_carry_their_origin_as_data() {
    let problems = Folder::toml("\n[options]\nmaxAttempts = 0\n").wrong();
    assert_eq!(problems[0].origin, Origin::File { file: "config.toml".into(), line: 3 });
    assert_eq!(problems[0].path, "options.maxAttempts");
    assert!(problems[0].fix.contains("maxAttempts = 5"), "{}", problems[0].fix);
}

/// A private authority's certificate is found from the configuration file, as its templates are; one that is not there is told.
#[test]
fn a_ca_file_stands_beside_the_configuration_file() {
    let text = "[[notification.providers]]\nid = \"smtp\"\nchannels = [\"email\", \"sms\"]\n\
                options = { url = \"smtps://h\", from = \"a@b\", caFile = \"authority.pem\" }\n";
    let folder = Folder::toml(text);
    let missing = folder.path().join("authority.pem");
    let told = format!(
        "notification.providers[0].options.caFile (config.toml:4): the file `{}` is not there",
        missing.display()
    );
    check_wrong(&folder, &[&told]);
    folder.write("authority.pem", "");
    let ProviderKind::Smtp { ca_file, .. } = &folder.right().notification.providers[0].kind else { panic!("no smtp") };
    assert_eq!(*ca_file, Some(missing));
}
