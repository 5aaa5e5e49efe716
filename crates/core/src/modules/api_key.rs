//! Medusa's API keys: which ones are in force, and how a secret one is hashed.

use cr_db::models::api_key;
use subtle::ConstantTimeEq as _;

use crate::app::App;
use crate::error::Error;
use crate::password::HashParams;

/// log2 of scrypt's cost for secret keys; Medusa 2.11.2 hashes them with Node's defaults (16384, 8, 1).
const LOG_N: u8 = 14;

/// Whether a publishable key is in force.
///
/// # Errors
/// When the statement fails.
pub async fn is_publishable(app: &App, token: &str) -> Result<bool, Error> {
    let now = app.shared.env.clock.now();
    let mut tx = app.db.read().await?;
    let found = api_key::find_publishable(&mut tx, token, now).await?;
    tx.commit().await?;
    Ok(found.is_some())
}

/// The id (`apk_…`) of the secret key that a request brought, if it is in force.
///
/// # Errors
/// When the statement fails; 503 when too many hashes wait.
pub async fn find_secret(app: &App, token: &str) -> Result<Option<String>, Error> {
    let now = app.shared.env.clock.now();
    let mut tx = app.db.read().await?;
    let candidates = api_key::list_secret(&mut tx, &redact(token), now).await?;
    tx.commit().await?;
    for candidate in candidates {
        let hashed = hash(app, token, &candidate.salt).await?;
        if bool::from(hashed.as_bytes().ct_eq(candidate.token.as_bytes())) {
            return Ok(Some(candidate.id));
        }
    }
    Ok(None)
}

/// The first six characters, three stars, the last three.
pub fn redact(token: &str) -> String {
    let start: String = token.chars().take(6).collect();
    let count = token.chars().count();
    let end: String = token.chars().skip(count.saturating_sub(3)).collect();
    format!("{start}***{end}")
}

/// Hexadecimal scrypt of a secret key; the salt is used as text.
///
/// # Errors
/// 503 when too many hashes wait.
pub async fn hash(app: &App, token: &str, salt: &str) -> Result<String, Error> {
    let params = HashParams { log_n: LOG_N, r: 8, p: 1 };
    // Only keys whose ends are those of a real one come here, so each real key has turns of its own.
    let derived = app.hashes.derive(&redact(token), token.into(), salt.as_bytes().to_vec(), params).await?;
    derived.map(|derived| hex(&derived)).ok_or_else(|| Error::internal("scrypt refused its parameters"))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
