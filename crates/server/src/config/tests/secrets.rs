//! Secrets: from files, never shown, and made up in development.

use std::os::unix::fs::PermissionsExt;

use secrecy::ExposeSecret;

use super::*;

#[test]
fn a_secret_comes_from_a_file_without_its_last_line_break() {
    let folder = Folder::toml("[projectConfig.http]\ncookieSecret_FILE = \"cookie\"\n")
        .env(&[("JWT_SECRET_FILE", "jwt"), ("DATABASE_URL_FILE", "url")]);
    folder.write("cookie", "cookie secret\r\n");
    folder.write("jwt", "new\nold\n");
    folder.write("url", "postgres://u:p@h/d\n");
    let config = folder.right();
    assert_eq!(config.http.cookie_secret.expose_secret(), "cookie secret");
    let jwt: Vec<&str> = config.http.jwt_secrets.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(jwt, ["new", "old"]);
    assert_eq!(config.database.url, "postgres://u:p@h/d");
}

#[test]
fn a_value_and_its_file_are_an_error() {
    check_wrong(
        &Folder::empty().env(&[("JWT_SECRET", "a"), ("JWT_SECRET_FILE", "jwt")]),
        &["projectConfig.http.jwtSecret (JWT_SECRET): is given both as a value and as a file, by `JWT_SECRET_FILE`"],
    );
    check_wrong(
        &Folder::empty()
            .env(&[("CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__JWT_SECRET_FILE", "a"), ("JWT_SECRET", "b")]),
        &[
            "CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__JWT_SECRET_FILE (CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__JWT_SECRET_FILE): `a` cannot be read: No such file or directory (os error 2)",
            "projectConfig.http.jwtSecret (JWT_SECRET): is given both as a value and as a file, by `CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__JWT_SECRET_FILE`",
        ],
    );
    check_wrong(
        &Folder::toml("[projectConfig.http]\njwtSecret = \"a\"\njwtSecret_FILE = \"b\"\n"),
        &["projectConfig.http.jwtSecret (config.toml:3): is given both as a value and as a file, by `jwtSecret_FILE`"],
    );
    check_wrong(
        &Folder::toml("[projectConfig.http]\njwtSecret = \"a\"\n").env(&[("JWT_SECRET_FILE", "b")]),
        &["projectConfig.http.jwtSecret (config.toml:2): is given both as a value and as a file, by `JWT_SECRET_FILE`"],
    );
}

#[test]
fn files_that_hold_nothing_are_told_and_only_secrets_have_files() {
    let folder = Folder::toml("[projectConfig.http]\nport_FILE = \"x\"\n").env(&[("COOKIE_SECRET_FILE", "empty")]);
    folder.write("empty", "\n");
    check_wrong(
        &folder,
        &[
            "projectConfig.http.port_FILE (config.toml:2): is not a known key",
            "COOKIE_SECRET_FILE (COOKIE_SECRET_FILE): `empty` is empty",
        ],
    );
}

/// Nothing that the operator may paste into a ticket holds a secret.
#[test]
fn no_secret_is_shown_anywhere() {
    let config = Folder::toml(
        "[projectConfig]\ndatabaseUrl = \"postgres://user:hunter2@h/d\"\n[projectConfig.http]\njwtSecret = [\"hunter2\", \"hunter2b\"]\ncookieSecret = \"hunter2\"\n\
         [[notification.providers]]\nid = \"smtp\"\nchannels = [\"email\"]\noptions = { url = \"smtps://u:hunter2@m\", from = \"a@b\" }\n\
         [[notification.providers]]\nid = \"twilio\"\nchannels = [\"sms\"]\noptions = { accountSid = \"AC\", authToken = \"hunter2\", from = \"+1\" }\n\
         [[events.webhooks]]\nurl = \"https://u:hunter2@h\"\nsecret = \"hunter2\"\n",
    )
    .right();
    assert!(!config.shown.contains("hunter2"), "{}", config.shown);
    assert!(!format!("{config:?}").contains("hunter2"));
    for expected in [
        "projectConfig.databaseUrl = \"postgres://user:***@h/d\"  # config.toml:2",
        "projectConfig.http.jwtSecret = [\"***\", \"***\"]  # config.toml:4",
        "options.url = \"smtps://u:***@m\"",
        "options.authToken = \"***\"",
    ] {
        assert!(config.shown.contains(expected), "{expected} is not in\n{}", config.shown);
    }
    let wrong = Folder::toml("[projectConfig]\ndatabaseUrl = \"mysql://u:hunter2@h\"\n[projectConfig.http]\njwtSecret = { a = \"hunter2\" }\ncookieSecret = [\"hunter2\"]\nhost = \"hunter\n")
        .wrong();
    assert!(wrong.iter().all(|problem| !problem.to_string().contains("hunter2")), "{wrong:?}");
}

/// Tokens of development outlive a restart, and nobody else on the machine can read their key.
#[test]
fn development_keeps_a_random_secret_beside_the_database() {
    let folder = Folder::empty();
    let file = folder.path().join("customer-registration.db.jwt-secret");
    let mut first = folder.right();
    assert_eq!(first.jwt_secret_file.as_deref(), Some(file.as_path()));
    first.fill_development_secrets(&cr_core::env::Env::system()).unwrap();
    let mut second = folder.right();
    second.fill_development_secrets(&cr_core::env::Env::system()).unwrap();
    let exposed = |config: &Config| config.http.jwt_secrets[0].expose_secret().to_owned();
    assert_eq!(exposed(&first), exposed(&second));
    assert_eq!(exposed(&first).len(), 43);
    assert_ne!(first.http.cookie_secret.expose_secret(), second.http.cookie_secret.expose_secret());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    std::fs::write(&file, "short").unwrap();
    let error = folder.right().fill_development_secrets(&cr_core::env::Env::system()).unwrap_err();
    assert!(error.to_string().contains("jwt-secret"), "{error}");
}

#[test]
fn a_configured_secret_is_kept_as_it_is() {
    let folder = Folder::empty().env(&[("JWT_SECRET", "mine"), ("COOKIE_SECRET", "too")]);
    let mut config = folder.right();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    config.fill_development_secrets(&cr_core::env::Env::system()).unwrap();
    assert_eq!(config.http.jwt_secrets.len(), 1);
    assert_eq!(config.http.cookie_secret.expose_secret(), "too");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_random_secret_has_its_place_by_the_database() {
    let at = |url: &str| super::super::secrets::development_file(url, Path::new("/w"));
    for (url, file) in [
        ("sqlite://a.db?mode=rwc", Some("/w/a.db.jwt-secret")),
        ("sqlite:///var/a.db", Some("/var/a.db.jwt-secret")),
        ("sqlite::memory:", None),
        ("sqlite://x?mode=memory", None),
        ("postgres://u:p@h/d", Some("/w/customer-registration.jwt-secret")),
    ] {
        assert_eq!(at(url).as_deref(), file.map(Path::new), "{url}");
    }
}
