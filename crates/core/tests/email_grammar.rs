//! The 70 addresses that were sent to Medusa 2.11.2, and what it said to each.

use cr_core::identifiers::Email;
use serde::Deserialize;

/// One address as sent and whether Medusa took it.
#[derive(Deserialize)]
struct Recorded {
    email: String,
    accepted: bool,
}

/// An address that Medusa takes and we refuse, or the other way round, would shut out a customer on one side.
#[test]
fn addresses_are_taken_and_refused_as_medusa_does_but_for_blanks_around() {
    let recorded: Vec<Recorded> = serde_json::from_str(include_str!("data/medusa-2.11.2-email-grammar.json")).unwrap();
    assert_eq!(recorded.len(), 70);
    for Recorded { email, accepted } in recorded {
        let blanks_around = email.trim() != email;
        assert_eq!(Email::parse(&email).is_some(), accepted || blanks_around, "{email:?}");
    }
}
