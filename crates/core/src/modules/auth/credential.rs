//! Finding whose credential an e-mail or a phone is, by the look-up rules: exact first, then the only one that folds to it.

use cr_db::Tx;
use cr_db::models::provider_identity::{self, ProviderIdentity};

use crate::error::Error;
use crate::identifiers::{Email, PhoneNumber};
use crate::options::ContactType;

/// What somebody typed to say who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// Which of the two it is.
    pub contact: ContactType,
    /// As typed, without blanks around it.
    pub raw: String,
    /// Parsed; `None` for a text that can be neither, which is then unknown to all look-ups.
    pub canonical: Option<String>,
}

impl Identifier {
    /// Reads an e-mail or a phone.
    pub fn read(contact: ContactType, text: &str, default_country: Option<&str>) -> Self {
        let raw = text.trim().to_owned();
        let canonical = match contact {
            ContactType::Email => Email::parse(text).map(|email| email.as_str().to_owned()),
            ContactType::Phone => PhoneNumber::parse(text, default_country).map(|phone| phone.as_str().to_owned()),
        };
        Self { contact, raw, canonical }
    }

    /// What counters are keyed by: the canonical form, or what was typed where there is none.
    pub fn key(&self) -> String {
        self.canonical.clone().unwrap_or_else(|| self.raw.to_ascii_lowercase())
    }
}

/// All credentials that an identifier may mean, soft-deleted ones too.
///
/// # Errors
/// When the statement fails.
pub async fn list(tx: &mut Tx, identifier: &Identifier) -> Result<Vec<ProviderIdentity>, Error> {
    let canonical = identifier.key();
    Ok(match identifier.contact {
        ContactType::Email => provider_identity::list_by_email(tx, &canonical).await?,
        ContactType::Phone => provider_identity::list_by_phone(tx, &identifier.raw, &canonical).await?,
    })
}

/// The one live credential that an identifier means; several that only fold to it mean nobody.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, identifier: &Identifier) -> Result<Option<ProviderIdentity>, Error> {
    let live = list(tx, identifier).await?.into_iter().filter(|row| !row.is_deleted).collect();
    Ok(choose(live, identifier, |row| &row.entity_id))
}

/// Of live credentials, each told by what it is for: the one that is exactly as typed, else exactly as parsed, else the only one.
pub fn choose<T>(live: Vec<T>, identifier: &Identifier, entity_id: fn(&T) -> &str) -> Option<T> {
    let canonical = identifier.key();
    let position = live
        .iter()
        .position(|row| entity_id(row) == identifier.raw)
        .or_else(|| live.iter().position(|row| entity_id(row) == canonical))
        .or((live.len() == 1).then_some(0))?;
    live.into_iter().nth(position)
}
