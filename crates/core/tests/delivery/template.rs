//! Templates: the built-in ones, the operator's, and what is refused at start.

use std::collections::BTreeMap;
use std::path::Path;

use cr_core::delivery::message::MessageKind;
use cr_core::delivery::template::{Rendered, Templates};
use cr_core::options::{NoticeSection, OtpSection, PasswordResetSection, TemplateSource};

use crate::stage::options;

/// Values for everything that any template may use.
fn values() -> BTreeMap<&'static str, String> {
    [
        ("customer_name", "Ann"),
        ("email", "ann@shop.test"),
        ("phone", "+15550001111"),
        ("code", "135790"),
        ("expiry_minutes", "15"),
        ("token", "to.ken"),
        ("reset_url", "https://shop.test/reset?token=to.ken&email=ann@shop.test"),
        ("scheduled_days", "7"),
        ("deletion_scheduled_at", "2026-01-09"),
        ("undo_url", "https://shop.test/undo?token=abc"),
        ("channel", "e-mail address"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// Renders a kind with these values.
fn render(templates: &Templates, kind: MessageKind, channel: &str, values: BTreeMap<&'static str, String>) -> Rendered {
    templates.render(kind, channel, &Templates::complete(kind, values, None)).unwrap()
}

/// The built-in templates.
fn built_in() -> Templates {
    Templates::load(&options()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// An e-mail verification with this template file.
fn with_file(content: &str) -> Result<Templates, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("template.html");
    std::fs::write(&path, content).unwrap();
    load(&path)
}

/// An e-mail verification with the template at this path; the problems as `key: message`.
fn load(path: &Path) -> Result<Templates, Vec<String>> {
    let mut options = options();
    options.email_verification = Some(OtpSection {
        channel: "email".to_owned(),
        template: TemplateSource::File(path.to_owned()),
        subject: "{{code}} for {{customer_name}}".to_owned(),
        resend_throttle_seconds: 90,
        auto_send_on_registration: false,
    });
    Templates::load(&options).map_err(|problems| {
        problems.into_iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
    })
}

#[test]
fn every_built_in_message_renders_for_mail_and_for_text() {
    let templates = built_in();
    for kind in MessageKind::ALL {
        let mail = render(&templates, kind, "email", values());
        let html = mail.html.unwrap();
        assert!(!mail.subject.unwrap().is_empty(), "{kind:?}");
        assert!(html.contains("color-scheme") && html.contains("max-width:600px"), "{kind:?}");
        for left_over in ["{{", "}}", "<!--"] {
            assert!(!html.contains(left_over), "{kind:?} {left_over}");
        }
        assert!(!mail.text.contains(['<', '{']), "{kind:?} {}", mail.text);
        let text = render(&templates, kind, "sms", values());
        assert!(text.html.is_none() && text.subject.is_none(), "{kind:?}");
        assert!(text.text.is_ascii() && text.text.len() <= 160, "{kind:?} is one text message: {}", text.text);
    }
}

/// The text parts, whole: what a customer without HTML reads.
#[test]
fn text_parts_read_as_letters() {
    let templates = built_in();
    let letters: Vec<String> = MessageKind::ALL
        .into_iter()
        .map(|kind| format!("== {}\n{}\n", kind.as_str(), render(&templates, kind, "email", values()).text))
        .collect();
    insta::assert_snapshot!(letters.join("\n"));
}

#[test]
fn optional_sentences_go_with_their_values() {
    let templates = built_in();
    let mut values = values();
    values.remove("undo_url");
    let notice = render(&templates, MessageKind::PasswordChangedNotice, "email", values.clone());
    assert!(notice.text.ends_with("reset your password at once and contact us."), "{}", notice.text);
    let text = render(&templates, MessageKind::ContactChangeNotice, "sms", values);
    assert_eq!(text.text, "The e-mail address of your account was changed.");
}

#[test]
fn html_escapes_its_values_and_text_does_not() {
    let templates = with_file("<p>{{phone}} {{code}}</p>").unwrap();
    let mut values = values();
    values.insert("phone", "<b>&\"".to_owned());
    let mail = render(&templates, MessageKind::EmailVerification, "email", values.clone());
    assert_eq!(mail.html.as_deref(), Some("<p>&lt;b&gt;&amp;&quot; 135790</p>"));
    assert_eq!(mail.text, "<b>&\" 135790");
    // The same HTML template on a text channel is reduced to its text.
    assert_eq!(render(&templates, MessageKind::EmailVerification, "sms", values).text, "<b>&\" 135790");
    assert_eq!(mail.subject.as_deref(), Some("135790 for Ann"));
}

#[test]
fn a_text_template_makes_a_mail_too() {
    let templates = with_file("Hi {{customer_name}},\n{{phone}}\n").unwrap();
    let mut values = values();
    values.insert("phone", "1 < 2".to_owned());
    let mail = render(&templates, MessageKind::EmailVerification, "email", values);
    assert_eq!(mail.text, "Hi Ann,\n1 < 2");
    assert!(mail.html.unwrap().contains("Hi Ann,<br>1 &lt; 2"));
}

/// A misspelt variable must be found at start, not by the first customer.
#[test]
fn a_template_that_cannot_work_is_a_start_error() {
    let key = "options.email_verification.template";
    for (content, problem) in [
        ("{{cod}}", "Template uses the unknown variable cod; there are customer_name, email, phone, otp, code"),
        ("{{#if code}}fine{{else}}{{reset_url}}{{/if}}", "Template uses the unknown variable reset_url"),
        ("{{#if cod}}x{{/if}}", "Template uses the unknown variable cod"),
        ("{{#if (eq code cod)}}x{{/if}}", "Template uses the unknown variable cod"),
        ("{{this}}", "Template uses the unknown variable this"),
        ("{{customer.name}}", "Template uses the unknown variable customer.name"),
        ("<p>{{{customer_name}}}</p>", "Template writes customer_name unescaped into HTML"),
        ("{{> header}}", "Template uses a partial or a decorator"),
        ("{{#each code}}x{{/each}}", "Template uses the helper each"),
        ("{{lookup code 1}}", "Template uses the helper lookup"),
        ("{{#if}}x{{/if}}", "Template uses the helper if with 0 values; it takes 1"),
        ("{{#unless code otp}}x{{/unless}}", "Template uses the helper unless with 2 values; it takes 1"),
        ("{{#if (eq code)}}x{{/if}}", "Template uses the helper eq with 1 value; it takes 2"),
        ("{{#if (code)}}x{{/if}}", "Template uses the helper code; there are if, unless"),
        ("{{code", "Template does not parse"),
        ("{{#if code}}x", "Template does not parse"),
    ] {
        let problems = with_file(content).err().unwrap_or_default();
        let expected = format!("{key}: {problem}");
        assert!(problems.len() == 1 && problems[0].starts_with(&expected), "{content}: {problems:?}");
    }
    let problems = load(Path::new("/does/not/exist.html")).err().unwrap();
    assert!(problems[0].starts_with(&format!("{key}: Template /does/not/exist.html cannot be read")), "{problems:?}");
}

#[test]
fn all_problems_are_told_at_once_with_their_options() {
    let mut options = options();
    options.password_reset = Some(PasswordResetSection {
        template: None,
        subject: "{{otp}}".to_owned(),
        sms_body: Some("{{tokn}} {{reset_url}} {{phone}}".to_owned()),
    });
    options.password_changed_notice =
        NoticeSection { template: TemplateSource::BuiltIn, subject: "{{nam}}".to_owned(), disable: false };
    let keys: Vec<_> = Templates::load(&options).err().unwrap().into_iter().map(|problem| problem.key).collect();
    assert_eq!(
        keys,
        [
            "options.password_reset.subject",
            "options.password_reset.sms_body",
            "options.password_changed_notice.subject"
        ]
    );
}

#[test]
fn the_operators_text_message_for_resets_is_used() {
    let mut options = options();
    options.password_reset = Some(PasswordResetSection {
        template: None,
        subject: "Reset".to_owned(),
        sms_body: Some("{{phone}}: {{token}}".to_owned()),
    });
    let templates = Templates::load(&options).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(render(&templates, MessageKind::PasswordReset, "sms", values()).text, "+15550001111: to.ken");
}

/// Whoever registers chooses the name and the address that we greet: no link of theirs in our mail.
#[test]
fn a_greeting_repeats_names_and_nothing_else() {
    let templates = with_file("Hello {{customer_name}}").unwrap();
    let long = "x".repeat(61);
    for (name, greeted) in [
        ("Ann", "Ann"),
        (" Jean-Luc O'Neill ", "Jean-Luc O'Neill"),
        ("J. R. R.", "J. R. R."),
        ("Dr. Zoë", "Dr. Zoë"),
        ("李小龍", "李小龍"),
        ("", "there"),
        ("  ", "there"),
        ("Visit evil.example now", "there"),
        ("http://evil", "there"),
        ("evil.example/win", "there"),
        ("a@b", "there"),
        ("two\nlines", "there"),
        (long.as_str(), "there"),
    ] {
        let values = BTreeMap::from([("customer_name", name.to_owned())]);
        let text = render(&templates, MessageKind::EmailVerification, "sms", values).text;
        assert_eq!(text, format!("Hello {greeted}"), "{name:?}");
    }
}

/// A line break in a value must not become a header of ours.
#[test]
fn a_subject_is_one_line() {
    let templates = with_file("{{code}}").unwrap();
    let mut values = values();
    values.insert("code", "1\r\nBcc: all@shop.test".to_owned());
    let mail = render(&templates, MessageKind::EmailVerification, "email", values);
    assert_eq!(mail.subject.as_deref(), Some("1 Bcc: all@shop.test for Ann"));
}
