//! What is made from the table of keys, and the table against the compiled-in layers.

use super::super::building::{DEFAULTS, DEVELOPMENT, built_in};
use super::super::checking::{Findings, Place, check};
use super::super::keys::{all, places};
use super::super::kind::Kind;
use super::super::node::{Node, Origin};
use super::super::{commands, file};
use super::*;

/// The document in the repository is the one that this table gives.
#[test]
fn the_document_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == commands::markdown(),
        "docs/CONFIGURATION.md is not what the keys say: run `cargo xtask codegen`"
    );
}

#[test]
fn the_compiled_in_layers_are_right() {
    for (name, text) in [("defaults", DEFAULTS), ("development", DEVELOPMENT)] {
        let origin = |_| Origin::Default;
        let layer = file::parse_toml(text, &origin).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        let mut findings = Findings::default();
        check(layer, &Place::root(), Path::new(""), &mut findings);
        assert_eq!(lines(&findings.problems), Vec::<String>::new(), "{name}");
    }
}

/// A key with neither would be read as zero.
#[test]
fn every_key_has_a_default_or_says_what_holds_without() {
    let defaults = built_in(DEFAULTS, &Origin::Default);
    for key in all() {
        let has_default = !places(&defaults, &key.pattern()).is_empty() && !matches!(key.kind, Kind::Section);
        let is_map = key.path.contains('*');
        assert!(has_default == key.unset.is_empty() || is_map, "{}", key.path);
        assert!(key.doc.ends_with('.'), "{}", key.path);
        assert_eq!(all().filter(|other| other.path == key.path).count(), 1, "{}", key.path);
    }
}

/// What is printed can be read again: as TOML, each value in its place.
#[test]
fn shown_configuration_is_toml() {
    let folder =
        Folder::empty().env(&[("CUSTOMER_REGISTRATION__OPTIONS__LIMITS__SENDS_PER_CHANNEL__WHATS.APP", "1/1h")]);
    let shown = commands::show(&folder.sources).unwrap();
    let read: toml::Table = toml::from_str(&shown).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    assert_eq!(read["options"]["otpLength"].as_integer(), Some(6));
    assert_eq!(read["options"]["limits"]["sendsPerChannel"]["whats.app"].as_str(), Some("1/1h"));
    assert_eq!(read["notification"]["providers"][0]["id"].as_str(), Some("local"));
    for line in [
        "projectConfig.http.port = 9000  # default",
        "options.login.identifier = \"both\"  # development default",
        "# projectConfig.http.storeCors is not set: none",
    ] {
        assert!(shown.lines().any(|other| other == line), "{line} is not in\n{shown}");
    }
    let bare = commands::show(&Folder::toml("").sources).unwrap();
    assert!(!bare.contains("email_verification"), "sections that are off are not shown:\n{bare}");
}

#[test]
fn the_schema_knows_every_key() {
    let schema: serde_json::Value = serde_json::from_str(&commands::schema()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let otp = &schema["properties"]["options"]["properties"]["otpLength"];
    assert_eq!((&otp["minimum"], &otp["maximum"], &otp["default"]), (&4.into(), &12.into(), &6.into()));
    assert_eq!(schema["additionalProperties"], false);
    let providers = &schema["properties"]["notification"]["properties"]["providers"]["items"]["oneOf"];
    assert_eq!(providers.as_array().unwrap().len(), 4);
    assert_eq!(providers[1]["properties"]["id"]["const"], "smtp");
    assert_eq!(providers[1]["properties"]["options"]["required"], serde_json::json!(["from"]));
    assert_eq!(
        schema["properties"]["options"]["properties"]["email_verification"]["required"],
        serde_json::json!(["channel"])
    );
    let text = commands::schema();
    for key in all().filter(|key| !matches!(key.kind, Kind::Section)) {
        assert!(text.contains(&serde_json::to_string(key.doc).unwrap()), "{}", key.path);
    }
}

#[test]
fn check_says_what_is_right_and_what_to_know() {
    let text = commands::check(&Folder::empty().sources).unwrap();
    assert!(
        text.starts_with(
            "The configuration is right: built-in development defaults, development.\nwarning: JWT secret"
        ),
        "{text}"
    );
    assert!(text.contains("note: options.otpExpiryMinutes is 15"), "{text}");
}

/// What broken files are put together from.
const PIECES: &[&str] = &[
    "options",
    ".",
    "=",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\n",
    ":",
    " ",
    "- ",
    "5",
    "null",
    ",",
    "é",
    "\\u",
    "*",
    "&",
    "'",
    "otpLength",
    "notification",
    "providers",
    "id",
];

/// However broken a file is, reading it ends with a list of problems and not with a panic.
#[test]
fn any_text_is_taken_or_told() {
    use proptest::prelude::*;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let text = proptest::collection::vec(proptest::sample::select(PIECES), 0..40);
    runner
        .run(&text, |pieces| {
            for name in ["a.toml", "a.yaml", "a.json"] {
                let _told = Config::load(&Folder::with(name, &pieces.concat()).sources);
            }
            prop_assert!(true);
            Ok(())
        })
        .unwrap();
}

/// The tree's own merge: null changes nothing, tables merge, lists are replaced.
#[test]
fn layers_merge_table_by_table() {
    let layer = |text: &str| super::super::json::parse(text, &|_| Origin::Development).unwrap();
    let mut tree: Node = layer(r#"{"a": {"b": 1, "c": [1, 2]}, "d": 1}"#);
    tree.overlay(layer(r#"{"a": {"b": null, "c": [3], "e": {"f": null, "g": 2}}}"#));
    assert_eq!(tree.at("a.c").unwrap().items().len(), 1);
    assert!(
        tree.at("a.b").is_some() && tree.at("a.e.g").is_some() && tree.at("a.e.f").is_none() && tree.at("d").is_some()
    );
}
