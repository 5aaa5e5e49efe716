//! The `api-key create` command: a key as Medusa stores it.

use cr_db::models::api_key::{self, ApiKey};
use cr_types::ids::generate;

use crate::app::App;
use crate::error::Error;
use crate::modules::api_key as rules;

/// Which of Medusa's two kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKeyType {
    /// Sent by storefronts; stored in the clear.
    Publishable,
    /// Sent by machines instead of an admin's token; stored as a hash.
    Secret,
}

/// Makes a key and gives its text, the only time that a secret one is shown.
///
/// # Errors
/// When a statement fails.
pub async fn run(app: &App, kind: ApiKeyType, title: &str) -> Result<String, Error> {
    let (prefix, word) = match kind {
        ApiKeyType::Publishable => ("pk", "publishable"),
        ApiKeyType::Secret => ("sk", "secret"),
    };
    let token = format!("{prefix}_{}", rules::hex(&app.shared.env.bytes::<32>()));
    let salt = match kind {
        ApiKeyType::Publishable => String::new(),
        ApiKeyType::Secret => rules::hex(&app.shared.env.bytes::<16>()),
    };
    let stored = match kind {
        ApiKeyType::Publishable => token.clone(),
        ApiKeyType::Secret => rules::hash(app, &token, &salt).await?,
    };
    let mut cx = app.begin().await?;
    let key = ApiKey {
        id: generate("apk", cx.now, cx.bytes()),
        token: stored,
        salt,
        redacted: rules::redact(&token),
        title: title.to_owned(),
        kind: word.to_owned(),
        created_by: "customer-registration".to_owned(),
    };
    api_key::insert(&mut cx.tx, &key, cx.now).await?;
    cx.commit().await?;
    Ok(token)
}
