//! Development's random secrets, so that `serve` works with nothing configured, and the length that production asks of
//! them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cr_core::env::Env;
use secrecy::{ExposeSecret, SecretString};

use super::Config;
use super::reading::Reader;

/// Fewest bytes of a secret in production: as many as the hash that HS256 keys (RFC 7518, 3.2).
const FEWEST_BYTES: usize = 32;

/// Where development keeps its `jwtSecret`: beside the SQLite file, in the working folder for PostgreSQL; `None` in
/// memory.
pub(crate) fn development_file(database_url: &str, working_dir: &Path) -> Option<PathBuf> {
    let Some(path) = database_url.strip_prefix("sqlite://").or_else(|| database_url.strip_prefix("sqlite:")) else {
        return Some(working_dir.join("customer-registration.jwt-secret"));
    };
    let (file, query) = path.split_once('?').unwrap_or((path, ""));
    if file == ":memory:" || query.contains("mode=memory") {
        return None;
    }
    let mut name = working_dir.join(file).into_os_string();
    name.push(".jwt-secret");
    Some(PathBuf::from(name))
}

/// Judges presence and length of the two secrets.
pub(crate) fn judge(reader: &mut Reader<'_>, jwt_secrets: &[SecretString], cookie_secret: Option<&SecretString>) {
    const JWT: &str = "projectConfig.http.jwtSecret";
    const COOKIE: &str = "projectConfig.http.cookieSecret";
    if !reader.production {
        return;
    }
    if jwt_secrets.is_empty() {
        reader.tell_missing(
            JWT,
            JWT,
            "JWT secret is not configured",
            "Set JWT_SECRET, JWT_SECRET_FILE or `projectConfig.http.jwtSecret` to Medusa's secret.",
        );
    }
    if cookie_secret.is_none() {
        reader.tell_missing(
            COOKIE,
            COOKIE,
            "Cookie secret is not configured",
            "Set COOKIE_SECRET, COOKIE_SECRET_FILE or `projectConfig.http.cookieSecret` to 32 random bytes or more.",
        );
    }
    let weak = |secret: &SecretString| secret.expose_secret().len() < FEWEST_BYTES;
    let found = [(JWT, jwt_secrets.iter().any(weak)), (COOKIE, cookie_secret.is_some_and(weak))];
    for (path, _) in found.into_iter().filter(|(_, weak)| *weak) {
        if reader.boolean("projectConfig.http.allowWeakSecrets") {
            reader
                .warnings
                .push(format!("{path} is shorter than {FEWEST_BYTES} bytes and can be guessed from one token."));
        } else {
            reader.tell(
                path,
                &format!("a secret is shorter than {FEWEST_BYTES} bytes"),
                "Use `openssl rand -base64 48`. If Medusa's secret cannot be changed, set \
                    `projectConfig.http.allowWeakSecrets = true`.",
            );
        }
    }
}

impl Config {
    /// In development, makes what is missing: a `jwtSecret` kept in a file of mode 0600 (so that tokens outlive a
    /// restart), and a `cookieSecret` for this run.
    ///
    /// # Errors
    /// When the file can neither be read nor made; the message names it.
    pub fn fill_development_secrets(&mut self, env: &Env) -> io::Result<()> {
        if self.production {
            return Ok(());
        }
        if self.http.jwt_secrets.is_empty() {
            let secret = match &self.jwt_secret_file {
                Some(path) => kept_secret(path, env)
                    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?,
                None => random_secret(env),
            };
            self.http.jwt_secrets.push(secret);
        }
        if self.http.cookie_secret.expose_secret().is_empty() {
            self.http.cookie_secret = random_secret(env);
        }
        Ok(())
    }
}

/// 32 random bytes as text.
fn random_secret(env: &Env) -> SecretString {
    SecretString::from(URL_SAFE_NO_PAD.encode(env.bytes::<32>()))
}

/// The secret in the file; made first if it is not there. Of several processes at once all get the same one: the file
/// appears whole, by a hard link, or not at all.
fn kept_secret(path: &Path, env: &Env) -> io::Result<SecretString> {
    if !path.exists() {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", URL_SAFE_NO_PAD.encode(env.bytes::<8>())));
        let draft = PathBuf::from(name);
        write_private(&draft, random_secret(env).expose_secret())?;
        let linked = std::fs::hard_link(&draft, path);
        std::fs::remove_file(&draft)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let text = std::fs::read_to_string(path)?;
    let secret = text.trim();
    if secret.len() < FEWEST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "holds no secret; remove it to have a new one made"));
    }
    Ok(SecretString::from(secret.to_owned()))
}

/// Writes a new file that only this user can read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
