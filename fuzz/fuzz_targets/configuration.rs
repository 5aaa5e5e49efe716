//! Whatever a configuration file holds, it is taken or its problems are told by line, and `config show` shows no secret. Input:
//! a line with the format (`toml`, `yaml`, `json`), then the file.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use cr_server::config::{Config, Origin, Problem, Sources};
use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// What comes of a file of this format.
fn load(format: &str, text: &str) -> Result<Config, Vec<Problem>> {
    let path = FOLDER.path().join(format!("configuration.{format}"));
    std::fs::write(&path, text).unwrap();
    Config::load(&Sources { config_path: Some(path), ..Sources::bare(FOLDER.path()) })
}

/// A problem says what is wrong and where, and the place is there.
fn judge_problems(text: &str, problems: &[Problem]) {
    assert!(!problems.is_empty(), "refused without a reason: {text:?}");
    for problem in problems {
        assert!(!problem.message.is_empty() && !problem.to_string().is_empty(), "{problem:?}");
        if let Origin::File { line, .. } = problem.origin {
            // A lone carriage return begins a line in YAML (1.2, section 5.4).
            assert!(line <= text.split(['\n', '\r']).count() + 1, "{problem:?} of {text:?}");
        }
    }
}

/// Nothing of a secret is shown, unless the file says the same elsewhere in the clear.
fn judge_secrets(text: &str, config: &Config) {
    for secret in config.http.jwt_secrets.iter().chain([&config.http.cookie_secret]) {
        let secret = secret.expose_secret();
        let is_its_own = secret.len() >= 12 && text.matches(secret).count() == 1;
        assert!(!is_its_own || !config.shown.contains(secret), "{text:?} shows {secret}");
    }
}

fuzz_target!(|input: &str| {
    let Some((format, text)) = input.split_once('\n') else { return };
    // Which file is read is the operator's business, and not every file of this machine ends.
    if !["toml", "yaml", "json"].contains(&format) || text.contains("ile") || text.contains('/') && text.contains("..")
    {
        return;
    }
    let config = match load(format, text) {
        Ok(config) => config,
        Err(problems) => return judge_problems(text, &problems),
    };
    judge_secrets(text, &config);
    let value = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).ok().filter(|_| format == "json");
    if let Some(pretty) = value.and_then(|value| serde_json::to_string_pretty(&value).ok()) {
        for format in ["json", "yaml"] {
            let again = load(format, &pretty).map(|config| config.shown.lines().count());
            assert_eq!(again.ok(), Some(config.shown.lines().count()), "{pretty} as {format}");
        }
    }
    assert!(Path::new(&config.source).is_absolute());
});
