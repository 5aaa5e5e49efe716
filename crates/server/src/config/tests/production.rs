//! What production asks for, and what only development allows.

use super::*;

#[test]
fn production_without_anything_names_all_that_is_missing() {
    check_wrong(
        &Folder::empty().env(&[("NODE_ENV", "production")]),
        &[
            "projectConfig.http.jwtSecret (not set): JWT secret is not configured",
            "projectConfig.http.cookieSecret (not set): Cookie secret is not configured",
            "notification.providers (default): no notification provider is configured: production cannot send messages",
        ],
    );
    let config = Folder::empty().env(PRODUCTION).right();
    assert!(config.production && config.options.production && config.options.email_verification.is_none());
}

#[test]
fn short_secrets_are_refused_in_production_unless_allowed() {
    let short = Folder::empty().env(PRODUCTION).env(&[("JWT_SECRET", "supersecret"), ("COOKIE_SECRET", "supersecret")]);
    check_wrong(
        &short,
        &[
            "projectConfig.http.jwtSecret (JWT_SECRET): a secret is shorter than 32 bytes",
            "projectConfig.http.cookieSecret (COOKIE_SECRET): a secret is shorter than 32 bytes",
        ],
    );
    let allowed = short.env(&[("CUSTOMER_REGISTRATION__PROJECT_CONFIG__HTTP__ALLOW_WEAK_SECRETS", "true")]).right();
    assert_eq!(
        allowed.warnings.iter().filter(|warning| warning.contains("32 bytes")).count(),
        2,
        "{:?}",
        allowed.warnings
    );
    assert_eq!(Folder::empty().env(&[("JWT_SECRET", "supersecret")]).right().warnings.len(), 0);
    let rotated =
        Folder::empty().env(PRODUCTION).env(&[("JWT_SECRET", r#"["0123456789abcdef0123456789abcdef", "short"]"#)]);
    check_wrong(&rotated, &["projectConfig.http.jwtSecret (JWT_SECRET): a secret is shorter than 32 bytes"]);
}

/// The development inbox shows every code; it must not be open to the network by an oversight.
#[test]
fn development_listens_on_loopback_only_without_dev_public() {
    for (host, right) in [
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("localhost", true),
        ("::1", true),
        ("[::1]", true),
        ("0.0.0.0", false),
        ("::", false),
        ("192.168.0.2", false),
        ("shop.example.com", false),
    ] {
        let mut folder = Folder::empty().env(&[("HOST", host)]);
        assert_eq!(Config::load(&folder.sources).is_ok(), right, "{host}");
        folder.sources.dev_public = true;
        assert!(Config::load(&folder.sources).is_ok(), "{host} --dev-public");
        assert!(Config::load(&folder.env(PRODUCTION).sources).is_ok(), "{host} production");
    }
}

#[test]
fn the_local_provider_is_refused_in_production() {
    let folder =
        Folder::toml("[[notification.providers]]\nid = \"local\"\nchannels = [\"email\"]\n").env(&PRODUCTION[..3]);
    check_wrong(
        &folder,
        &[
            "notification.providers[0].id (config.toml:2): the provider `local` is for development: it shows every message to whoever opens the inbox",
        ],
    );
}

#[test]
fn production_warns_of_links_in_the_clear() {
    let warnings = |url: &str| {
        let text =
            format!("[options]\nstorefrontUrl = \"{url}/\"\n[options.email_verification]\nchannel = \"email\"\n");
        Folder::toml(&text).env(PRODUCTION).right().warnings
    };
    assert_eq!(warnings("https://shop.example.com"), Vec::<String>::new());
    assert_eq!(warnings("http://shop.example.com").len(), 1);
}

/// Whoever reads the network would read every code; development sends to whatever is at hand.
#[test]
fn production_warns_of_messages_and_events_in_the_clear() {
    let text = |mail: &str, texts: &str, events: &str| {
        format!(
            "[[notification.providers]]\nid = \"smtp\"\nchannels = [\"email\"]\noptions = {{ url = \"{mail}\", from = \"a@b\" }}\n\
             [[notification.providers]]\nid = \"webhook\"\nchannels = [\"sms\"]\noptions = {{ url = \"{texts}\", secret = \"s\" }}\n\
             [[notification.providers]]\nid = \"twilio\"\nchannels = [\"whatsapp\"]\n\
             options = {{ accountSid = \"AC1\", authToken = \"t\", from = \"+15550000000\", baseUrl = \"{texts}\" }}\n\
             [[events.webhooks]]\nurl = \"{events}\"\nsecret = \"whsec_YSBrZXkgb2YgMjQgYnl0ZXMgbGVuZ3Ro\"\n\
             [options.email_verification]\nchannel = \"email\"\n"
        )
    };
    let clear = text("smtp://u:hidden@mail.example.com", "http://texts.example.com", "http://events.example.com");
    let warned = Folder::toml(&clear).env(&PRODUCTION[..3]).right().warnings;
    let keys: Vec<_> = warned.iter().map(|warning| warning.split(' ').next().unwrap()).collect();
    assert_eq!(
        keys,
        [
            "notification.providers[0].options.url",
            "notification.providers[1].options.url",
            "notification.providers[2].options.baseUrl",
            "events.webhooks[0].url",
        ],
        "{warned:?}"
    );
    assert!(!warned.concat().contains("hidden"), "{warned:?}");
    for safe in [
        text("smtp://mail.example.com?tls=required", "https://texts.example.com", "https://events.example.com"),
        text("smtp://localhost:2525", "http://127.0.0.1:8080", "http://[::1]:8080/events"),
    ] {
        assert_eq!(Folder::toml(&safe).env(&PRODUCTION[..3]).right().warnings, Vec::<String>::new());
    }
    let development = Folder::toml(&clear).env(&[("JWT_SECRET", "x")]).right().warnings;
    assert!(!development.iter().any(|warning| warning.contains("in the clear")), "{development:?}");
}

#[test]
fn defaults_that_depend_on_the_machine() {
    let mut folder = Folder::empty();
    folder.sources.cores = 1;
    assert_eq!(folder.right().http.hash_queue, 64);
    assert_eq!(folder.right().log_format, super::super::LogFormat::Json);
    folder.sources.cores = 16;
    folder.sources.terminal = true;
    assert_eq!(folder.right().http.hash_queue, 512);
    assert_eq!(folder.right().log_format, super::super::LogFormat::Text);
    assert_eq!(folder.right().admin_path, "/app");
    let behind = folder.env(&[("CUSTOMER_REGISTRATION__GATEWAY__UPSTREAM", "http://medusa:9000/")]).right();
    assert_eq!(behind.admin_path, "/customer-registration");
    assert_eq!(behind.gateway_upstream.as_deref(), Some("http://medusa:9000"));
}
