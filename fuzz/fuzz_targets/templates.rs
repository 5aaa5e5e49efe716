//! A template that is taken at start renders for every message, and in HTML no value is more than text. Input: a template, then
//! a line `====`, then the value of every variable.
#![no_main]

use std::collections::BTreeMap;

use cr_core::delivery::message::MessageKind;
use cr_core::delivery::template::{EMAIL, Templates};
use cr_core::delivery::text;
use libfuzzer_sys::fuzz_target;

/// Opens a tag that no template of the corpus has.
const TAG: &str = "<zq9";

/// The kind's variables, all of this value.
fn filled(kind: MessageKind, value: &str) -> BTreeMap<&'static str, String> {
    Templates::variables(kind).into_iter().map(|name| (name, value.to_owned())).collect()
}

/// What must hold for any template of a kind, with this value for every variable.
fn judge(kind: MessageKind, source: &str, value: &str) {
    let Ok(templates) = Templates::of_source(kind, source) else { return };
    for variables in [filled(kind, value), filled(kind, &format!("{value}{TAG} onx='\">")), BTreeMap::new()] {
        let completed = Templates::complete(kind, variables.clone(), None);
        // Also as they are, since `complete` lets no name through that is like a link.
        for variables in [completed, variables].into_iter().filter(|variables| !variables.is_empty()) {
            let mail = templates.render(kind, EMAIL, &variables);
            let mail = mail.unwrap_or_else(|error| panic!("{source:?} was taken and does not render: {error}"));
            let (subject, html) = (mail.subject.unwrap(), mail.html.unwrap());
            assert!(!subject.contains(char::is_control), "{source:?} has the subject {subject:?}");
            assert!(source.contains(TAG) || value.contains(TAG) || !html.contains(TAG), "{source:?} gives {html}");
            let sms = templates.render(kind, "sms", &variables).unwrap();
            assert!(sms.subject.is_none() && sms.html.is_none());
        }
    }
}

fuzz_target!(|input: &str| {
    let (source, value) = input.split_once("\n====\n").unwrap_or((input, "123456"));
    judge(MessageKind::EmailVerification, source, value);
    judge(MessageKind::PasswordReset, source, value);
    let reduced = text::from_html(source);
    assert!(reduced.trim_end() == reduced, "{source:?}");
    assert!(!text::to_html(source).contains(TAG));
});
