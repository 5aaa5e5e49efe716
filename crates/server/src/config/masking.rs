//! What of a value may be shown: nothing of a secret, everything of a URL but its password.

/// What stands for a secret.
pub(crate) const MASK: &str = "***";

/// A URL without its password: the user information's, and those of query parameters that sound like one.
///
/// Shape: `postgres://user:***@host/db?sslmode=require`. When in doubt where a password ends, more is masked, not less.
pub(crate) fn mask_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return mask_query(url) };
    let Some((user_information, host)) = rest.rsplit_once('@') else {
        return format!("{scheme}://{}", mask_query(rest));
    };
    match user_information.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{MASK}@{}", mask_query(host)),
        None => format!("{scheme}://{user_information}@{}", mask_query(host)),
    }
}

/// A URL's end with the values of secret-sounding query parameters masked.
fn mask_query(rest: &str) -> String {
    let Some((path, query)) = rest.split_once('?') else { return rest.to_owned() };
    let mask_parameter = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if sounds_secret(name) => format!("{name}={MASK}"),
        _ => parameter.to_owned(),
    };
    format!("{path}?{}", query.split('&').map(mask_parameter).collect::<Vec<_>>().join("&"))
}

/// Whether a parameter of this name is likely a secret.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "key", "sig"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_masked_and_the_rest_stays() {
        for (url, masked) in [
            ("postgres://u:p@h:5432/db?sslmode=require", "postgres://u:***@h:5432/db?sslmode=require"),
            ("postgres://u:p/w@h/db", "postgres://u:***@h/db"),
            ("postgres://u:p?w@h/db", "postgres://u:***@h/db"),
            ("postgres://u:p@w@h/db", "postgres://u:***@h/db"),
            ("postgres:///db?host=/run&password=p&user=u", "postgres:///db?host=/run&password=***&user=u"),
            ("smtps://user@h", "smtps://user@h"),
            ("sqlite://a.db?mode=rwc", "sqlite://a.db?mode=rwc"),
            ("sqlite:a.db?key=k", "sqlite:a.db?key=***"),
            ("https://h/hook?token=t#x", "https://h/hook?token=***"),
        ] {
            assert_eq!(mask_url(url), masked, "{url}");
        }
    }
}
